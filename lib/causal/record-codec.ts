/**
 * The stored and sent form of a record. Canonical: equal records are equal bytes, and every other
 * way to write the same record is refused, so bytes may be compared and hashed in place of records.
 *
 *   u8      format version, 1
 *   varint  actors n, varint siblings m
 *   n times actor (6 bytes) | stamp (7 bytes)                      the version vector
 *   m times varint place of its actor in the vector | stamp (7) | u8 kind and flags
 *           | order (7) if it is not the stamp | expireAtMs (7) if not 0
 *           | varint length | bytes
 *
 * Integers are big-endian, varints LEB128 in their shortest form. The common record (one actor, one
 * sibling that never expires) costs 25 bytes beside its value. A plain GET needs only the winner:
 * `peekWinner` finds it without building anything.
 */
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import {
  readStamp,
  readU48,
  stampBytes,
  varintBytes,
  writeStamp,
  writeU48,
  writeVarint,
} from '../base/bytes.ts';
import {
  type Dot,
  faultOf,
  type Record,
  type Sibling,
  type SiblingKind,
  siblingKind,
  type VersionVector,
} from './record.ts';

const recordFormat = 1;
const actorBytes = 6;
export const dotBytes = actorBytes + stampBytes;
/** An empty sibling: place, stamp, kind and flags, length. */
const siblingBytesMin = 1 + stampBytes + 1 + 1;

/** Flags beside the kind, which has the six bits below. */
const kindMask = 63;
const hasOrder = 64;
const hasExpiry = 128;

/** Exactly what `writeRecord` will write. */
export function recordBytes({ vv, siblings }: Record): number {
  let total = 1 + varintBytes(vv.length) + varintBytes(siblings.length) + vv.length * dotBytes;
  for (const sibling of siblings) {
    const length = sibling.bytes.length;
    total += varintBytes(placeOf(vv, sibling.dot)) + stampBytes + 1 + varintBytes(length) + length;
    if (sibling.order !== sibling.dot.stamp) total += stampBytes;
    if (sibling.expireAtMs !== 0) total += stampBytes;
  }
  return total;
}

/** Returns the offset behind the record. The values are copied. */
export function writeRecord(target: Buffer, offset: number, { vv, siblings }: Record): number {
  target[offset] = recordFormat;
  let at = writeVarint(target, vv.length, offset + 1);
  at = writeVarint(target, siblings.length, at);
  at = writeDots(target, vv, at);
  for (const sibling of siblings) at = writeSibling(target, at, vv, sibling);
  return at;
}

export function writeDots(target: Buffer, vv: VersionVector, offset: number): number {
  let at = offset;
  for (const { actor, stamp } of vv) {
    at = writeStamp(target, stamp, writeU48(target, actor, at));
  }
  return at;
}

/** Any bits: the caller checks what it has read (`faultOf`). */
export function readDot(source: Buffer, offset: number): Dot {
  return {
    actor: readU48(source, offset),
    stamp: readStamp(source, offset + actorBytes),
  };
}

/**
 * Reads the record that fills `source` from `start` to `end`. Its values are views of `source`.
 * Throws a CodecError; never allocates by a length that the bytes only announce.
 */
export function decodeRecord(source: Buffer, start: number, end: number): Record {
  const reader = new ByteReader('a record', source, start, end);
  checkFormat(reader.byte());
  const actors = reader.varint();
  const count = reader.varint();
  reader.need(actors * dotBytes + count * siblingBytesMin);
  const vv: Dot[] = [];
  for (let index = 0; index < actors; index += 1) vv.push(dotFrom(reader));
  const siblings: Sibling[] = [];
  for (let index = 0; index < count; index += 1) siblings.push(readSibling(reader, vv));
  reader.finish();
  const record = { vv, siblings };
  const fault = faultOf(record);
  if (fault !== undefined) throw new CodecError(fault);
  return record;
}

/** Only what the record has seen. For bytes that this node wrote and whose checksum holds. */
export function decodeVersionVector(source: Buffer, start: number): VersionVector {
  const reader = new ByteReader('a record', source, start, source.length);
  checkFormat(reader.byte());
  const actors = reader.varint();
  reader.varint();
  // The usual record has one actor, and an array that grows begins with room for many.
  if (actors === 1) return [dotFrom(reader)];
  const vv: Dot[] = [];
  for (let index = 0; index < actors; index += 1) vv.push(dotFrom(reader));
  return vv;
}

/** Filled by `peekWinner`, again and again. With no siblings only `siblings` has a meaning. */
export interface WinnerView {
  siblings: number;
  dotActor: number;
  dotStamp: number;
  order: number;
  kind: number;
  expireAtMs: number;
  /** The value is source[valueStart .. valueEnd). */
  valueStart: number;
  valueEnd: number;
}

export function newWinnerView(): WinnerView {
  return {
    siblings: 0,
    dotActor: 0,
    dotStamp: 0,
    order: 0,
    kind: 0,
    expireAtMs: 0,
    valueStart: 0,
    valueEnd: 0,
  };
}

/**
 * Finds the sibling with the highest (order, stamp, actor), as `winner` does. For bytes that this
 * node wrote and whose checksum holds: apart from the format nothing is checked.
 */
