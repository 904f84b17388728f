/**
 * Recently used rows, bounded in bytes, without an object per record: what separates a Node server
 * from Redis at p99 is garbage, not throughput.
 *
 * Rows lie one behind the other in slabs; an open-addressing table of integers finds them by the
 * keyed hash of their key. A row that is replaced by one of the same length is overwritten where it
 * lies, else appended, and the old place is dead until its slab comes round. When the budget is
 * used up the oldest slab is emptied: rows that were read since they were written are carried over
 * to the newest slab once (second chance), the others are forgotten.
 *
 *   entry = total length u32 | hash u32 | flags u8 | key length u32 | key | row
 *
 * An empty row says that the storage holds nothing under the key. Not cached at all: an entry
 * beyond a quarter of a slab. What `get` returns is a view that the next `put` may overwrite.
 */
import { assert } from '../base/assert.ts';

const headerBytes = 13;
const alignment = 8;
const flagTouched = 1;
const slabBytesMax = 1024 * 1024;
const slabBytesMin = 64 * 1024;
const firstIndexSize = 1024;

export class RecordCache {
  readonly #slabBytes: number;
  readonly #bytesMax: number;
  /** Slab by number; the ring of them in use is #oldest..#newest. */
  readonly #slabs: Buffer[] = [];
  /** Slab numbers, oldest first. */
  #order: number[] = [];
  #fill = 0;
  /**
   * Linear probing over pairs: position of an entry in units of `alignment`, plus 1 (0 = free), and
   * its hash beside it, so that a look costs one miss of the processor's cache.
   */
  #index = new Uint32Array(firstIndexSize * 2);
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#slabBytes = Math.min(slabBytesMax, Math.max(slabBytesMin, Math.floor(bytesMax / 16)));
  }

  /** Entries held, the empty ones included. */
  get count(): number {
    return this.#count;
  }

  /** Memory taken by slabs and index. */
  get bytes(): number {
    return this.#slabs.length * this.#slabBytes + this.#index.length * 4;
  }

  /** The row: a view, empty if the key is known to be absent, undefined if nothing is known. */
  get(hash: number, key: Buffer): Buffer | undefined {
    const index = this.#find(hash, key);
    if (index < 0) return undefined;
    const position = this.#position(index);
    const slab = this.#slabAt(position);
    const at = position % this.#slabBytes;
    if (slab[at + 8] !== flagTouched) slab[at + 8] = flagTouched;
    const start = at + headerBytes + key.length;
    return slab.subarray(start, at + slab.readUInt32LE(at));
  }

  put(hash: number, key: Buffer, row: Buffer): void {
    const length = headerBytes + key.length + row.length;
    const index = this.#find(hash, key);
    if (length > this.#slabBytes / 4) {
      if (index >= 0) this.#removeAt(index);
      return;
    }
    if (index >= 0) {
      const position = this.#position(index);
      const slab = this.#slabAt(position);
      const at = position % this.#slabBytes;
      if (slab.readUInt32LE(at) === length) {
        slab.set(row, at + headerBytes + key.length);
        return;
      }
      this.#removeAt(index);
    }
    const position = this.#reserve(length);
    const slab = this.#slabAt(position);
    const at = position % this.#slabBytes;
    slab.writeUInt32LE(length, at);
    slab.writeUInt32LE(hash, at + 4);
    slab[at + 8] = 0;
    slab.writeUInt32LE(key.length, at + 9);
    slab.set(key, at + headerBytes);
    slab.set(row, at + headerBytes + key.length);
    this.#insert(hash, position);
  }

  remove(hash: number, key: Buffer): void {
    const index = this.#find(hash, key);
    if (index >= 0) this.#removeAt(index);
  }

  clear(): void {
    this.#index.fill(0);
    this.#count = 0;
    this.#slabs.length = 0;
    this.#order = [];
    this.#fill = 0;
  }

  #position(index: number): number {
    return ((this.#index[index] ?? 0) - 1) * alignment;
  }

  #slabAt(position: number): Buffer {
    const slab = this.#slabs[Math.floor(position / this.#slabBytes)];
    assert(slab !== undefined, 'an entry lies in a slab');
    return slab;
  }

  /** Where in the index the pair of this key begins; -1 = nowhere. */
  #find(hash: number, key: Buffer): number {
    const mask = this.#index.length - 1;
    for (let at = (hash * 2) & mask; ; at = (at + 2) & mask) {
      if (this.#index[at] === 0) return -1;
      if (this.#index[at + 1] === hash && this.#holds(this.#position(at), key)) return at;
    }
  }

  #holds(position: number, key: Buffer): boolean {
    const slab = this.#slabAt(position);
    const at = position % this.#slabBytes;
    if (slab.readUInt32LE(at + 9) !== key.length) return false;
    const start = at + headerBytes;
    for (let offset = 0; offset < key.length; offset += 1) {
      if (slab[start + offset] !== key[offset]) return false;
    }
    return true;
  }

  #insert(hash: number, position: number): void {
    if ((this.#count + 1) * 4 > this.#index.length) this.#grow();
    this.#place(hash, position / alignment + 1);
    this.#count += 1;
  }

  #place(hash: number, place: number): void {
    const mask = this.#index.length - 1;
    let at = (hash * 2) & mask;
    while (this.#index[at] !== 0) at = (at + 2) & mask;
    this.#index[at] = place;
    this.#index[at + 1] = hash;
  }

  #grow(): void {
    const index = this.#index;
    this.#index = new Uint32Array(index.length * 2);
    for (let at = 0; at < index.length; at += 2) {
      const place = index[at] ?? 0;
      if (place !== 0) this.#place(index[at + 1] ?? 0, place);
    }
  }

  /** Linear probing without tombstones: what probed over the hole moves back into it. */
  #removeAt(at: number): void {
    const mask = this.#index.length - 1;
    let hole = at;
    for (let next = (hole + 2) & mask; this.#index[next] !== 0; next = (next + 2) & mask) {
      const home = ((this.#index[next + 1] ?? 0) * 2) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#index[hole] = this.#index[next] ?? 0;
        this.#index[hole + 1] = this.#index[next + 1] ?? 0;
        hole = next;
      }
    }
    this.#index[hole] = 0;
    this.#count -= 1;
  }

  /** Room for `length` bytes in the newest slab; the position stays good until the next call. */
  #reserve(length: number): number {
    const padded = Math.ceil(length / alignment) * alignment;
    if (this.#order.length === 0 || this.#fill + padded > this.#slabBytes) this.#turn();
    const newest = this.#order.at(-1) ?? 0;
    const position = newest * this.#slabBytes + this.#fill;
    this.#fill += padded;
    return position;
  }

  /** Begins a new slab: a fresh one while the budget lasts, else the oldest, emptied. */
  #turn(): void {
    const newest = this.#slabs[this.#order.at(-1) ?? -1];
    if (newest !== undefined && this.#fill + 4 <= this.#slabBytes) {
      newest.writeUInt32LE(0, this.#fill);
    }
    const mayGrow = this.bytes + this.#slabBytes <= this.#bytesMax || this.#slabs.length < 2;
    if (mayGrow) {
      this.#order.push(this.#slabs.length);
      this.#slabs.push(Buffer.allocUnsafeSlow(this.#slabBytes));
      this.#fill = 0;
      return;
    }
    const victim = this.#order.shift() ?? 0;
    this.#order.push(victim);
    const kept = this.#evict(victim);
    this.#fill = 0;
    for (const entry of kept) this.#carry(victim, entry);
  }

  /** Takes the slab's entries out of the index; returns copies of those worth a second chance. */
  #evict(victim: number): Buffer[] {
    const slab = this.#slabs[victim];
    assert(slab !== undefined, 'the victim exists');
    const kept: Buffer[] = [];
    let keptBytes = 0;
    const base = victim * this.#slabBytes;
    const mask = this.#index.length - 1;
    for (let at = 0; at + headerBytes <= this.#slabBytes; ) {
      const length = slab.readUInt32LE(at);
      if (length === 0) break;
      const place = (base + at) / alignment + 1;
      let index = (slab.readUInt32LE(at + 4) * 2) & mask;
      while (this.#index[index] !== 0 && this.#index[index] !== place) index = (index + 2) & mask;
      if (this.#index[index] === place) {
        this.#removeAt(index);
        if (slab[at + 8] === flagTouched && keptBytes + length <= this.#slabBytes / 2) {
          kept.push(Buffer.from(slab.subarray(at, at + length)));
          keptBytes += length;
        }
      }
      at += Math.ceil(length / alignment) * alignment;
    }
    return kept;
  }

  #carry(slabNumber: number, entry: Buffer): void {
    const slab = this.#slabs[slabNumber];
    assert(slab !== undefined, 'the slab exists');
    const at = this.#fill;
    slab.set(entry, at);
    slab[at + 8] = 0;
    this.#fill += Math.ceil(entry.length / alignment) * alignment;
    this.#insert(entry.readUInt32LE(4), slabNumber * this.#slabBytes + at);
  }
}
