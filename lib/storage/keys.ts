/**
 * Where everything lies in the one ordered map. The first byte names a family, so that a family is
 * a range; what follows orders the rows inside it. All integers are big-endian.
 *
 *   b  batch number u48                                              one row per batch, sealed
 *   d  slot u16 | hash32 u32 | db u8 | varint key length | key | element    a record, sealed
 *   h  target node id (20 bytes) | data key behind its family        a record kept for another node
 *   m  name                                                          facts of this node, sealed
 *   e  atMs u48 | data key      agenda: the record has a sibling that expires then
 *   f  atMs u48 | data key      agenda: its last live sibling expired then
 *   g  atMs u48 | data key      agenda: it was deleted then
 *
 * The order of a data key serves everything (DESIGN 3.5): a point read, SCAN by (slot, hash32), a
 * leaf of the hash tree and a partition are all ranges. It can never change once released.
 */
import { assert } from '../base/assert.ts';
import { emptyBytes, u48Max, varintBytes, writeU32, writeVarint } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Range } from './storage.ts';

/** Part of the stored format: append only. */
export const families = {
  batch: 0x62,
  data: 0x64,
  expires: 0x65,
  expired: 0x66,
  deleted: 0x67,
  hint: 0x68,
  meta: 0x6d,
} as const;

export type Agenda = 'expires' | 'expired' | 'deleted';

/** Slot, hash32 and db of a data key have a fixed place, behind the family byte. */
const dbOffset = 7;
const keyLengthOffset = 8;
const numberedBytes = 7;

export interface DataKey {
  readonly slot: number;
  readonly hash32: number;
  readonly db: number;
  /** Views of the parsed bytes. */
  readonly key: Buffer;
  readonly element: Buffer;
}

/** Rows whose number and XOR every batch row carries. */
export function isCounted(key: Buffer): boolean {
  return key[0] === families.data || key[0] === families.hint;
}

export function dataKey(
  place: { readonly slot: number; readonly hash32: number; readonly db: number },
  key: Buffer,
  element: Buffer = emptyBytes,
): Buffer {
  const headBytes = keyLengthOffset + varintBytes(key.length);
  const target = Buffer.allocUnsafe(headBytes + key.length + element.length);
  target[0] = families.data;
  target[1] = place.slot >>> 8;
  target[2] = place.slot;
  writeU32(target, place.hash32, 3);
  target[dbOffset] = place.db;
  writeVarint(target, key.length, keyLengthOffset);
  target.set(key, headBytes);
  if (element.length > 0) target.set(element, headBytes + key.length);
  return target;
}

export function parseDataKey(bytes: Buffer): DataKey {
  if (bytes.length <= keyLengthOffset || bytes[0] !== families.data) throw notAKey(bytes);
  let keyLength = 0;
  let at = keyLengthOffset;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at];
    if (byte === undefined || scale > 2 ** 28) throw notAKey(bytes);
    keyLength += (byte & 127) * scale;
    at += 1;
    if (byte < 128) break;
  }
  if (at + keyLength > bytes.length) throw notAKey(bytes);
  return {
    slot: bytes.readUInt16BE(1),
    hash32: bytes.readUInt32BE(3),
    db: bytes.readUInt8(dbOffset),
    key: bytes.subarray(at, at + keyLength),
    element: bytes.subarray(at + keyLength),
  };
}

function notAKey(bytes: Buffer): StoreError {
  return new StoreError('corrupt', `malformed key ${bytes.toString('hex', 0, 32)}`);
}

/** A node id. */
const targetBytes = 20;
const targetEnd = 1 + targetBytes;

/** Where the record of a data key is kept for another node. */
export function hintKey(target: Buffer, of: Buffer): Buffer {
  assert(target.length === targetBytes, 'a node id has 20 bytes');
  assert(of[0] === families.data, 'a hint is about a data key');
  const bytes = Buffer.allocUnsafe(targetBytes + of.length);
  bytes[0] = families.hint;
  bytes.set(target, 1);
  bytes.set(of.subarray(1), targetEnd);
  return bytes;
}

