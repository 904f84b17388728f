/**
 * CLIENT LIST, INFO and KILL: the connections of this node, shown and ended.
 *
 * The line of a client keeps every name of Redis 7 in its order, because clients read it with one
 * long pattern. What this server does not know is shown as the constant that fits: subscriptions 0,
 * redirection -1, the user `default`.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { ok, type Reply, Verbatim } from '../protocol/reply.ts';
import { clampedInteger, integerWithin, isWord, Options } from './arguments.ts';
import type { Call } from './command.ts';
import type { Client } from './ports.ts';

function clientLine({ ports }: Call, client: Client): string {
  const { session } = client;
  const use = client.use();
  const nowMs = ports.system.clock.monotonicMs();
  const events = use.outputBytes > 0 ? 'rw' : 'r';
  const fields: readonly (readonly [string, string | number])[] = [
    ['id', session.id],
    ['addr', session.address],
    ['laddr', session.localAddress],
    ['fd', use.fd],
    ['name', session.name],
    ['age', Math.floor((nowMs - session.createdAtMs) / 1000)],
    ['idle', Math.floor((nowMs - session.lastCommandAtMs) / 1000)],
    ['flags', flagsOf(client)],
    ['db', session.db],
    ['sub', 0],
    ['psub', 0],
    ['ssub', 0],
    ['multi', session.queue?.length ?? -1],
    ['qbuf', use.queryBytes],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', session.queuedBytes],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', 0],
    ['oll', use.pendingReplies],
    ['omem', use.outputBytes],
    ['tot-mem', use.queryBytes + use.outputBytes + session.queuedBytes],
    ['events', events],
    ['cmd', session.lastCommand === '' ? 'NULL' : session.lastCommand],
    ['user', 'default'],
    ['redir', -1],
    ['resp', session.protocol],
    ['lib-name', session.libraryName],
    ['lib-ver', session.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

/** Redis' letters: x in MULTI, c to be closed, e not evicted, T does not touch, N none of these. */
function flagsOf({ session }: Client): string {
  const letters = [
    session.queue !== undefined ? 'x' : '',
    session.closing ? 'c' : '',
    session.noEvict ? 'e' : '',
    session.noTouch ? 'T' : '',
  ].join('');
  return letters === '' ? 'N' : letters;
}

/** Every connection here is a normal one; the other types exist, with nobody in them. */
const clientTypes: readonly string[] = ['normal', 'slave', 'replica', 'pubsub', 'master'];

function isNormalType(argument: Buffer): boolean {
  const type = clientTypes.find((name) => isWord(argument, name));
  if (type === undefined) throw new RedisError(`ERR Unknown client type '${argument}'`);
  return type === 'normal';
}

export function list(call: Call, args: readonly Buffer[]): Reply {
  const { clients } = call.ports;
  const [, , option, ...values] = args;
  const [type] = values;
  let shown: readonly Client[];
  if (option === undefined) shown = clients.all();
  else if (isWord(option, 'type') && type !== undefined && values.length === 1) {
    shown = isNormalType(type) ? clients.all() : [];
  } else if (isWord(option, 'id') && values.length > 0) {
    shown = values
      .map((value) => clients.byId(clampedInteger(value, 'ERR Invalid client ID')))
      .filter((client) => client !== undefined);
  } else throw new RedisError(syntaxError);
  return new Verbatim(shown.map((client) => `${clientLine(call, client)}\n`).join(''));
}

export function info(call: Call): Reply {
  const client = call.ports.clients.byId(call.session.id);
  return new Verbatim(client === undefined ? '' : `${clientLine(call, client)}\n`);
}

type Filter = (client: Client) => boolean;

const killFilters: { readonly [option: string]: (value: Buffer) => Filter } = {
  id: (value) => {
    const text = 'ERR client-id should be greater than 0';
    const id = integerWithin(value, 1, Number.MAX_SAFE_INTEGER, text);
    return ({ session }) => session.id === id;
  },
  type: (value) => {
    const normal = isNormalType(value);
    return () => normal;
  },
  addr: (value) => {
    const address = value.toString();
    return ({ session }) => session.address === address;
  },
  laddr: (value) => {
    const address = value.toString();
    return ({ session }) => session.localAddress === address;
  },
  user: (value) => {
    if (value.toString() !== 'default') throw new RedisError(`ERR No such user '${value}'`);
    return ({ session }) => session.authenticated;
  },
};

/** CLIENT KILL ip:port may end its own connection; CLIENT KILL filter ... skips it unless told. */
export function kill(call: Call, args: readonly Buffer[]): Reply {
  const [, , only] = args;
  if (args.length === 3 && only !== undefined) {
    if (killMatching(call, killFilters['addr']?.(only) ?? (() => false)) > 0) return ok;
    throw new RedisError('ERR No such client');
  }
  const filters: Filter[] = [];
  let skipsSelf = true;
  const options = new Options(args, 2);
  while (!options.done) {
    if (options.take('skipme')) skipsSelf = yesOrNo(options.value());
    else {
      const word = options.value().toString().toLowerCase();
      const filter = Object.hasOwn(killFilters, word) ? killFilters[word] : undefined;
      filters.push(filter?.(options.value()) ?? options.refuse());
    }
  }
  return killMatching(
    call,
    (client) =>
      !(skipsSelf && client.session === call.session) && filters.every((filter) => filter(client)),
  );
}

function killMatching({ session, ports }: Call, matches: Filter): number {
  const doomed = ports.clients.all().filter(matches);
  for (const client of doomed) {
    if (client.session === session) session.closing = true;
    else client.kill('now');
  }
  return doomed.length;
}

function yesOrNo(argument: Buffer): boolean {
  if (isWord(argument, 'yes')) return true;
  if (isWord(argument, 'no')) return false;
  throw new RedisError(syntaxError);
}
