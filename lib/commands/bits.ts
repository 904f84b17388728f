/**
 * Strings as arrays of bits: bit 0 is the highest of byte 0. A key that is missing reads as zeros
 * without end.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { after } from '../base/later.ts';
import { lookUp, update } from './access.ts';
import { argument, clampedInteger, integerWithin, isWord } from './arguments.ts';
import { bitAt, countBits, findBit } from './bit-ranges.ts';
import type { Call, Command, Handler } from './command.ts';
import { firstArgument } from './key-positions.ts';

const noOffset = 'ERR bit offset is not an integer or out of range';
const noBit = 'ERR bit is not an integer or out of range';

function bitOffset(call: Call, text: Buffer): number {
  const bytesMax = call.ports.settings.number('proto-max-bulk-len');
  return integerWithin(text, 0, bytesMax * 8 - 1, noOffset);
}

const setbit: Handler = (call, args) => {
  const offset = bitOffset(call, argument(args, 2));
  const bit = integerWithin(argument(args, 3), 0, 1, noBit) === 1 ? 1 : 0;
  const change = { kind: 'set-bit', offset, bit } as const;
  return after(update(call, argument(args, 1), change), ({ before }) =>
    before === undefined ? 0 : bitAt(before.bytes, offset),
  );
};

const getbit: Handler = (call, args) => {
  const offset = bitOffset(call, argument(args, 2));
  return after(lookUp(call, argument(args, 1)), (shown) =>
    shown === undefined ? 0 : bitAt(shown.bytes, offset),
  );
};

/** `start end [BYTE | BIT]` as the client gave it; negative places count from the end. */
interface Range {
  readonly first: number;
  /** undefined: to the end. */
  readonly last: number | undefined;
  readonly inBits: boolean;
}

function rangeOf(args: readonly Buffer[], from: number): Range {
  const first = args[from];
  const last = args[from + 1];
  const unit = args[from + 2];
  const range = {
    first: first === undefined ? 0 : clampedInteger(first),
    last: last === undefined ? undefined : clampedInteger(last),
    inBits: isWord(unit, 'bit'),
  };
  const known = unit === undefined || range.inBits || isWord(unit, 'byte');
  if (!known || args.length > from + 3) throw new RedisError(syntaxError);
  return range;
}

/** First and last bit of the range in a value; an empty range has its last bit before its first. */
function bitsOf(range: Range, bytes: Buffer): readonly [first: number, last: number] {
  const unitBits = range.inBits ? 1 : 8;
  const total = (bytes.length * 8) / unitBits;
  const place = (given: number): number => Math.max(given < 0 ? total + given : given, 0);
  const last = Math.min(place(range.last ?? -1), total - 1);
  return [place(range.first) * unitBits, (last + 1) * unitBits - 1];
}

const bitcount: Handler = (call, args) => {
  if (args.length === 3) throw new RedisError(syntaxError);
  const range = rangeOf(args, 2);
  const { first, last } = range;
  // Of two places beyond the start the later one counts as it was given.
  const empty = first < 0 && last !== undefined && last < 0 && first > last;
  return after(lookUp(call, argument(args, 1)), (shown) =>
    shown === undefined || empty ? 0 : countBits(shown.bytes, ...bitsOf(range, shown.bytes)),
  );
};

const bitpos: Handler = (call, args) => {
  const bit = clampedInteger(argument(args, 2));
  if (bit !== 0 && bit !== 1) throw new RedisError('ERR The bit argument must be 1 or 0.');
  const range = rangeOf(args, 3);
  return after(lookUp(call, argument(args, 1)), (shown) => {
    if (shown === undefined) return bit === 0 ? 0 : -1;
    const [first, last] = bitsOf(range, shown.bytes);
    if (first > last) return -1;
    const found = findBit(shown.bytes, bit, first, last);
    // Without an end the zeros behind the value belong to the range.
    const padded = found < 0 && bit === 0 && range.last === undefined;
    return padded ? shown.bytes.length * 8 : found;
  });
};

const onKey = { group: 'bitmap', keys: firstArgument, overlaps: true } as const;

export const bitmapCommands: readonly Command[] = [
  {
    ...onKey,
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    since: '2.2.0',
    summary: 'Sets or clears the bit at offset in the string value stored at key',
    syntax: 'key offset value',
    handler: setbit,
  },
  {
    ...onKey,
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    since: '2.2.0',
    summary: 'Returns the bit value at offset in the string value stored at key',
    syntax: 'key offset',
    handler: getbit,
  },
  {
    ...onKey,
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    since: '2.6.0',
    summary: 'Count set bits in a string',
    syntax: 'key [start end [BYTE | BIT]]',
    handler: bitcount,
  },
  {
    ...onKey,
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    since: '2.8.7',
    summary: 'Find first bit set or clear in a string',
    syntax: 'key bit [start [end [BYTE | BIT]]]',
    handler: bitpos,
  },
];
