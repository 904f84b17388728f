/**
 * Random dialogues over few keys, so that commands meet what others left behind. Only what two
 * servers can answer alike: no clocks nearer than minutes, no random choice, and nothing of what is
 * meant to differ (`meant-to-differ.ts`).
 */
import fc from 'fast-check';

const key = fc.constantFrom('a', 'b', 'c', '"\\x00\\xff"');
const integer = fc.oneof(
  fc.integer({ min: -3, max: 40 }).map(String),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '9223372036854775808', 'x', '1.5'),
);
const value = fc.oneof(
  integer,
  fc.constantFrom('""', 'hello', '3.25', '-0', '1e3', '"\\xff\\xf0\\x00"', '"a b"'),
  fc.string({ maxLength: 6 }).map((text) => `"${hex(text)}"`),
);
const bit = fc.constantFrom('0', '1', '2');
const index = fc.oneof(
  fc.integer({ min: -20, max: 40 }).map(String),
  fc.constantFrom('9223372036854775807', '-9223372036854775808'),
);
const farExpiry = fc.constantFrom('1000', '2000', '3000', '0', '-1', 'x', '9223372036854775807');
const setOption = fc.constantFrom(
  'NX',
  'XX',
  'GET',
  'KEEPTTL',
  'EX 1000',
  'PX 2000000',
  'EX 0',
  'ZZ',
);
const condition = fc.constantFrom('NX', 'XX', 'GT', 'LT', 'ZZ');
const database = fc.constantFrom('0', '1', '99');

type Part = string | fc.Arbitrary<string | readonly string[]>;

const commands: readonly (readonly Part[])[] = [
  ['SET', key, value],
  ['SET', key, value, fc.array(setOption, { minLength: 1, maxLength: 3 })],
  ['GET', key],
  ['GETSET', key, value],
  ['GETDEL', key],
  ['GETEX', key, fc.constantFrom('', 'PERSIST', 'EX 1000', 'ZZ')],
  ['SETNX', key, value],
  ['SETEX', key, farExpiry, value],
  ['MSET', key, value, key, value],
  ['MSETNX', key, value, key, value],
  ['MGET', fc.array(key, { maxLength: 4 })],
  ['APPEND', key, value],
  ['STRLEN', key],
  ['GETRANGE', key, integer, integer],
  ['SETRANGE', key, fc.constantFrom('0', '1', '5', '-1', 'x', '536870912'), value],
  ['INCR', key],
  ['DECR', key],
  ['INCRBY', key, integer],
  ['DECRBY', key, integer],
  ['INCRBYFLOAT', key, fc.constantFrom('1', '0.5', '-2.25', '1e3', '1e-5', 'x', '3.0e2')],
  ['SETBIT', key, fc.constantFrom('0', '1', '7', '9', '33', '-1', 'x'), bit],
  ['GETBIT', key, fc.constantFrom('0', '1', '7', '9', '33', '-1', 'x')],
  ['BITCOUNT', key],
  ['BITCOUNT', key, index, index, fc.constantFrom('', 'BYTE', 'bit')],
  ['BITPOS', key, bit, fc.array(index, { maxLength: 2 })],
  ['BITPOS', key, bit, index, index, fc.constantFrom('BYTE', 'bit')],
  ['LCS', key, key, fc.constantFrom('', 'LEN', 'IDX', 'IDX WITHMATCHLEN', 'IDX MINMATCHLEN 2')],
  ['DEL', fc.array(key, { maxLength: 3 })],
  ['UNLINK', key],
  ['EXISTS', fc.array(key, { maxLength: 3 })],
  ['TYPE', key],
  ['EXPIRE', key, farExpiry, fc.array(condition, { maxLength: 2 })],
  ['PEXPIREAT', key, fc.constantFrom('33177117420555', '33177117420556', '1'), condition],
  ['PEXPIREAT', key, fc.constantFrom('33177117420555', '33177117420556', '1')],
  // Not TTL: the two servers are asked at different milliseconds, and it rounds to seconds.
  ['PERSIST', key],
  ['RENAME', key, key],
  ['RENAMENX', key, key],
  ['COPY', key, key, fc.constantFrom('', 'REPLACE', 'DB 1', 'DB 1 REPLACE')],
  ['MOVE', key, database],
  ['SELECT', database],
  ['DBSIZE'],
  ['KEYS a'],
  ['SCAN 0 COUNT 100 MATCH b'],
  ['MULTI'],
  ['EXEC'],
  ['DISCARD'],
  ['WATCH', key],
  ['UNWATCH'],
  ['FOO', key.filter((name) => name.length === 1)],
];

/** Lines in the notation of `support/transcript.ts`. */
export const randomDialogue: fc.Arbitrary<string[]> = fc.array(
  fc.oneof(...commands.map((parts) => line(parts))),
  { minLength: 1, maxLength: 60, size: 'max' },
);

function line(parts: readonly Part[]): fc.Arbitrary<string> {
  return fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((words) => words.flat().filter(Boolean).join(' '));
}

function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
