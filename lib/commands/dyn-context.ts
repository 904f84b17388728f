/**
 * DYN.CONTEXT: contexts as such. A context is opaque to clients; these are the few things that one
 * may want to do with it without reading or writing a value.
 */
import { own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after } from '../base/later.ts';
import type { OpenedContext } from '../causal/context.ts';
import { compareVersions, describeVersions, join, nothingSeen } from '../causal/version-vector.ts';
import { ok } from '../protocol/reply.ts';
import { argument, Options } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { helpSubcommand } from './help.ts';
import { secondArgument } from './key-positions.ts';
import { Tracking } from './tracking.ts';

const otherKeys = 'BADCONTEXT the contexts are of different keys';

const get: Handler = (call, args) => {
  const { session, coordinator, ports } = call;
  const { db, r } = session;
  const key = own(argument(args, 2));
  return after(coordinator.readRecord(db, key, r === undefined ? {} : { r }), (record) =>
    ports.contexts.seal(db, key, record?.vv ?? nothingSeen),
  );
};

/** Opened, those that have seen nothing left out; all of one key. */
function openAll(call: Call, texts: readonly Buffer[]): readonly OpenedContext[] {
  const opened = texts
    .map((text) => call.ports.contexts.open(text))
    .filter((context) => context !== undefined);
  const [first] = opened;
  if (opened.every(({ place }) => first?.place.equals(place))) return opened;
  throw new RedisError(otherKeys);
}

const merge: Handler = (call, args) => {
  const opened = openAll(call, args.slice(2));
  const [first] = opened;
  if (first === undefined) return '';
  const merged = opened.reduce((vv, context) => join(vv, context.vv), nothingSeen);
  return call.ports.contexts.sealPlace(first.place, merged);
};

const compare: Handler = (call, args) => {
  const texts = args.slice(2);
  openAll(call, texts);
  const [a, b] = texts.map((text) => call.ports.contexts.open(text)?.vv ?? nothingSeen);
  return compareVersions(a ?? nothingSeen, b ?? nothingSeen);
};

const describe: Handler = (call, args) => {
  const opened = call.ports.contexts.open(argument(args, 2));
  return describeVersions(opened?.vv ?? nothingSeen);
};

const track: Handler = ({ session }, args) => {
  const options = new Options(args, 2);
  if (options.take('on')) session.tracking ??= new Tracking();
  else if (options.take('off')) session.tracking = undefined;
  else options.refuse();
  return ok;
};

const ours = { group: 'dynamo', since: '0.1.0', flags: ['fast'], overlaps: true } as const;

export const contextCommand: Command = {
  name: 'dyn.context',
  arity: -2,
  flags: [],
  group: 'dynamo',
  since: '0.1.0',
  summary: 'A container for commands on contexts',
  syntax: '',
  subcommands: [
    {
      ...ours,
      name: 'get',
      arity: 3,
      flags: ['readonly', 'fast'],
      keys: secondArgument,
      summary: 'Get the context of all that a key has seen',
      syntax: 'key',
      handler: get,
    },
    {
      ...ours,
      name: 'merge',
      arity: -4,
      summary: 'Make one context that has seen what any of these contexts of one key has seen',
      syntax: 'context context [context ...]',
      handler: merge,
    },
    {
      ...ours,
      name: 'compare',
      arity: 4,
      summary: 'Tell whether the first context is equal, before, after or concurrent to the second',
      syntax: 'context context',
      handler: compare,
    },
    {
      ...ours,
      name: 'describe',
      arity: 3,
      summary: 'Show the actors that a context has seen and the time of the latest write of each',
      syntax: 'context',
      handler: describe,
    },
    {
      name: 'track',
      arity: 3,
      flags: ['noscript', 'fast'],
      group: 'dynamo',
      since: '0.1.0',
      summary: 'Let this connection remember the contexts of its keys and write with them',
      syntax: 'ON | OFF',
      handler: track,
    },
    helpSubcommand('dynamo', '0.1.0'),
  ],
};
