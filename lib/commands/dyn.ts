/**
 * What Redis cannot show (DESIGN 2.4): every sibling of a key with the context to settle them,
 * writes that carry a context of the client's, the quorum of a connection, and where a key lies.
 */
import { own } from '../base/bytes.ts';
import { after, type Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import { liveSiblings } from '../causal/visible.ts';
import type { Explanation, PutRequest, ReadOptions } from '../coordinator/coordinator.ts';
import { MapReply, type Reply, SimpleString } from '../protocol/reply.ts';
import { put } from './access.ts';
import {
  argument,
  type ExpiryOption,
  expiryInstant,
  integerWithin,
  isWord,
  Options,
} from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { contextCommand } from './dyn-context.ts';
import { ringCommand } from './dyn-ring.ts';
import type { Way } from './in-flight.ts';
import { firstArgument } from './key-positions.ts';

/** `R n` or `W n`: at most as many as there are replicas. */
function replicaCount(call: Call, letter: 'R' | 'W', text: Buffer): number {
  const { n } = call.coordinator.quorum(call.session.db);
  return integerWithin(text, 1, n, `ERR ${letter} must be between 1 and ${n}`);
}

const dynGet: Handler = (call, args) => {
  const { session, coordinator } = call;
  const key = argument(args, 1);
  const seal = sealerOf(call, key);
  const options = new Options(args, 2);
  let { r } = session;
  let local = false;
  while (!options.done) {
    if (options.take('r')) r = replicaCount(call, 'R', options.value());
    else if (options.take('local')) local = true;
    else options.refuse();
  }
  const readOptions: ReadOptions = { local, ...(r !== undefined && { r }) };
  return after(coordinator.readRecord(session.db, key, readOptions), (record) =>
    record === undefined ? null : shownRecord(call, record, seal),
  );
};

function wayOfGet(args: readonly Buffer[]): Way {
  return args.some((word, at) => at > 1 && isWord(word, 'local')) ? 'local' : 'read';
}

function shownRecord(call: Call, record: Record, seal: (vv: VersionVector) => string): Reply {
  const live = liveSiblings(record, call.ports.system.clock.wallMs());
  return [seal(record.vv), live.map(({ bytes }) => bytes)];
}

/** Makes contexts of this key, also when the request's bytes are gone. */
function sealerOf(call: Call, key: Buffer): (vv: VersionVector) => string {
  const { db } = call.session;
  const kept = own(key);
  return (vv) => call.ports.contexts.seal(db, kept, vv);
}

const dynPut: Handler = (call, args) => {
  const options = new Options(args, 4);
  let { w } = call.session;
  let expiry: ExpiryOption | undefined;
  while (!options.done) {
    if (options.take('w')) w = replicaCount(call, 'W', options.value());
    else if (expiry === undefined) expiry = options.expiry() ?? options.refuse();
    else options.refuse();
  }
  const nowMs = call.ports.system.clock.wallMs();
  const expireAtMs = expiry === undefined ? 0 : expiryInstant(expiry, nowMs, 'dyn.put');
  return putWithContext(call, args, { value: argument(args, 3), expireAtMs, ...withW(w) });
};

const dynDel: Handler = (call, args) => {
  const options = new Options(args, 3);
  let { w } = call.session;
  while (!options.done) {
    if (options.take('w')) w = replicaCount(call, 'W', options.value());
    else options.refuse();
  }
  return putWithContext(call, args, { value: undefined, expireAtMs: 0, ...withW(w) });
};

function withW(w: number | undefined): { readonly w?: number } {
  return w === undefined ? {} : { w };
}

/** `key context`; the answer is the context of all that the key has now seen. */
function putWithContext(
  call: Call,
  args: readonly Buffer[],
  request: Omit<PutRequest, 'context'>,
): Later<Reply> {
  const { db } = call.session;
  const key = argument(args, 1);
  const context = call.ports.contexts.openFor(db, key, argument(args, 2));
  return after(put(call, { db, key }, { ...request, context }), sealerOf(call, key));
}

const dynQuorum: Handler = (call, args) => {
  const { session, coordinator } = call;
  const options = new Options(args, 1);
  let { r, w } = session;
  while (!options.done) {
    if (options.take('r')) r = replicaCount(call, 'R', options.value());
    else if (options.take('w')) w = replicaCount(call, 'W', options.value());
    else options.refuse();
  }
  session.r = r;
  session.w = w;
  const usual = coordinator.quorum(session.db);
  return new MapReply([
    ['r', r ?? usual.r],
    ['w', w ?? usual.w],
    ['n', usual.n],
  ]);
};

const dynExplain: Handler = (call, args) =>
  after(call.coordinator.explain(call.session.db, argument(args, 1)), explained);

function explained({ slot, partition, layout, owners, hints }: Explanation): Reply {
  return new MapReply([
    ['slot', slot],
    ['partition', partition],
    ['layout', layout],
    [
      'owners',
      owners.map(
        ({ node, state, version, siblings }) =>
          new MapReply([
            ['node', node],
            ['state', state],
            ['version', version ?? null],
            ['siblings', siblings],
          ]),
      ),
    ],
    ['hints', hints.map(({ holder, target, kind }) => [holder, target, kind])],
  ]);
}

/** From the table: each command, or each of its subcommands, with its grammar and meaning. */
const dynHelp: Handler = (call) => {
  const lines = ['DYN.<command> [<arg> [value] [opt] ...]. Commands are:'];
  for (const { row } of call.commands.entries) {
    if (row.group !== 'dynamo') continue;
    const parts = row.subcommands ?? [row];
    for (const part of parts) {
      const name = part === row ? row.name : `${row.name} ${part.name}`;
      lines.push(`${name.toUpperCase()} ${part.syntax}`.trimEnd(), `    ${part.summary}.`);
    }
  }
  return lines.map((line) => new SimpleString(line));
};

const ours = { group: 'dynamo', since: '0.1.0' } as const;
const onKey = { ...ours, keys: firstArgument, overlaps: true } as const;

export const dynCommands: readonly Command[] = [
  {
    ...onKey,
    name: 'dyn.get',
    arity: -2,
    flags: ['readonly', 'fast'],
    summary: 'Get every live sibling of a key, newest first, and the context that has seen them',
    syntax: 'key [R n] [LOCAL]',
    way: wayOfGet,
    handler: dynGet,
  },
  {
    ...onKey,
    name: 'dyn.put',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    summary: 'Set a value in place of the siblings that the context has seen',
    syntax:
      'key context value [W n] [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
      'PXAT unix-time-milliseconds]',
    way: 'context',
    handler: dynPut,
  },
  {
    ...onKey,
    name: 'dyn.del',
    arity: -3,
    flags: ['write', 'fast'],
    summary: 'Remove exactly the siblings that the context has seen',
    syntax: 'key context [W n]',
    way: 'context',
    handler: dynDel,
  },
  contextCommand,
  {
    ...ours,
    name: 'dyn.quorum',
    arity: -1,
    flags: ['noscript', 'fast'],
    summary: 'Set and show how many replicas this connection waits for',
    syntax: '[R n] [W n]',
    handler: dynQuorum,
  },
  ringCommand,
  {
    ...onKey,
    name: 'dyn.explain',
    arity: 2,
    flags: ['readonly'],
    summary: 'Show where a key lies, what its owners hold of it, and the hints for it',
    syntax: 'key',
    handler: dynExplain,
  },
  {
    ...ours,
    name: 'dyn.help',
    arity: 1,
    flags: ['loading', 'stale'],
    summary: 'Show the DYN commands',
    syntax: '',
    handler: dynHelp,
  },
];
