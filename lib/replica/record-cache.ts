/**
 * Recently used rows, bounded in bytes, without an object per record: what separates a Node server
 * from Redis at p99 is garbage, not throughput.
 *
 * Rows lie one behind the other in slabs; an open-addressing table of integers finds them by the
 * keyed hash of their key. A row that is replaced by one of the same length is overwritten where it
 * lies, else appended, and the old place is dead until its slab comes round. When the budget is
 * used up the oldest slab is emptied: rows that were read since they were written are carried over
 * once (second chance), the others are forgotten.
 *
 *   entry = total length u32 | hash u32 | touched u32 | key length u32 | key | row
 *
 * Entries begin at multiples of 8 bytes; a place is such a multiple, counted over all slabs. An
 * empty row says that the storage holds nothing under the key. Not cached at all: an entry beyond a
 * quarter of a slab. What `get` returns is a view that the next `put` may overwrite.
 */
import { assert } from '../base/assert.ts';

const headerBytes = 16;
const slabBytesMax = 1024 * 1024;
const slabBytesMin = 64 * 1024;
/** The budget is at least so many slabs, so that emptying one costs little of it. */
const slabsMin = 16;
const firstIndexLength = 2048;

/** One memory in two views: header fields as words, keys and rows as bytes. */
interface Slab {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

export class RecordCache {
  readonly #bytesMax: number;
  readonly #slabBytes: number;
  /** log2 of the places of a slab. */
  readonly #slabShift: number;
  readonly #slabs: Slab[] = [];
  /** Slab numbers, oldest first. */
  #order: number[] = [];
  /** Bytes used of the newest slab. */
  #fill = 0;
  /**
   * Linear probing over pairs: an entry's place plus 1 (0 = free) and its hash beside it, so that a
   * look costs one miss of the processor's cache.
   */
  #index = new Uint32Array(firstIndexLength);
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    const wanted = Math.min(slabBytesMax, Math.max(slabBytesMin, bytesMax / slabsMin));
    this.#slabShift = Math.floor(Math.log2(wanted / 8));
    this.#slabBytes = 8 * 2 ** this.#slabShift;
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
    const at = this.#find(hash, key);
    if (at < 0) return undefined;
    const place = (this.#index[at] as number) - 1;
    const { bytes, words } = this.#slabOf(place);
    const word = this.#wordOf(place);
    if (words[word + 2] === 0) words[word + 2] = 1;
    const start = word * 4;
    return bytes.subarray(start + headerBytes + key.length, start + (words[word] as number));
  }

  put(hash: number, key: Buffer, row: Buffer): void {
    const length = headerBytes + key.length + row.length;
    const at = this.#find(hash, key);
    if (length > this.#slabBytes / 4) {
      if (at >= 0) this.#removeAt(at);
      return;
    }
    if (at >= 0) {
      const place = (this.#index[at] as number) - 1;
      const { bytes, words } = this.#slabOf(place);
      const word = this.#wordOf(place);
      if (words[word] === length) {
        bytes.set(row, word * 4 + headerBytes + key.length);
        return;
      }
      this.#removeAt(at);
    }
    const place = this.#reserve(length);
    const { bytes, words } = this.#slabOf(place);
    const word = this.#wordOf(place);
    words[word] = length;
    words[word + 1] = hash;
    words[word + 2] = 0;
    words[word + 3] = key.length;
    bytes.set(key, word * 4 + headerBytes);
    bytes.set(row, word * 4 + headerBytes + key.length);
    this.#insert(hash, place);
  }

  remove(hash: number, key: Buffer): void {
    const at = this.#find(hash, key);
    if (at >= 0) this.#removeAt(at);
  }

  #slabOf(place: number): Slab {
    return this.#slabs[place >>> this.#slabShift] as Slab;
  }