export function peekWinner(source: Buffer, start: number, into: WinnerView): WinnerView {
  checkFormat(source.readUInt8(start));
  const actors = varintAt(source, start + 1);
  const countAt = start + 1 + varintBytes(actors);
  into.siblings = varintAt(source, countAt);
  const vvAt = countAt + varintBytes(into.siblings);
  let at = vvAt + actors * dotBytes;
  for (let index = 0; index < into.siblings; index += 1) {
    const place = varintAt(source, at);
    at += varintBytes(place);
    const actor = source.readUIntBE(vvAt + place * dotBytes, actorBytes);
    const stamp = readStamp(source, at);
    const flags = source.readUInt8(at + stampBytes);
    at += stampBytes + 1;
    const order = (flags & hasOrder) === 0 ? stamp : readStamp(source, at);
    if ((flags & hasOrder) !== 0) at += stampBytes;
    const expireAtMs = (flags & hasExpiry) === 0 ? 0 : readStamp(source, at);
    if ((flags & hasExpiry) !== 0) at += stampBytes;
    const length = varintAt(source, at);
    at += varintBytes(length);
    if (index === 0 || wins(order, stamp, actor, into)) {
      into.dotActor = actor;
      into.dotStamp = stamp;
      into.order = order;
      into.kind = flags & kindMask;
      into.expireAtMs = expireAtMs;
      into.valueStart = at;
      into.valueEnd = at + length;
    }
    at += length;
  }
  return into;
}

/**
 * A hash over what the record has seen and which siblings it has, not over their values: equal for
 * equal states, since a dot names one value. `hash` is keyed by its maker and owns what it answers;
 * the bytes are its own too.
 */
export function digest<T>({ vv, siblings }: Record, hash: (bytes: Buffer) => T): T {
  let total = varintBytes(vv.length) + vv.length * dotBytes;
  for (const { dot } of siblings) total += varintBytes(placeOf(vv, dot)) + stampBytes;
  const bytes = Buffer.allocUnsafe(total);
  let at = writeDots(bytes, vv, writeVarint(bytes, vv.length, 0));
  for (const { dot } of siblings) {
    at = writeStamp(bytes, dot.stamp, writeVarint(bytes, placeOf(vv, dot), at));
  }
  return hash(bytes);
}

function wins(order: number, stamp: number, actor: number, best: WinnerView): boolean {
  if (order !== best.order) return order > best.order;
  if (stamp !== best.dotStamp) return stamp > best.dotStamp;
  return actor > best.dotActor;
}

function placeOf(vv: VersionVector, dot: Dot): number {
  let place = 0;
  for (const { actor } of vv) {
    if (actor >= dot.actor) break;
    place += 1;
  }
  return place;
}

function writeSibling(target: Buffer, offset: number, vv: VersionVector, sibling: Sibling): number {
  const { dot, order, kind, expireAtMs, bytes } = sibling;
  const ordered = order === dot.stamp ? 0 : hasOrder;
  const expiring = expireAtMs === 0 ? 0 : hasExpiry;
  let at = writeStamp(target, dot.stamp, writeVarint(target, placeOf(vv, dot), offset));
  at = target.writeUInt8(kind | ordered | expiring, at);
  if (ordered !== 0) at = writeStamp(target, order, at);
  if (expiring !== 0) at = writeStamp(target, expireAtMs, at);
  at = writeVarint(target, bytes.length, at);
  target.set(bytes, at);
  return at + bytes.length;
}

function dotFrom(reader: ByteReader): Dot {
  return { actor: reader.u48(), stamp: reader.stamp() };
}

function readSibling(reader: ByteReader, vv: VersionVector): Sibling {
  const entry = vv[reader.varint()];
  if (entry === undefined) throw new CodecError('a sibling has an actor that its record lacks');
  const stamp = reader.stamp();
  const flags = reader.byte();
  const kind = kindOf(flags & kindMask);
  const order = (flags & hasOrder) === 0 ? stamp : reader.stamp();
  if ((flags & hasOrder) !== 0 && order === stamp) throw reader.notCanonical();
  const expireAtMs = (flags & hasExpiry) === 0 ? 0 : reader.stamp();
  if ((flags & hasExpiry) !== 0 && expireAtMs === 0) throw reader.notCanonical();
  const bytes = reader.bytes(reader.varint());
  // The newest write of an actor shares its dot with the vector: one object less to keep.
  const dot = stamp === entry.stamp ? entry : { actor: entry.actor, stamp };
  return { dot, order, kind, expireAtMs, bytes };
}

function kindOf(code: number): SiblingKind {
  for (const kind of Object.values(siblingKind)) if (kind === code) return kind;
  throw new CodecError(`sibling kind ${code} is not known to this version`);
}

function checkFormat(format: number): void {
  if (format === recordFormat) return;
  throw new CodecError(`record format ${format} is not known to this version`);
}

/** Of bytes that are canonical: a varint takes what `varintBytes` says. */
function varintAt(source: Buffer, offset: number): number {
  let value = source.readUInt8(offset);
  if (value < 128) return value;
  let scale = 1;
  let at = offset;
  let byte = value;
  value &= 127;
  while (byte >= 128) {
    at += 1;
    scale *= 128;
    byte = source.readUInt8(at);
    value += (byte & 127) * scale;
  }
  return value;
}
