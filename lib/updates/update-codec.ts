/**
 * The sent form of an update, for the owner that runs it. Canonical: equal updates are equal bytes,
 * and every other way to write the same update is refused. The frame around it says where it ends,
 * so the last field has no length of its own.
 *
 *   u8 kind, then by kind
 *   set              u8 flags | expireAtMs (7) if it has one | bytes
 *   append           bytes
 *   set-range        offset (7) | bytes
 *   set-bit          offset (7) | u8 bit
 *   increment        by (8, signed)
 *   increment-float  its decimal text
 *   expire           expireAtMs (7) | u8 condition
 *   persist, delete  nothing
 *
 * Integers are big-endian. Codes and flags are append-only.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import { stampBytes, writeStamp } from '../base/bytes.ts';
import type { ExpireCondition, Update, UpdateKind } from './update.ts';

type UpdateOf = { readonly [U in Update as U['kind']]: U };

interface Form<U extends Update> {
  readonly code: number;
  /** Behind the code. */
  bytes(update: U): number;
  write(target: Buffer, offset: number, update: U): number;
  read(reader: ByteReader): U;
}

/** How a `set` expires (two bits), its condition (two bits), and whether it reads. */
const setFlags = { expiry: 3, expiresAt: 1, keepsExpiry: 2, nx: 4, xx: 8, readsOld: 16, all: 31 };
const conditionFlags = { nx: 1, xx: 2, gt: 4, lt: 8, all: 15 };

const forms: { readonly [K in UpdateKind]: Form<UpdateOf[K]> } = {
  set: {
    code: 1,
    bytes: ({ bytes, expireAtMs }) => 1 + (hasInstant(expireAtMs) ? stampBytes : 0) + bytes.length,
    write(target, offset, update) {
      let at = target.writeUInt8(flagsOf(update), offset);
      if (hasInstant(update.expireAtMs)) at = writeStamp(target, update.expireAtMs, at);
      return writeBytes(target, update.bytes, at);
    },
    read: readSet,
  },

  append: {
    code: 2,
    bytes: ({ bytes }) => bytes.length,
    write: (target, offset, { bytes }) => writeBytes(target, bytes, offset),
    read: (reader) => ({ kind: 'append', bytes: reader.rest() }),
  },

  'set-range': {
    code: 3,
    bytes: ({ bytes }) => stampBytes + bytes.length,
    write: (target, at, { offset, bytes }) =>
      writeBytes(target, bytes, writeStamp(target, offset, at)),
    read: (reader) => ({ kind: 'set-range', offset: reader.stamp(), bytes: reader.rest() }),
  },

  'set-bit': {
    code: 4,
    bytes: () => stampBytes + 1,
    write: (target, at, { offset, bit }) => target.writeUInt8(bit, writeStamp(target, offset, at)),
    read: (reader) => ({ kind: 'set-bit', offset: reader.stamp(), bit: readBit(reader) }),
  },

  increment: {
    code: 5,
    bytes: () => 8,
    write: (target, offset, { by }) => target.writeBigInt64BE(by, offset),
    read: (reader) => ({ kind: 'increment', by: reader.int64() }),
  },

  'increment-float': {
    code: 6,
    bytes: ({ by }) => by.length,
    write: (target, offset, { by }) => offset + target.write(by, offset, 'latin1'),
    read: (reader) => ({ kind: 'increment-float', by: reader.rest().toString('latin1') }),
  },

  expire: {
    code: 7,
    bytes: () => stampBytes + 1,
    write: (target, offset, { expireAtMs, condition }) =>
      target.writeUInt8(conditionBits(condition), writeStamp(target, expireAtMs, offset)),
    read: (reader) => ({
      kind: 'expire',
      expireAtMs: reader.stamp(),
      condition: readCondition(reader),
    }),
  },

  persist: emptyForm(8, { kind: 'persist' }),
  delete: emptyForm(9, { kind: 'delete' }),
};

