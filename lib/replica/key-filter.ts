/**
 * Which keys may be in the storage: a Bloom filter, so that a key that is new costs no read.
 * LevelDB has filters of its own, but in its tables, and only a few dozen of those may stay open
 * (see storage/level-storage.ts): asking it for an absent key costs 11 us among a million others.
 *
 * It never says no to a key that is there, as a record or as a hint. Every key is added before its
 * first row is handed to the storage; what lay there at the start is added by the scan after every
 * open, and until that has read everything the filter is not asked (`complete`). Keys that are
 * deleted stay in it until the next start. It grows in layers, each twice as large, of some 12 bits
 * a key: one wrong "maybe" in 200 or so.
 */
import { assert } from '../base/assert.ts';

const firstKeys = 64 * 1024;
const wordsPerBlock = 16;
const keysPerBlock = 42;
const bitsPerKey = 6;

class Layer {
  readonly keysMax: number;
  keys = 0;
  readonly #words: Uint32Array;
  readonly #blocks: number;

  constructor(keysMax: number) {
    this.keysMax = keysMax;
    this.#blocks = Math.ceil(keysMax / keysPerBlock);
    this.#words = new Uint32Array(this.#blocks * wordsPerBlock);
  }

  /** Sets the bits, all in one block, or tells whether all are set. */
  visit(low: number, high: number, set: boolean): boolean {
    const block = (low % this.#blocks) * wordsPerBlock;
    let bits = Math.imul(high, 0x9e3779b1) ^ low;
    for (let index = 0; index < bitsPerKey; index += 1) {
      bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b);
      const word = block + ((bits >>> 5) & (wordsPerBlock - 1));
      const mask = 1 << (bits & 31);
      const held = this.#words[word] ?? 0;
      if (set) this.#words[word] = held | mask;
      else if ((held & mask) === 0) return false;
    }
    return true;
  }
}

export class KeyFilter {
  readonly #layers: Layer[] = [new Layer(firstKeys)];
  #complete = false;

  /** Everything that is in the storage has been added. */
  get complete(): boolean {
    return this.#complete;
  }

  markComplete(): void {
    this.#complete = true;
  }

  add(key: Hashed): void {
    if (this.#complete && this.mayHold(key)) return;
    const { hash32, slot, db } = key;
    let layer = this.#layers.at(-1);
    assert(layer !== undefined, 'a filter has a layer');
    if (layer.keys === layer.keysMax) {
      layer = new Layer(layer.keysMax * 2);
      this.#layers.push(layer);
    }
    layer.keys += 1;
    layer.visit(hash32, slot * 256 + db, true);
  }

  /** False: the storage does not hold the key. */
  mayHold({ hash32, slot, db }: Hashed): boolean {
    if (!this.#complete) return true;
    for (let at = this.#layers.length - 1; at >= 0; at -= 1) {
      if (this.#layers[at]?.visit(hash32, slot * 256 + db, false)) return true;
    }
    return false;
  }
}

export interface Hashed {
  readonly hash32: number;
  readonly slot: number;
  readonly db: number;
}