  #wordOf(place: number): number {
    return (place & ((1 << this.#slabShift) - 1)) * 2;
  }

  /** Where in the index the pair of this key begins; -1 = nowhere. */
  #find(hash: number, key: Buffer): number {
    const mask = this.#index.length - 1;
    for (let at = (hash * 2) & mask; ; at = (at + 2) & mask) {
      const held = this.#index[at] as number;
      if (held === 0) return -1;
      if (this.#index[at + 1] === hash && this.#holds(held - 1, key)) return at;
    }
  }

  #holds(place: number, key: Buffer): boolean {
    const { bytes, words } = this.#slabOf(place);
    const word = this.#wordOf(place);
    const { length } = key;
    if (words[word + 3] !== length) return false;
    const start = word * 4 + headerBytes;
    for (let offset = 0; offset < length; offset += 1) {
      if (bytes[start + offset] !== key[offset]) return false;
    }
    return true;
  }

  #insert(hash: number, place: number): void {
    if ((this.#count + 1) * 4 > this.#index.length) this.#grow();
    this.#enter(hash, place + 1);
    this.#count += 1;
  }

  #enter(hash: number, held: number): void {
    const mask = this.#index.length - 1;
    let at = (hash * 2) & mask;
    while (this.#index[at] !== 0) at = (at + 2) & mask;
    this.#index[at] = held;
    this.#index[at + 1] = hash;
  }

  #grow(): void {
    const index = this.#index;
    this.#index = new Uint32Array(index.length * 2);
    for (let at = 0; at < index.length; at += 2) {
      const held = index[at] as number;
      if (held !== 0) this.#enter(index[at + 1] as number, held);
    }
  }

  /** Linear probing without tombstones: what probed over the hole moves back into it. */
  #removeAt(at: number): void {
    const mask = this.#index.length - 1;
    let hole = at;
    for (let next = (hole + 2) & mask; this.#index[next] !== 0; next = (next + 2) & mask) {
      const home = ((this.#index[next + 1] as number) * 2) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#index[hole] = this.#index[next] as number;
        this.#index[hole + 1] = this.#index[next + 1] as number;
        hole = next;
      }
    }
    this.#index[hole] = 0;
    this.#count -= 1;
  }

  /** Room for `length` bytes in the newest slab. */
  #reserve(length: number): number {
    if (this.#order.length === 0 || this.#fill + length > this.#slabBytes) this.#turn();
    const place = ((this.#order.at(-1) ?? 0) << this.#slabShift) + this.#fill / 8;
    this.#fill += padded(length);
    return place;
  }

  /** Begins a new slab: a fresh one while the budget lasts, else the oldest, emptied. */
  #turn(): void {
    this.#endNewest();
    const mayGrow = this.bytes + this.#slabBytes <= this.#bytesMax || this.#slabs.length < 2;
    if (mayGrow) {
      const bytes = Buffer.allocUnsafeSlow(this.#slabBytes);
      this.#order.push(this.#slabs.length);
      this.#slabs.push({ bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset) });
      this.#fill = 0;
      return;
    }
    const victim = this.#order.shift() ?? 0;
    this.#order.push(victim);
    const kept = this.#evict(victim);
    this.#fill = 0;
    for (const entry of kept) this.#carry(victim, entry);
  }

  /** A length of 0 behind the last entry. */
  #endNewest(): void {
    const newest = this.#slabs[this.#order.at(-1) ?? -1];
    if (newest !== undefined && this.#fill < this.#slabBytes) newest.words[this.#fill / 4] = 0;
  }

  /** Takes the slab's entries out of the index; returns copies of those worth a second chance. */
  #evict(victim: number): Buffer[] {
    const slab = this.#slabs[victim];
    assert(slab !== undefined, 'the victim exists');
    const { bytes, words } = slab;
    const kept: Buffer[] = [];
    let keptBytes = 0;
    for (let start = 0; start < this.#slabBytes; ) {
      const word = start / 4;
      const length = words[word] as number;
      if (length === 0) break;
      const held = (victim << this.#slabShift) + start / 8 + 1;
      const at = this.#whereHeld(words[word + 1] as number, held);
      if (at >= 0) {
        this.#removeAt(at);
        if (words[word + 2] === 1 && keptBytes + length <= this.#slabBytes / 2) {
          kept.push(Buffer.from(bytes.subarray(start, start + length)));
          keptBytes += padded(length);
        }
      }
      start += padded(length);
    }
    return kept;
  }

  /** -1: the entry is dead. */
  #whereHeld(hash: number, held: number): number {
    const mask = this.#index.length - 1;
    let at = (hash * 2) & mask;
    while (this.#index[at] !== 0 && this.#index[at] !== held) at = (at + 2) & mask;
    return this.#index[at] === held ? at : -1;
  }

  #carry(slabNumber: number, entry: Buffer): void {
    const slab = this.#slabs[slabNumber];
    assert(slab !== undefined, 'the slab exists');
    slab.bytes.set(entry, this.#fill);
    const word = this.#fill / 4;
    slab.words[word + 2] = 0;
    this.#insert(slab.words[word + 1] as number, (slabNumber << this.#slabShift) + this.#fill / 8);
    this.#fill += padded(entry.length);
  }
}

function padded(length: number): number {
  return (length + 7) & ~7;
}
