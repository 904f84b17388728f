/**
 * Walks over the stored records in their order, slot by slot (DESIGN 3.5): SCAN, RANDOMKEY, the
 * removal of what a flush has hidden. A cursor is slot * 2^32 + hash32 and names the first position
 * not yet shown, so nothing is remembered between two pages; all keys of one position come in one
 * page, so a key that was there throughout is never skipped and never shown twice at rest.
 */
import { StoreError } from '../base/errors.ts';
import type { System } from '../runtime/ports.ts';
import { dataRange, parseDataKey, positionOf } from '../storage/keys.ts';
import { isSound } from '../storage/row.ts';
import type { Put, Range } from '../storage/storage.ts';
import type { Store } from '../storage/store.ts';
import { placeOfStorageKey } from './place.ts';
import type { Replica } from './replica.ts';

export interface ScanPage {
  /** Where to go on; undefined = the end. */
  readonly next: number | undefined;
  readonly keys: readonly Buffer[];
}

/** Rows read in one go. */
const chunkRows = 256;
/**
 * Records passed over in one page at the most, in units of its count: other databases lie between.
 */
const workFactor = 10;

export class Scanner {
  readonly #replica: Replica;
  readonly #store: Store;
  readonly #system: System;

  constructor(replica: Replica, store: Store, system: System) {
    this.#replica = replica;
    this.#store = store;
    this.#system = system;
  }

  /** Keys of `db` that a reader can see, from a position on: about `count` of them. */
  async page(db: number, from: number, count: number): Promise<ScanPage> {
    const cursor = this.#store.cursor(dataRange(from));
    const keys: Buffer[] = [];
    const workMax = Math.max(count * workFactor, chunkRows);
    let work = 0;
    let last = -1;
    try {
      for (;;) {
        const rows = await cursor.next(Math.min(chunkRows, count + 1));
        if (rows.length === 0) return { next: undefined, keys };
        for (const { key, value } of rows) {
          const position = positionOf(key);
          const full = keys.length >= count || work >= workMax;
          if (full && position !== last) return { next: position, keys };
          last = position;
          work += 1;
          const found = this.#visibleKey(db, key, value);
          if (found !== undefined) keys.push(found);
        }
      }
    } finally {
      await cursor.close();
    }
  }

  /** Some key of `db`, found by going on from a random position; undefined if there is none. */
  async randomKey(db: number): Promise<Buffer | undefined> {
    const start = this.#system.random.u48() % (2 ** 32 * 16384);
    for (const from of [start, 0]) {
      let next: number | undefined = from;
      while (next !== undefined) {
        const page: ScanPage = await this.page(db, next, 1);
        const pick = page.keys[this.#system.random.below(Math.max(1, page.keys.length))];
        if (pick !== undefined) return pick;
        next = page.next;
      }
    }
    return undefined;
  }

  /** Removes every record that a flush has hidden; false if `stopped` said so first. */
  async reclaim(stopped: () => boolean): Promise<boolean> {
    let range: Range = { ...dataRange(), keysOnly: true };
    for (;;) {
      if (stopped()) return false;
      const rows = await readPage(this.#store, range, chunkRows);
      const last = rows.at(-1);
      if (last === undefined) return true;
      await Promise.all(rows.map(({ key }) => this.#removeIfFlushed(key)));
      range = { ...range, from: Buffer.concat([last.key, Buffer.alloc(1)]) };
    }
  }

  async #removeIfFlushed(key: Buffer): Promise<void> {
    if (this.#replica.flushed.of(parseDataKey(key).db) === 0) return;
    await this.#replica.maintain(placeOfStorageKey(key), (stored, counted) =>
      stored !== undefined && counted === undefined ? 'delete' : 'keep',
    );
  }

  #visibleKey(db: number, key: Buffer, row: Buffer): Buffer | undefined {
    const parsed = parseDataKey(key);
    if (parsed.db !== db) return undefined;
    if (!isSound(key, row, this.#system.hashes.crc32)) throw new StoreError('corrupt');
    return this.#replica.isVisible(placeOfStorageKey(key), row) ? parsed.key : undefined;
  }
}

/** The first rows of a range. */
export async function readPage(store: Store, range: Range, count: number): Promise<readonly Put[]> {
  const cursor = store.cursor(range);
  try {
    return await cursor.next(count);
  } finally {
    await cursor.close();
  }
}
