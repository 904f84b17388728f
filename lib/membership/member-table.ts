/**
 * All that a node knows of the members, itself included, with digests by which two nodes see that
 * they know the same, or in which of 64 buckets they differ, without telling it all.
 *
 *   digest of a bucket = XOR over its entries of hash64(encoded entry)
 *   digest of all      = XOR of the buckets
 *
 * A change costs two hashes, whatever the number of members. Entries that have `left` are kept for
 * a time, so that older news cannot bring the member back, and are in no digest: nodes forget them
 * at different times, and would tell each other of them for ever.
 */
import { halfSipHash } from '../base/keyed-hash.ts';
import type { PeerId } from '../transport/transport.ts';
import { type Entry, type EntryState, encodeEntry } from './member-entry.ts';

export const bucketsCount = 64;
export const digestBytes = 8;

/** Any constants would do: members trust each other, and only chance makes two entries collide. */
const highKeys = [0x243f6a88, 0x85a308d3] as const;
const lowKeys = [0x13198a2e, 0x03707344] as const;

interface Known {
  readonly entry: Entry;
  /** Both halves of its hash; 0 where it is in no digest. */
  readonly high: number;
  readonly low: number;
}

export class MemberTable {
  readonly #buckets: readonly Map<PeerId, Known>[];
  readonly #digests = Buffer.alloc(bucketsCount * digestBytes);
  readonly #digest = Buffer.alloc(digestBytes);
  readonly #ids: PeerId[] = [];
  readonly #counts: Record<EntryState, number> = { alive: 0, suspect: 0, down: 0, left: 0 };
  /** In the order in which it was learnt. */
  readonly #leftAtMs = new Map<PeerId, number>();

  constructor() {
    this.#buckets = Array.from({ length: bucketsCount }, () => new Map());
  }

  get(id: PeerId): Entry | undefined {
    return this.#bucketOf(id).get(id)?.entry;
  }

  /** In any order; it changes when one is forgotten. */
  get ids(): readonly PeerId[] {
    return this.#ids;
  }

  /** Those that are taken for being there. */
  get presentCount(): number {
    return this.#counts.alive + this.#counts.suspect;
  }

  /** Known, and taken for being there. */
  isPresent(id: PeerId): boolean {
    const state = this.get(id)?.state;
    return state === 'alive' || state === 'suspect';
  }

  *entries(): Iterable<Entry> {
    for (const bucket of this.#buckets) for (const { entry } of bucket.values()) yield entry;
  }

  *inBucket(index: number): Iterable<Entry> {
    for (const { entry } of this.#buckets[index]?.values() ?? []) yield entry;
  }

  /** Of all entries, 8 bytes: a view that follows every change. */
  get digest(): Buffer {
    return this.#digest;
  }

  /** Of each bucket, 8 bytes each: a view that follows every change. */
  get digests(): Buffer {
    return this.#digests;
  }

  /** The buckets for which another table has other digests. */
  differing(digests: Buffer): readonly number[] {
    const indexes: number[] = [];
    for (let at = 0; at < this.#digests.length; at += digestBytes) {
      const end = at + digestBytes;
      if (this.#digests.compare(digests, at, end, at, end) !== 0) indexes.push(at / digestBytes);
    }
    return indexes;
  }

  /** In place of what was known of this id. `nowMs`: monotonic. */
  put(entry: Entry, nowMs: number): void {
    const { id, state } = entry;
    const bucket = this.#bucketOf(id);
    const before = bucket.get(id);
    if (before === undefined) this.#ids.push(id);
    else this.#takeOut(before);
    const known = knownOf(entry);
    bucket.set(id, known);
    this.#counts[state] += 1;
    this.#stir(known);
    if (state !== 'left') this.#leftAtMs.delete(id);
    else if (before?.entry.state !== 'left') this.#leftAtMs.set(id, nowMs);
  }

  /** Those whose leaving was learnt before this moment. */
  forgetLeft(beforeMs: number): void {
    for (const [id, leftAtMs] of this.#leftAtMs) {
      if (leftAtMs >= beforeMs) return;
      const bucket = this.#bucketOf(id);
      const known = bucket.get(id);
      if (known !== undefined) this.#takeOut(known);
      bucket.delete(id);
      this.#leftAtMs.delete(id);
      this.#ids.splice(this.#ids.indexOf(id), 1);
    }
  }

  #takeOut(known: Known): void {
    this.#counts[known.entry.state] -= 1;
    this.#stir(known);
  }

  /** Into the digests, or out of them. */
  #stir({ entry, high, low }: Known): void {
    mix(this.#digest, 0, high, low);
    mix(this.#digests, bucketIndexOf(entry.id) * digestBytes, high, low);
  }

  #bucketOf(id: PeerId): Map<PeerId, Known> {
    return this.#buckets[bucketIndexOf(id)] as Map<PeerId, Known>;
  }
}

export function bucketIndexOf(id: PeerId): number {
  return Number.parseInt(id.slice(0, 2), 16) % bucketsCount;
}

function knownOf(entry: Entry): Known {
  if (entry.state === 'left') return { entry, high: 0, low: 0 };
  const bytes = encodeEntry(entry);
  return { entry, high: halfSipHash(...highKeys, bytes), low: halfSipHash(...lowKeys, bytes) };
}

function mix(target: Buffer, at: number, high: number, low: number): void {
  target.writeInt32BE(target.readInt32BE(at) ^ high, at);
  target.writeInt32BE(target.readInt32BE(at + 4) ^ low, at + 4);
}
