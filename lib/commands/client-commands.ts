/**
 * CLIENT: what a connection may say of itself and ask of the node. Texts and order of the checks as
 * in Redis 7; `client-list.ts` has what concerns the other connections.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { MapReply, noReply, ok, type Reply, SetReply } from '../protocol/reply.ts';
import { integer64, integerWithin, isWord } from './arguments.ts';
import { info, kill, list } from './client-list.ts';
import type { Call, Command } from './command.ts';
import { helpSubcommand } from './help.ts';

/** The text of a name that a client gives itself: printable ASCII without spaces. */
export function checkClientText(argument: Buffer, what: string): string {
  if (argument.every((byte) => byte >= 0x21 && byte <= 0x7e)) return argument.toString('latin1');
  throw new RedisError(`ERR ${what} cannot contain spaces, newlines or special characters.`);
}

function setInfo({ session }: Call, args: readonly Buffer[]): Reply {
  const [, , option, value] = args;
  if (option === undefined || value === undefined) throw new RedisError(syntaxError);
  if (isWord(option, 'lib-name')) session.libraryName = checkClientText(value, 'lib-name');
  else if (isWord(option, 'lib-ver')) session.libraryVersion = checkClientText(value, 'lib-ver');
  else throw new RedisError(`ERR Unrecognized option '${option}'`);
  return ok;
}

function onOrOff(argument: Buffer | undefined): boolean {
  if (isWord(argument, 'on')) return true;
  if (isWord(argument, 'off')) return false;
  throw new RedisError(syntaxError);
}

function replyMode({ session }: Call, args: readonly Buffer[]): Reply {
  const mode = args[2];
  if (isWord(mode, 'on')) session.replies = 'on';
  else if (isWord(mode, 'off')) session.replies = 'off';
  else if (isWord(mode, 'skip')) session.replies = session.replies === 'off' ? 'off' : 'skip';
  else throw new RedisError(syntaxError);
  return session.replies === 'on' ? ok : noReply;
}

function pause(call: Call, args: readonly Buffer[]): Reply {
  const [, , duration, mode] = args;
  if (duration === undefined || args.length > 4) throw new RedisError(syntaxError);
  if (mode !== undefined && !isWord(mode, 'write') && !isWord(mode, 'all')) {
    throw new RedisError('ERR CLIENT PAUSE mode must be WRITE or ALL');
  }
  const text = 'ERR timeout is not an integer or out of range';
  const durationMs = integerWithin(duration, -Infinity, pauseMsMax, text);
  if (durationMs < 0) throw new RedisError('ERR timeout is negative');
  const nowMs = call.ports.system.clock.monotonicMs();
  call.pause.begin(isWord(mode, 'write') ? 'write' : 'all', durationMs, nowMs);
  return ok;
}

/** A timer holds no more; 24 days. */
const pauseMsMax = 2 ** 31 - 1;

function unblock(_call: Call, args: readonly Buffer[]): Reply {
  const [, , id, reason] = args;
  if (id === undefined || args.length > 4) throw new RedisError(syntaxError);
  if (reason !== undefined && !isWord(reason, 'timeout') && !isWord(reason, 'error')) {
    throw new RedisError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  }
  integer64(id);
  return 0;
}

const own = ['noscript', 'loading', 'stale'] as const;
const operator = ['admin', 'noscript', 'loading', 'stale'] as const;
const common = { group: 'connection' } as const;

