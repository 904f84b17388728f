/**
 * Walks over the stored records in their order, slot by slot (DESIGN 3.5): SCAN, RANDOMKEY, the
 * removal of what a flush has hidden. A cursor is slot * 2^32 + hash32 and names the first position
 * not yet shown, so nothing is remembered between two pages; all keys of one position come in one
 * page, so a key that was there throughout is never skipped and never shown twice at rest.
 */
import { StoreError } from '../base/errors.ts';
import { newWinnerView } from '../causal/record-codec.ts';
import type { SlotSet } from '../ring/slot-set.ts';
import { slotCount } from '../ring/slots.ts';
import type { System } from '../runtime/ports.ts';
import { type DataKey, dataRange, parseDataKey, positionOf } from '../storage/keys.ts';
import { isSound } from '../storage/row.ts';
import type { Put, Range } from '../storage/storage.ts';
import type { Store } from '../storage/store.ts';
import { placeOfStorageKey } from './place.ts';
import type { Rank, Replica } from './replica.ts';
import type { SlotCount } from './slot-counts.ts';
import { countedAs } from './tallies.ts';

export interface ScanPage {
  /** Where to go on; undefined = the end. */
  readonly next: number | undefined;
  readonly keys: readonly Buffer[];
}

/** What one replica tells the coordinator of a scan, which merges the pages of several. */
export interface RingEntry extends Rank {
  readonly position: number;
  readonly key: Buffer;
}

export interface RingPage {
  /** The first position that the page does not cover; undefined = it covers all. */
  readonly next: number | undefined;
  readonly entries: readonly RingEntry[];
}

/** Positions up to, not including, `to`; of them those in `slots`. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Left out: all. */
  readonly slots?: SlotSet | undefined;
}

/** Behind all positions. */
export const positionEnd = slotCount * 2 ** 32;

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
    const keys: Buffer[] = [];
    const next = await this.#walk({ from, to: positionEnd }, count, (key, row) => {
      const parsed = this.#parsed(db, key, row);
      if (parsed === undefined) return false;
      const visible = this.#replica.isVisible(placeOfStorageKey(key), row);
      if (visible) keys.push(parsed.key);
      return visible;
    });
    return { next, keys };
  }

  /**
   * What this replica holds of `db` from a position up to, not including, another: about `count`
   * entries. Deleted and expired records are among them, because another replica may still show
   * their keys: of all entries of a key the one with the highest (order, stamp) decides.
   */
  async ringPage(db: number, stretch: Stretch, count: number): Promise<RingPage> {
    const entries: RingEntry[] = [];
    const next = await this.#walk(stretch, count, (key, row) => {
      const parsed = this.#parsed(db, key, row);
      const rank = parsed && this.#replica.rankOf(placeOfStorageKey(key), row);
      if (parsed === undefined || rank === undefined) return false;
      entries.push({ position: positionOf(key), key: parsed.key, ...rank });
      return true;
    });
    return { next, entries };
  }

  /** The keys of `db` in these slots, and those among them that expire, by reading all of them. */
  async count(db: number, slots: SlotSet): Promise<SlotCount> {
    const view = newWinnerView();
    const stamp = this.#replica.flushed.of(db);
    let keys = 0;
    let expires = 0;
    let from: number | undefined = 0;
    while (from !== undefined) {
      from = await this.#walk({ from, to: positionEnd, slots }, chunkRows, (key, row) => {
        if (this.#parsed(db, key, row) === undefined) return false;
        const standing = countedAs(row, stamp, view);
        if (standing === 'live' || standing === 'expiring') keys += 1;
        if (standing === 'expiring') expires += 1;
        return true;
      });
    }
    return { keys, expires };
  }

  /**
   * Shows `take` whole positions until it has taken `count`; answers where to go on. Slots that are
   * not asked for are read over as far as they came along, and then sought past.
   */
  async #walk(
    { from, to, slots }: Stretch,
    count: number,
    take: (key: Buffer, row: Buffer) => boolean,
  ): Promise<number | undefined> {
    const workMax = Math.max(count * workFactor, chunkRows);
    let work = 0;
    let taken = 0;
    let last = -1;
    let start = nextWanted(from, slots);
    while (start < to) {
      const cursor = this.#store.cursor(dataRange(start, to));
      try {
        do {
          const rows = await cursor.next(Math.min(chunkRows, count + 1));
          if (rows.length === 0) return undefined;
          for (const { key, value } of rows) {
            const position = positionOf(key);
            const full = taken >= count || work >= workMax;
            if (full && position !== last) return within(nextWanted(position, slots), to);
            last = position;
            work += 1;
            if (slots?.has(slotAt(position)) !== false && take(key, value)) taken += 1;
          }
          start = nextWanted(last, slots);
        } while (start === last);
      } finally {
        await cursor.close();
      }
    }
    return undefined;
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

  /** Removes every record of which a flush has hidden all; false if `stopped` said so first. */
  async reclaim(stopped: () => boolean): Promise<boolean> {
    let range: Range = { ...dataRange(), keysOnly: true };
    for (;;) {
      if (stopped()) return false;
      const rows = await readPage(this.#store, range, chunkRows);
      const last = rows.at(-1);
      if (last === undefined) return true;
      await Promise.all(rows.map(({ key }) => this.#removeIfForgotten(key)));
      range = { ...range, from: Buffer.concat([last.key, Buffer.alloc(1)]) };
    }
  }

  /** A corrupt record cannot be judged; it must not hold up the others. */
  async #removeIfForgotten(key: Buffer): Promise<void> {
    if (this.#replica.flushed.of(parseDataKey(key).db) === 0) return;
    try {
      await this.#replica.maintain(placeOfStorageKey(key), (_, forgotten) =>
        forgotten ? 'delete' : 'keep',
      );
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'corrupt')) throw error;
    }
  }

  /** undefined: of another database. */
  #parsed(db: number, key: Buffer, row: Buffer): DataKey | undefined {
    const parsed = parseDataKey(key);
    if (parsed.db !== db) return undefined;
    if (!isSound(key, row, this.#system.hashes.crc32)) throw new StoreError('corrupt');
    return parsed;
  }
}

function slotAt(position: number): number {
  return Math.floor(position / 2 ** 32);
}

/** The position itself, or the first behind it that lies in one of the slots. */
function nextWanted(position: number, slots: SlotSet | undefined): number {
  if (slots === undefined) return position;
  const slot = slots.nextFrom(slotAt(position));
  return Math.max(position, slot * 2 ** 32);
}

function within(position: number, to: number): number | undefined {
  return position < to ? position : undefined;
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
