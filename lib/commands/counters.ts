/**
 * Numbers kept as text: INCR and its kin. The arithmetic, its limits and its errors are in
 * `updates/`; the answer is the text that it has left behind.
 */
import { assert } from '../base/assert.ts';
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { UpdateResult } from '../coordinator/coordinator.ts';
import type { Reply } from '../protocol/reply.ts';
import { int64Min } from '../updates/integers.ts';
import { update } from './access.ts';
import { argument, integer64, parseInteger } from './arguments.ts';
import type { Call, Command } from './command.ts';
import { firstArgument } from './key-positions.ts';

function increment(call: Call, key: Buffer, by: bigint): Later<Reply> {
  return after(update(call, key, { kind: 'increment', by }), sum);
}

function sum(result: UpdateResult): Reply {
  const value = result.after && parseInteger(result.after.bytes);
  assert(value !== undefined, 'an increment leaves an integer');
  return value;
}

function decrementBy(call: Call, args: readonly Buffer[]): Later<Reply> {
  const by = integer64(argument(args, 2));
  if (by === int64Min) throw new RedisError('ERR decrement would overflow');
  return increment(call, argument(args, 1), -by);
}

function incrementByFloat(call: Call, args: readonly Buffer[]): Later<Reply> {
  const by = argument(args, 2).toString('latin1');
  return after(update(call, argument(args, 1), { kind: 'increment-float', by }), (result) => {
    assert(result.after !== undefined, 'an increment leaves a number');
    return result.after.bytes;
  });
}

const counter = {
  group: 'string',
  flags: ['write', 'denyoom', 'fast'],
  keys: firstArgument,
  overlaps: true,
} as const;

export const counterCommands: readonly Command[] = [
  {
    ...counter,
    name: 'incr',
    arity: 2,
    since: '1.0.0',
    summary: 'Increment the integer value of a key by one',
    syntax: 'key',
    handler: (call, args) => increment(call, argument(args, 1), 1n),
  },
  {
    ...counter,
    name: 'decr',
    arity: 2,
    since: '1.0.0',
    summary: 'Decrement the integer value of a key by one',
    syntax: 'key',
    handler: (call, args) => increment(call, argument(args, 1), -1n),
  },
  {
    ...counter,
    name: 'incrby',
    arity: 3,
    since: '1.0.0',
    summary: 'Increment the integer value of a key by the given amount',
    syntax: 'key increment',
    handler: (call, args) => increment(call, argument(args, 1), integer64(argument(args, 2))),
  },
  {
    ...counter,
    name: 'decrby',
    arity: 3,
    since: '1.0.0',
    summary: 'Decrement the integer value of a key by the given number',
    syntax: 'key decrement',
    handler: decrementBy,
  },
  {
    ...counter,
    name: 'incrbyfloat',
    arity: 3,
    since: '2.6.0',
    summary: 'Increment the float value of a key by the given amount',
    syntax: 'key increment',
    handler: incrementByFloat,
  },
];