export interface HintKey {
  /** A view of the parsed bytes. */
  readonly target: Buffer;
  readonly dataKey: Buffer;
}

export function parseHintKey(bytes: Buffer): HintKey {
  if (bytes.length <= targetEnd || bytes[0] !== families.hint) throw notAKey(bytes);
  const dataKey = Buffer.from(bytes.subarray(targetEnd - 1));
  dataKey[0] = families.data;
  return { target: bytes.subarray(1, targetEnd), dataKey };
}

/** The hints for one node; those behind the one about a data key. */
export function hintRange(target: Buffer, behind?: Buffer): Range {
  const first = Buffer.concat([Buffer.of(families.hint), target]);
  const from = behind === undefined ? first : Buffer.concat([hintKey(target, behind), zero]);
  return { from, to: hintsBehind(target) };
}

/** The hints for all nodes, or for those behind one. */
export function hintsFrom(target?: Buffer): Range {
  const all = familyRange('hint');
  return target === undefined ? all : { from: hintsBehind(target), to: all.to };
}

const zero = Buffer.alloc(1);

/** The first key behind all hints for a node. */
function hintsBehind(target: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.of(families.hint), target]);
  let at = bytes.length - 1;
  while (bytes[at] === 255) at -= 1;
  bytes[at] = (bytes[at] ?? 0) + 1;
  return bytes.subarray(0, at + 1);
}

/** Where in the order of all records a data key lies: slot * 2^32 + hash32. */
export function positionOf(bytes: Buffer): number {
  return bytes.readUInt16BE(1) * 2 ** 32 + bytes.readUInt32BE(3);
}

/** All records from one position (slot * 2^32 + hash32) up to, not including, another. */
export function dataRange(from = 0, to = Number.POSITIVE_INFINITY): Range {
  return { from: dataPosition(from), to: dataPosition(to) };
}

/** The records of slots `fromSlot` to `toSlot - 1`. */
export function slotRange(fromSlot: number, toSlot: number): Range {
  return dataRange(fromSlot * 2 ** 32, toSlot * 2 ** 32);
}

function dataPosition(position: number): Buffer {
  if (position >= 2 ** 48) return Buffer.of(families.data + 1);
  const bytes = Buffer.alloc(dbOffset);
  bytes[0] = families.data;
  bytes.writeUIntBE(position, 1, 6);
  return bytes;
}

export function familyRange(family: keyof typeof families): Range {
  return { from: Buffer.of(families[family]), to: Buffer.of(families[family] + 1) };
}

export function batchKey(number: number): Buffer {
  return numbered(families.batch, number, emptyBytes);
}

/** undefined: not the key of a batch row. */
export function parseBatchKey(bytes: Buffer): number | undefined {
  return bytes.length === numberedBytes ? bytes.readUIntBE(1, 6) : undefined;
}

export function metaKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(families.meta), Buffer.from(name)]);
}

/** An agenda row has this key and an empty value. */
export function agendaKey(agenda: Agenda, atMs: number, of: Buffer): Buffer {
  return numbered(families[agenda], atMs, of);
}

export function parseAgendaKey(bytes: Buffer): { readonly atMs: number; readonly dataKey: Buffer } {
  if (bytes.length <= numberedBytes) throw notAKey(bytes);
  return { atMs: bytes.readUIntBE(1, 6), dataKey: bytes.subarray(numberedBytes) };
}

/** What an agenda holds up to and including `untilMs`. */
export function agendaRange(agenda: Agenda, untilMs: number): Range {
  return {
    from: Buffer.of(families[agenda]),
    to: numbered(families[agenda], Math.min(untilMs + 1, u48Max), emptyBytes),
    keysOnly: true,
  };
}

function numbered(family: number, number: number, tail: Buffer): Buffer {
  assert(number >= 0 && number <= u48Max, 'a number in a key has 48 bits');
  const bytes = Buffer.allocUnsafe(numberedBytes + tail.length);
  bytes[0] = family;
  bytes.writeUIntBE(number, 1, 6);
  bytes.set(tail, numberedBytes);
  return bytes;
}