const formOfCode: readonly (Form<Update> | undefined)[] = Object.values(forms).reduce<
  (Form<Update> | undefined)[]
>((byCode, form) => {
  byCode[form.code] = form as Form<Update>;
  return byCode;
}, []);

/** Exactly what `writeUpdate` will write. */
export function updateBytes(update: Update): number {
  return 1 + formOf(update).bytes(update);
}

/** Returns the offset behind the update. Its values are copied. */
export function writeUpdate(target: Buffer, offset: number, update: Update): number {
  const form = formOf(update);
  const end = form.write(target, target.writeUInt8(form.code, offset), update);
  assert(end <= target.length, 'there is room for the update');
  return end;
}

/**
 * Reads the update that fills `source` from `start` to `end`. Its values are views of `source`.
 * Throws a CodecError.
 */
export function decodeUpdate(source: Buffer, start: number, end: number): Update {
  const reader = new ByteReader('an update', source, start, end);
  const code = reader.byte();
  const form = formOfCode[code];
  if (form === undefined) throw new CodecError(`update kind ${code} is not known to this version`);
  const update = form.read(reader);
  reader.finish();
  return update;
}

/** The row of a kind takes the updates of that kind, which the types cannot say for a union. */
function formOf({ kind }: Update): Form<Update> {
  return forms[kind] as Form<Update>;
}

function emptyForm<U extends Update>(code: number, update: U): Form<U> {
  return { code, bytes: () => 0, write: (_target, offset) => offset, read: () => update };
}

function hasInstant(expireAtMs: number | 'keep'): expireAtMs is number {
  return expireAtMs !== 'keep' && expireAtMs !== 0;
}

function flagsOf({ expireAtMs, condition, readsOld }: UpdateOf['set']): number {
  let flags = 0;
  if (expireAtMs === 'keep') flags |= setFlags.keepsExpiry;
  else if (expireAtMs !== 0) flags |= setFlags.expiresAt;
  if (condition !== undefined) flags |= setFlags[condition];
  if (readsOld === true) flags |= setFlags.readsOld;
  return flags;
}

function readSet(reader: ByteReader): UpdateOf['set'] {
  const flags = reader.byte();
  const nx = (flags & setFlags.nx) !== 0;
  const xx = (flags & setFlags.xx) !== 0;
  const expiry = flags & setFlags.expiry;
  if (flags > setFlags.all || (nx && xx) || expiry === setFlags.expiry) throw reader.notCanonical();
  const instant = expiry === setFlags.expiresAt ? reader.stamp() : 0;
  if (expiry === setFlags.expiresAt && instant === 0) throw reader.notCanonical();
  return {
    kind: 'set',
    expireAtMs: expiry === setFlags.keepsExpiry ? 'keep' : instant,
    ...(nx && { condition: 'nx' }),
    ...(xx && { condition: 'xx' }),
    ...((flags & setFlags.readsOld) !== 0 && { readsOld: true }),
    bytes: reader.rest(),
  };
}

function conditionBits({ nx, xx, gt, lt }: ExpireCondition): number {
  return (
    (nx ? conditionFlags.nx : 0) |
    (xx ? conditionFlags.xx : 0) |
    (gt ? conditionFlags.gt : 0) |
    (lt ? conditionFlags.lt : 0)
  );
}

function readCondition(reader: ByteReader): ExpireCondition {
  const bits = reader.byte();
  if (bits > conditionFlags.all) throw reader.notCanonical();
  return {
    nx: (bits & conditionFlags.nx) !== 0,
    xx: (bits & conditionFlags.xx) !== 0,
    gt: (bits & conditionFlags.gt) !== 0,
    lt: (bits & conditionFlags.lt) !== 0,
  };
}

function readBit(reader: ByteReader): 0 | 1 {
  const bit = reader.byte();
  if (bit !== 0 && bit !== 1) throw reader.notCanonical();
  return bit;
}

function writeBytes(target: Buffer, bytes: Buffer, offset: number): number {
  target.set(bytes, offset);
  return offset + bytes.length;
}
