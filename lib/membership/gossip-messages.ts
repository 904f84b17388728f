/**
 * What members tell each other of members. A probe, its answer and every telling of rumours are
 * `news`; where digests stay different one sends its `buckets`, and both send the `entries` of the
 * ones that differ.
 *
 *   news     u8 1 | u8 1 | digest of all (8) | fingerprint of the layouts (8) | rumours
 *   buckets  u8 1 | u8 2 | 64 digests (8)
 *   entries  u8 1 | u8 3 | varint n | n times u8 differing bucket | rumours
 *   rumours  varint n | n times (varint length | entry | u8 n | n times accuser (20))
 *
 * Accusers are those who found a suspect silent themselves, for however many repeat it.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { PeerId } from '../transport/transport.ts';
import { decodeEntry, type Entry, encodeEntry, idBytes } from './member-entry.ts';
import { bucketsCount, digestBytes } from './member-table.ts';
import { accusersMax } from './suspicion-core.ts';

export interface Rumour {
  readonly entry: Entry;
  /** Of a suspect; at most three. */
  readonly accusers: readonly PeerId[];
}

/** Digests and fingerprint are views of the bytes. */
export type Message =
  | {
      readonly kind: 'news';
      readonly digest: Buffer;
      readonly fingerprint: Buffer;
      readonly rumours: readonly Rumour[];
    }
  | { readonly kind: 'buckets'; readonly digests: Buffer }
  | {
      readonly kind: 'entries';
      readonly buckets: readonly number[];
      readonly rumours: readonly Rumour[];
    };

export const fingerprintBytes = 8;

const format = 1;
const kinds = { news: 1, buckets: 2, entries: 3 } as const;
const noun = 'a message of members';

export function encodeRumour({ entry, accusers }: Rumour): Buffer {
  const bytes = encodeEntry(entry);
  const writer = new ByteWriter(bytes.length + 2 + accusers.length * idBytes)
    .text(bytes)
    .byte(accusers.length);
  for (const accuser of accusers) writer.bytes(Buffer.from(accuser, 'hex'));
  return writer.done();
}

/** `rumours`: encoded ones. */
export function encodeNews(
  digest: Buffer,
  fingerprint: Buffer,
  rumours: readonly Buffer[],
): Buffer {
  const writer = new ByteWriter(4 + digestBytes + fingerprintBytes + lengthOf(rumours))
    .byte(format)
    .byte(kinds.news)
    .bytes(digest)
    .bytes(fingerprint);
  return writeRumours(writer, rumours).done();
}

export function encodeBuckets(digests: Buffer): Buffer {
  return new ByteWriter(2 + digests.length).byte(format).byte(kinds.buckets).bytes(digests).done();
}

export function encodeEntries(buckets: readonly number[], rumours: readonly Buffer[]): Buffer {
  const writer = new ByteWriter(5 + buckets.length + lengthOf(rumours))
    .byte(format)
    .byte(kinds.entries)
    .varint(buckets.length);
  for (const bucket of buckets) writer.byte(bucket);
  return writeRumours(writer, rumours).done();
}

/** Throws a CodecError. */
export function decodeMessage(bytes: Buffer): Message {
  const reader = new ByteReader(noun, bytes, 0, bytes.length);
  const found = reader.byte();
  if (found !== format) throw reader.error(`of format ${found} is not known`);
  switch (reader.byte()) {
    case kinds.news: {
      const [digest, fingerprint] = [reader.bytes(digestBytes), reader.bytes(fingerprintBytes)];
      return { kind: 'news', digest, fingerprint, rumours: readRumours(reader) };
    }
    case kinds.buckets: {
      const digests = reader.bytes(bucketsCount * digestBytes);
      reader.finish();
      return { kind: 'buckets', digests };
    }
    case kinds.entries: {
      const buckets = Array.from(reader.bytes(reader.varint()));
      if (buckets.some((bucket) => bucket >= bucketsCount))
        throw reader.error('has no such bucket');
      return { kind: 'entries', buckets, rumours: readRumours(reader) };
    }
    default:
      throw reader.error('is of a kind that this version does not know');
  }
}

function writeRumours(writer: ByteWriter, rumours: readonly Buffer[]): ByteWriter {
  writer.varint(rumours.length);
  for (const rumour of rumours) writer.bytes(rumour);
  return writer;
}

function readRumours(reader: ByteReader): readonly Rumour[] {
  const rumours: Rumour[] = [];
  const total = reader.varint();
  for (let index = 0; index < total; index += 1) {
    const entry = decodeEntry(reader.bytes(reader.varint()));
    const count = reader.byte();
    if (count > accusersMax) throw reader.error('has too many accusers');
    const accusers = Array.from({ length: count }, () => reader.bytes(idBytes).toString('hex'));
    rumours.push({ entry, accusers });
  }
  reader.finish();
  return rumours;
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