const subcommands: readonly Command[] = [
  {
    ...common,
    name: 'id',
    arity: 2,
    flags: own,
    since: '5.0.0',
    summary: 'Returns the client ID for the current connection',
    syntax: '',
    handler: ({ session }) => session.id,
  },
  {
    ...common,
    name: 'getname',
    arity: 2,
    flags: own,
    since: '2.6.9',
    summary: 'Get the current connection name',
    syntax: '',
    handler: ({ session }) => (session.name === '' ? null : session.name),
  },
  {
    ...common,
    name: 'setname',
    arity: 3,
    flags: own,
    since: '2.6.9',
    summary: 'Set the current connection name',
    syntax: 'connection-name',
    handler: ({ session }, args) => {
      session.name = checkClientText(args[2] ?? Buffer.alloc(0), 'Client names');
      return ok;
    },
  },
  {
    ...common,
    name: 'setinfo',
    arity: 4,
    flags: own,
    since: '7.2.0',
    summary: 'Set information specific to the client or connection',
    syntax: '<LIB-NAME libname | LIB-VER libver>',
    handler: setInfo,
  },
  {
    ...common,
    name: 'info',
    arity: 2,
    flags: own,
    since: '6.2.0',
    summary: 'Returns information about the current client connection',
    syntax: '',
    handler: info,
  },
  {
    ...common,
    name: 'list',
    arity: -2,
    flags: operator,
    since: '2.4.0',
    summary: 'Get the list of client connections',
    syntax: '[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]',
    handler: list,
  },
  {
    ...common,
    name: 'kill',
    arity: -3,
    flags: operator,
    since: '2.4.0',
    summary: 'Kill the connection of a client',
    syntax:
      '<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [USER username] ' +
      '[ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]>',
    handler: kill,
  },
  {
    ...common,
    name: 'reply',
    arity: 3,
    flags: own,
    since: '3.2.0',
    summary: 'Instruct the server whether to reply to commands',
    syntax: '<ON | OFF | SKIP>',
    handler: replyMode,
  },
  {
    ...common,
    name: 'no-evict',
    arity: 3,
    flags: operator,
    since: '7.0.0',
    summary: 'Set client eviction mode for the current connection',
    syntax: '<ON | OFF>',
    handler: ({ session }, args) => {
      session.noEvict = onOrOff(args[2]);
      return ok;
    },
  },
  {
    ...common,
    name: 'no-touch',
    arity: 3,
    flags: own,
    since: '7.2.0',
    summary: 'Controls whether commands sent by the client will alter the LRU/LFU of the keys',
    syntax: '<ON | OFF>',
    handler: ({ session }, args) => {
      session.noTouch = onOrOff(args[2]);
      return ok;
    },
  },
  {
    ...common,
    name: 'pause',
    arity: -3,
    flags: operator,
    since: '2.9.50',
    summary: 'Stop processing commands from clients for some time',
    syntax: 'timeout [WRITE | ALL]',
    handler: pause,
  },
  {
    ...common,
    name: 'unpause',
    arity: 2,
    flags: operator,
    since: '6.2.0',
    summary: 'Resume processing of clients that were paused',
    syntax: '',
    handler: (call) => {
      call.pause.end();
      return ok;
    },
  },
  {
    ...common,
    name: 'unblock',
    arity: -3,
    flags: operator,
    since: '5.0.0',
    summary: 'Unblock a client blocked in a blocking command from a different connection',
    syntax: 'client-id [TIMEOUT | ERROR]',
    handler: unblock,
  },
  {
    ...common,
    name: 'getredir',
    arity: 2,
    flags: own,
    since: '6.0.0',
    summary: 'Get tracking notifications redirection client ID if any',
    syntax: '',
    handler: () => -1,
  },
  {
    ...common,
    name: 'trackinginfo',
    arity: 2,
    flags: own,
    since: '6.2.0',
    summary:
      'Return information about server assisted client side caching for the current connection',
    syntax: '',
    handler: () =>
      new MapReply([
        ['flags', new SetReply(['off'])],
        ['redirect', -1],
        ['prefixes', []],
      ]),
  },
  helpSubcommand('connection', '5.0.0'),
];

export const clientCommands: readonly Command[] = [
  {
    ...common,
    name: 'client',
    arity: -2,
    flags: [],
    since: '2.4.0',
    summary: 'A container for client connection commands',
    syntax: '',
    subcommands,
  },
];
