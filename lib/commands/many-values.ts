/**
 * Many whole values in one command: MGET, MSET, MSETNX. The first two are one operation per key;
 * MSETNX is all or nothing, which only one coordinator of all its keys can promise.
 */
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import { bytesOrNull, lookUp, noteWrite, readValue, update } from './access.ts';
import { argument, ownAll } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { delegate } from './delegated.ts';
import { largeRequestArguments } from './dispatch.ts';
import { crossSlot, wrongArgumentCount } from './errors.ts';
import { readEach, writeEach } from './fan-out.ts';
import { everyArgument, everySecondArgument } from './key-positions.ts';

const mget: Handler = (call, args) =>
  readEach(call, args.slice(1), (key) => after(readValue(call, key), bytesOrNull));

/** The pairs of MSET and MSETNX. */
function pairsOf(args: readonly Buffer[], command: string): { keys: Buffer[]; values: Buffer[] } {
  if (args.length % 2 === 0) throw new RedisError(wrongArgumentCount(command));
  const keys: Buffer[] = [];
  const values: Buffer[] = [];
  for (let at = 1; at < args.length; at += 2) {
    keys.push(argument(args, at));
    values.push(argument(args, at + 1));
  }
  return { keys, values };
}

function setEach(call: Call, keys: readonly Buffer[], values: readonly Buffer[]): Later<unknown> {
  return writeEach(call, keys, (key, index) =>
    update(call, key, { kind: 'set', bytes: argument(values, index), expireAtMs: 0 }),
  );
}

const mset: Handler = (call, args) => {
  const { keys, values } = pairsOf(args, 'mset');
  return after(setEach(call, keys, values), () => ok);
};

/** Atomic where one coordinator owns all the keys. */
const msetnx: Handler = (call, args) => {
  const { keys } = pairsOf(args, 'msetnx');
  const { db } = call.session;
  const place = call.settledHere ? 'here' : call.coordinator.coordinatorOf(db, keys);
  if (place === 'here') return setNewTogether(call, ownAll(args));
  if (place === 'several') throw new RedisError(crossSlot);
  for (const key of keys) noteWrite(call, db, key);
  return after(delegate(call, place, { watched: [], commands: [args] }), onlyReply);
};

/** Of a batch of one command; a failure is the batch's own. */
function onlyReply(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  const [only = null]: readonly Reply[] = reply;
  return only;
}

/**
 * Looks and writes while nobody else touches the keys, which are free again before the disk is;
 * those of a large request only then, because it begins its writes one slice after another.
 */
function setNewTogether(call: Call, args: readonly Buffer[]): Later<Reply> {
  const { keys, values } = pairsOf(args, 'msetnx');
  const started = call.coordinator.exclusive(call.session.db, keys, (inside) => {
    const within = { ...call, coordinator: inside };
    return after(
      readEach(within, keys, (key) => lookUp(within, key)),
      (found) => {
        const free = found.every((shown) => shown === undefined);
        const outcome = { free, done: free ? setEach(within, keys, values) : undefined };
        return args.length > largeRequestArguments ? after(outcome.done, () => outcome) : outcome;
      },
    );
  });
  return after(started, ({ free, done }) => after(done, () => (free ? 1 : 0)));
}

const onKeys = { group: 'string', overlaps: true } as const;
const write = ['write', 'denyoom'] as const;

export const manyValueCommands: readonly Command[] = [
  {
    ...onKeys,
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: everyArgument,
    since: '1.0.0',
    summary: 'Get the values of all the given keys',
    syntax: 'key [key ...]',
    handler: mget,
  },
  {
    ...onKeys,
    name: 'mset',
    arity: -3,
    flags: write,
    keys: everySecondArgument,
    since: '1.0.1',
    summary: 'Set multiple keys to multiple values',
    syntax: 'key value [key value ...]',
    way: 'overwrite',
    handler: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: write,
    keys: everySecondArgument,
    group: 'string',
    since: '1.0.1',
    summary: 'Set multiple keys to multiple values, only if none of the keys exist',
    syntax: 'key value [key value ...]',
    handler: msetnx,
  },
];
