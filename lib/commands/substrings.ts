/** Parts of values: APPEND, STRLEN, GETRANGE, SETRANGE and LCS. */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after } from '../base/later.ts';
import type { UpdateResult } from '../coordinator/coordinator.ts';
import { MapReply, type Reply } from '../protocol/reply.ts';
import type { Visible } from '../updates/update.ts';
import { lookUp, update } from './access.ts';
import { argument, clampedInteger, Options } from './arguments.ts';
import type { Command, Handler } from './command.ts';
import { readEach } from './fan-out.ts';
import { firstArgument, firstTwoArguments } from './key-positions.ts';
import { lcsTableBytes, longestCommonSubsequence } from './lcs.ts';

const append: Handler = (call, args) =>
  after(update(call, argument(args, 1), { kind: 'append', bytes: argument(args, 2) }), lengthAfter);

const setrange: Handler = (call, args) => {
  const offset = clampedInteger(argument(args, 2));
  if (offset < 0) throw new RedisError('ERR offset is out of range');
  const change = { kind: 'set-range', offset, bytes: argument(args, 3) } as const;
  return after(update(call, argument(args, 1), change), lengthAfter);
};

function lengthAfter(result: UpdateResult): Reply {
  return lengthOf(result.after);
}

function lengthOf(shown: Visible | undefined): number {
  return shown === undefined ? 0 : shown.bytes.length;
}

const strlen: Handler = (call, args) => after(lookUp(call, argument(args, 1)), lengthOf);

/** GETRANGE and SUBSTR: both ends inclusive, negative ones counted from the end. */
const getrange: Handler = (call, args) => {
  const first = clampedInteger(argument(args, 2));
  const last = clampedInteger(argument(args, 3));
  return after(lookUp(call, argument(args, 1)), (shown) =>
    shown === undefined ? emptyBytes : slice(shown.bytes, first, last),
  );
};

function slice(bytes: Buffer, first: number, last: number): Buffer {
  if (first < 0 && last < 0 && first > last) return emptyBytes;
  const start = Math.max(first < 0 ? bytes.length + first : first, 0);
  const end = Math.max(last < 0 ? bytes.length + last : last, 0);
  return bytes.subarray(start, end + 1);
}

interface LcsOptions {
  readonly lengthOnly: boolean;
  readonly indexes: boolean;
  readonly rangeBytesMin: number;
  readonly withLengths: boolean;
}

const lcs: Handler = (call, args) => {
  const options = lcsOptions(args);
  const tableBytesMax = call.ports.settings.number('proto-max-bulk-len');
  return after(
    readEach(call, args.slice(1, 3), (key) => lookUp(call, key)),
    ([a, b]) => lcsReply(a?.bytes ?? emptyBytes, b?.bytes ?? emptyBytes, options, tableBytesMax),
  );
};

function lcsOptions(args: readonly Buffer[]): LcsOptions {
  const options = new Options(args, 3);
  let lengthOnly = false;
  let indexes = false;
  let rangeBytesMin = 0;
  let withLengths = false;
  while (!options.done) {
    if (options.take('len')) lengthOnly = true;
    else if (options.take('idx')) indexes = true;
    else if (options.take('minmatchlen')) rangeBytesMin = clampedInteger(options.value());
    else if (options.take('withmatchlen')) withLengths = true;
    else options.refuse();
  }
  if (lengthOnly && indexes) {
    options.refuse('ERR If you want both the length and indexes, please just use IDX.');
  }
  return { lengthOnly, indexes, rangeBytesMin, withLengths };
}

function lcsReply(a: Buffer, b: Buffer, options: LcsOptions, tableBytesMax: number): Reply {
  if (lcsTableBytes(a, b) > tableBytesMax) {
    throw new RedisError(
      'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
    );
  }
  const { bytes, ranges } = longestCommonSubsequence(a, b);
  if (options.lengthOnly) return bytes.length;
  if (!options.indexes) return bytes;
  const matches = ranges
    .filter(({ length }) => length >= options.rangeBytesMin)
    .map(({ aFirst, aLast, bFirst, bLast, length }) => {
      const places = [
        [aFirst, aLast],
        [bFirst, bLast],
      ];
      return options.withLengths ? [...places, length] : places;
    });
  return new MapReply([
    ['matches', matches],
    ['len', bytes.length],
  ]);
}

const onKey = { group: 'string', keys: firstArgument, overlaps: true } as const;

export const substringCommands: readonly Command[] = [
  {
    ...onKey,
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    since: '2.0.0',
    summary: 'Append a value to a key',
    syntax: 'key value',
    handler: append,
  },
  {
    ...onKey,
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    since: '2.2.0',
    summary: 'Get the length of the value stored in a key',
    syntax: 'key',
    handler: strlen,
  },
  {
    ...onKey,
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    since: '2.4.0',
    summary: 'Get a substring of the string stored at a key',
    syntax: 'key start end',
    handler: getrange,
  },
  {
    ...onKey,
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    since: '1.0.0',
    summary: 'Get a substring of the string stored at a key',
    syntax: 'key start end',
    handler: getrange,
  },
  {
    ...onKey,
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    since: '2.2.0',
    summary: 'Overwrite part of a string at key starting at the specified offset',
    syntax: 'key offset value',
    handler: setrange,
  },
  {
    ...onKey,
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    keys: firstTwoArguments,
    since: '7.0.0',
    summary: 'Find longest common substring',
    syntax: 'key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]',
    handler: lcs,
  },
];
