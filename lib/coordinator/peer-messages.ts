/**
 * The bodies of what coordinators send each other (`peer-kinds.ts`). Every message about a key
 * begins with the version of the layout that its sender goes by, so that nobody acts on one that is
 * gone (RELIABILITY 1.9, W2 and R2); with the flush stamp that its sender knows for the database,
 * so that whoever missed a flush hears of it before it handles the message (DESIGN 2.3); and with
 * the storage key, which says where the record lies without computing it again.
 *
 *   head       varint layout | flush stamp (7) | varint length | storage key
 *   replicate  head | u8 flags | record              -> u8 0, or 1 and the merged record
 *   hint       head | target node id (20) | record   -> nothing
 *   read       head | u8 mode | version              -> u8 status | version, size or record
 *   forward    head | u8 op | varint timeoutMs | varint w | varint r | op's own part -> its result
 *
 * Records are in their stored form (causal/record-codec.ts), versions what `versionOf` makes.
 */
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { own } from '../base/bytes.ts';
import type { Record, Stamp, VersionVector } from '../causal/record.ts';
import {
  decodeRecord,
  digest,
  dotBytes,
  recordBytes,
  writeRecord,
} from '../causal/record-codec.ts';
import { isDot, makeVersionVector } from '../causal/version-vector.ts';
import { type Place, placeOfStorageKey } from '../replica/place.ts';
import type { Update, Visible } from '../updates/update.ts';
import { decodeUpdate, updateBytes, writeUpdate } from '../updates/update-codec.ts';
import type { PutRequest, UpdateResult } from './coordinator.ts';

export const nodeIdBytes = 20;
const headBytesMax = 64;

/** Part of the wire format: append only. */
export const replicateFlags = {
  /** Answer when it is on the disk. */
  synced: 1,
  /** Answer the merged record if its winner is none that this one has seen. */
  examine: 2,
} as const;

/**
 * record: send what you hold, unless it is large. version: only which. compare: only if it is not
 * this version. whole: send it however large.
 */
export const readModes = { record: 0, version: 1, compare: 2, whole: 3 } as const;
export type ReadMode = keyof typeof readModes;

export interface Head {
  readonly place: Place;
  /** Of writes the newest that the sender writes to, of reads the one that it reads from. */
  readonly layout: number;
  readonly flushStamp: Stamp;
}

function begin({ place, layout, flushStamp }: Head, restBytes: number): ByteWriter {
  const { storageKey } = place;
  return new ByteWriter(headBytesMax + storageKey.length + restBytes)
    .varint(layout)
    .stamp(flushStamp)
    .text(storageKey);
}

/** The place owns its bytes. */
function readHead(reader: ByteReader): Head {
  const layout = reader.varint();
  const flushStamp = reader.stamp();
  return { layout, flushStamp, place: placeOfStorageKey(own(reader.bytes(reader.varint()))) };
}

function open(noun: string, body: Buffer): ByteReader {
  return new ByteReader(noun, body, 0, body.length);
}

function addRecord(writer: ByteWriter, record: Record): ByteWriter {
  return writer.fill(recordBytes(record), (target, at) => writeRecord(target, at, record));
}

function restAsRecord(reader: ByteReader): Record {
  const bytes = reader.rest();
  return decodeRecord(bytes, 0, bytes.length);
}

export function encodeReplicate(head: Head, flags: number, record: Record): Buffer {
  const writer = begin(head, recordBytes(record));
  return addRecord(writer.byte(flags), record).done();
}

/** The record's values are views of `body`. */
export function decodeReplicate(
  body: Buffer,
): Head & { readonly flags: number; readonly record: Record } {
  const reader = open('a replicate request', body);
  const head = readHead(reader);
  return { ...head, flags: reader.byte(), record: restAsRecord(reader) };
}

export function encodeHeld(record: Record | undefined): Buffer {
  if (record === undefined) return held;
  return addRecord(new ByteWriter(1 + recordBytes(record)).byte(1), record).done();
}

const held: Buffer = Buffer.of(0);

/** The values of the record are views of `body`. */
export function decodeHeld(body: Buffer): Record | undefined {
  const reader = open('an answer to replicate', body);
  return reader.byte() === 0 ? undefined : restAsRecord(reader);
}

export function encodeHint(head: Head, target: Buffer, record: Record): Buffer {
  const writer = begin(head, nodeIdBytes + recordBytes(record));
  return addRecord(writer.bytes(target), record).done();
}

export function decodeHint(
  body: Buffer,
): Head & { readonly target: Buffer; readonly record: Record } {
  const reader = open('a hint', body);
  const head = readHead(reader);
  return { ...head, target: own(reader.bytes(nodeIdBytes)), record: restAsRecord(reader) };
}

export function encodeRead(head: Head, mode: ReadMode, version: Buffer): Buffer {
  return begin(head, version.length).byte(readModes[mode]).bytes(version).done();
}

export function decodeRead(
  body: Buffer,
): Head & { readonly mode: ReadMode; readonly version: Buffer } {
  const reader = open('a read request', body);
  const head = readHead(reader);
  const code = reader.byte();
  for (const mode of ['record', 'version', 'compare', 'whole'] as const) {
    if (readModes[mode] === code) return { ...head, mode, version: reader.rest() };
  }
  throw reader.error(`has the unknown mode ${code}`);
}

/**
 * `nothing`: a node that is no owner and holds no hint of the key. `large`: what it would have sent
 * takes its time, so it is asked for again with a deadline that fits.
 */
export type ReadAnswer =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'same' }
  | { readonly kind: 'version'; readonly version: Buffer }
  | { readonly kind: 'large'; readonly version: Buffer; readonly recordBytes: number }
  | { readonly kind: 'record'; readonly record: Record };

const nothing: Buffer = Buffer.of(0);
const same: Buffer = Buffer.of(1);

export function encodeReadAnswer(answer: ReadAnswer): Buffer {
  switch (answer.kind) {
    case 'nothing':
      return nothing;
    case 'same':
      return same;
    case 'version':
      return new ByteWriter(1 + answer.version.length).byte(2).bytes(answer.version).done();
    case 'record':
      return addRecord(
        new ByteWriter(1 + recordBytes(answer.record)).byte(3),
        answer.record,
      ).done();
    case 'large':
      return new ByteWriter(16 + answer.version.length)
        .byte(4)
        .varint(answer.recordBytes)
        .bytes(answer.version)
        .done();
  }
}

/** What it holds is the caller's. */
export function decodeReadAnswer(body: Buffer): ReadAnswer {
  const reader = open('an answer to read', own(body));
  const code = reader.byte();
  if (code === 0) return { kind: 'nothing' };
  if (code === 1) return { kind: 'same' };
  if (code === 2) return { kind: 'version', version: reader.rest() };
  if (code === 3) return { kind: 'record', record: restAsRecord(reader) };
  if (code === 4) {
    return { kind: 'large', recordBytes: reader.varint(), version: reader.rest() };
  }
  throw reader.error(`has the unknown status ${code}`);
}

/** Longer ones are hashed. */
const plainVersionBytesMax = 64;

/** Equal for equal states of a record, different for different ones. */
export function versionOf(record: Record, hash: (bytes: Buffer) => Buffer): Buffer {
  return digest(record, (bytes) => (bytes.length <= plainVersionBytesMax ? bytes : hash(bytes)));
}

export type Forwarded =
  | {
      readonly op: 'update';
      readonly update: Update;
      readonly context: VersionVector | undefined;
    }
  | { readonly op: 'put'; readonly request: PutRequest };

export interface ForwardOptions {
  readonly timeoutMs: number;
  readonly w: number;
  readonly r: number;
}

const ops = { update: 0, updateWithContext: 1, put: 2, remove: 3 } as const;

/** The same message by another layout. */
export function restamped(body: Buffer, layout: number): Buffer {
  const reader = open('a message about a key', body);
  reader.varint();
  const rest = reader.rest();
  return new ByteWriter(headBytesMax + rest.length).varint(layout).bytes(rest).done();
}

export function encodeForward(head: Head, options: ForwardOptions, what: Forwarded): Buffer {
  const { timeoutMs, w, r } = options;
  const bytes = what.op === 'update' ? updateBytes(what.update) : what.request.value?.length;
  const writer = begin(head, 128 + (bytes ?? 0));
  writer.byte(opOf(what)).varint(Math.ceil(timeoutMs)).varint(w).varint(r);
  if (what.op === 'update') {
    if (what.context !== undefined) addVersionVector(writer, what.context);
    writer.fill(updateBytes(what.update), (target, at) => writeUpdate(target, at, what.update));
    return writer.done();
  }
  const { context, value, expireAtMs } = what.request;
  addVersionVector(writer, context);
  if (value !== undefined) writer.stamp(expireAtMs).bytes(value);
  return writer.done();
}

function opOf(what: Forwarded): number {
  if (what.op === 'put') return what.request.value === undefined ? ops.remove : ops.put;
  return what.context === undefined ? ops.update : ops.updateWithContext;
}

/** Values are views of `body`. */
export function decodeForward(
  body: Buffer,
): Head & { readonly options: ForwardOptions; readonly what: Forwarded } {
  const reader = open('a forwarded write', body);
  const head = readHead(reader);
  const op = reader.byte();
  const options = { timeoutMs: reader.varint(), w: reader.varint(), r: reader.varint() };
  switch (op) {
    case ops.update:
    case ops.updateWithContext: {
      const context = op === ops.update ? undefined : readVersionVector(reader);
      const rest = reader.rest();
      const update = decodeUpdate(rest, 0, rest.length);
      return { ...head, options, what: { op: 'update', update, context } };
    }
    case ops.put: {
      const context = readVersionVector(reader);
      const expireAtMs = reader.stamp();
      const request = { context, expireAtMs, value: reader.rest(), w: options.w };
      return { ...head, options, what: { op: 'put', request } };
    }
    case ops.remove: {
      const context = readVersionVector(reader);
      const request = { context, expireAtMs: 0, value: undefined, w: options.w };
      return { ...head, options, what: { op: 'put', request } };
    }
    default:
      throw reader.error(`has the unknown operation ${op}`);
  }
}

/** `after` is left out: undefined for a plain SET, whose sender knows what it wrote. */
export function encodeUpdateResult(result: UpdateResult): Buffer {
  const { applied, before, after, vv } = result;
  const flags = (applied ? 1 : 0) | (before === undefined ? 0 : 2) | (after === undefined ? 0 : 4);
  const valueBytes = (before?.bytes.length ?? 0) + (after?.bytes.length ?? 0);
  const writer = new ByteWriter(64 + valueBytes + vv.length * dotBytes).byte(flags);
  addVersionVector(writer, vv);
  for (const shown of [before, after]) {
    if (shown !== undefined) writer.stamp(shown.expireAtMs).text(shown.bytes);
  }
  return writer.done();
}

/** What it holds is the caller's. */
export function decodeUpdateResult(body: Buffer): UpdateResult {
  const reader = open('the result of an update', own(body));
  const flags = reader.byte();
  const vv = readVersionVector(reader);
  const before = (flags & 2) === 0 ? undefined : readVisible(reader);
  const after = (flags & 4) === 0 ? undefined : readVisible(reader);
  return { applied: (flags & 1) !== 0, before, after, vv };
}

function readVisible(reader: ByteReader): Visible {
  const expireAtMs = reader.stamp();
  return { expireAtMs, bytes: reader.bytes(reader.varint()) };
}

export function encodeVersionVector(vv: VersionVector): Buffer {
  return addVersionVector(new ByteWriter(4 + vv.length * dotBytes), vv).done();
}

export function decodeVersionVector(body: Buffer): VersionVector {
  return readVersionVector(open('a version vector', body));
}

function addVersionVector(writer: ByteWriter, vv: VersionVector): ByteWriter {
  writer.varint(vv.length);
  for (const { actor, stamp } of vv) writer.u48(actor).stamp(stamp);
  return writer;
}

function readVersionVector(reader: ByteReader): VersionVector {
  const count = reader.varint();
  reader.need(count * dotBytes);
  const entries = Array.from({ length: count }, () => ({
    actor: reader.u48(),
    stamp: reader.stamp(),
  }));
  if (!entries.every(isDot)) throw new CodecError('a version vector has a bad dot');
  return makeVersionVector(entries);
}
