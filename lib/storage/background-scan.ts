/**
 * Reads every record once, against one snapshot, and compares with what the snapshot's own last
 * batch row says must be there. That finds what no single read can: records that are gone, that
 * came back, or that are older than they should be (DESIGN 3.5). It goes in small steps with
 * pauses, so that clients do not feel it; writes go on meanwhile, therefore the result is a
 * difference, to be added to the running sums of that later moment.
 */
import { StoreError } from '../base/errors.ts';
import type { System } from '../runtime/ports.ts';
import {
  type BatchRow,
  beforeFirstBatch,
  decodeBatchRow,
  difference,
  noSums,
  type Sums,
  tally,
} from './batch-row.ts';
import { familyRange, slotRange } from './keys.ts';
import { RowSum } from './row.ts';
import type { Put, Range, Snapshot, Storage } from './storage.ts';

/** What is added to a tally. */
export type Count = (index: number, add: number) => void;
/** Sees every row of one snapshot. */
export interface Census {
  /** Says what a data or hint row adds to which tallies; of a corrupt one, what it is as a row. */
  take(key: Buffer, row: Buffer, count: Count, isSound: boolean): void;
  /** That was all. */
  end(): void;
}

export interface ScanOptions {
  /**
   * Made anew for each scan, of what the snapshot says (flush stamps, ...); called in the turn in
   * which the snapshot is taken.
   */
  census(snapshot: Snapshot): Promise<Census>;
  /** Checks one row and counts it if it is corrupt. */
  sound(key: Buffer, row: Buffer): boolean;
}

export interface ScanResult {
  /** The batch after which the map looked like this. */
  readonly number: number;
  /** What was found beyond what that batch says. */
  readonly sums: Sums;
  readonly tallies: ReadonlyMap<number, number>;
  /** Places where the engine itself gave up; at least one record each. */
  readonly unreadable: number;
  readonly corrupt: number;
}

const stepRows = 256;
const pauseMs = 1;
const slotOffset = 1;
const slotEnd = 3;

export class BackgroundScan {
  readonly #system: System;
  readonly #options: ScanOptions;
  readonly #sum = new RowSum(noSums);
  readonly #tallies = new Map<number, number>();
  #unreadable = 0;
  #corrupt = 0;
  #stopped = false;

  constructor(system: System, options: ScanOptions) {
    this.#system = system;
    this.#options = options;
  }

  /** undefined: stopped, or the storage was closed on the way. */
  async run(storage: Storage): Promise<ScanResult | undefined> {
    try {
      const snapshot = storage.snapshot();
      try {
        return await this.#scan(snapshot);
      } finally {
        await snapshot.close();
      }
    } catch (error) {
      if (error instanceof StoreError && error.code === 'closed') return undefined;
      throw error;
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #scan(snapshot: Snapshot): Promise<ScanResult | undefined> {
    const [census, row] = await Promise.all([this.#census(snapshot), this.#lastBatchRow(snapshot)]);
    await this.#scanSlots(snapshot, census);
    await this.#scanRange(snapshot, familyRange('hint'), census);
    if (this.#stopped) return undefined;
    census.end();
    const damage = { unreadable: this.#unreadable, corrupt: this.#corrupt };
    if (row === undefined) return { number: 0, sums: noSums, tallies: new Map(), ...damage };
    for (const [index, value] of row.tallies) tally(this.#tallies, { index, add: -value });
    const sums = difference(this.#sum, row);
    return { number: row.number, sums, tallies: this.#tallies, ...damage };
  }

  /** undefined: unreadable, so there is nothing to compare with. */
  async #lastBatchRow(snapshot: Snapshot): Promise<BatchRow | undefined> {
    const cursor = snapshot.cursor({ ...familyRange('batch'), reverse: true });
    try {
      const [last] = await cursor.next(1);
      if (last === undefined) return beforeFirstBatch;
      const row = decodeBatchRow(last.key, last.value, this.#system.hashes.crc32);
      if (row === undefined) throw new StoreError('corrupt', 'the last batch row is damaged');
      return row;
    } catch (error) {
      this.#passDamage(error);
      return undefined;
    } finally {
      await cursor.close();
    }
  }

  async #census(snapshot: Snapshot): Promise<Census> {
    try {
      return await this.#options.census(snapshot);
    } catch (error) {
      this.#passDamage(error);
      return { take: () => {}, end: () => {} };
    }
  }

  /** Behind a place that cannot be read it goes on with the next slot, so it always ends. */
  async #scanSlots(snapshot: Snapshot, census: Census): Promise<void> {
    const slots = 2 ** 16;
    for (let slot = 0; slot < slots && !this.#stopped; ) {
      slot = 1 + (await this.#scanRange(snapshot, slotRange(slot, slots), census, slot));
    }
  }

  /** Answers the slot in which reading failed, or one beyond all. */
  async #scanRange(
    snapshot: Snapshot,
    range: Range,
    census: Census,
    fromSlot = 0,
  ): Promise<number> {
    const cursor = snapshot.cursor(range);
    let slot = fromSlot;
    try {
      while (!this.#stopped) {
        const step = await cursor.next(stepRows);
        const last = step.at(-1);
        if (last === undefined) break;
        for (const entry of step) this.#take(entry, census);
        if (last.key.length >= slotEnd) slot = Math.max(slot, last.key.readUInt16BE(slotOffset));
        await this.#pause();
      }
      return Number.POSITIVE_INFINITY;
    } catch (error) {
      this.#passDamage(error);
      return slot;
    } finally {
      await cursor.close();
    }
  }

  #take({ key, value }: Put, census: Census): void {
    this.#sum.add(key, value);
    const isSound = this.#options.sound(key, value);
    if (!isSound) this.#corrupt += 1;
    census.take(key, value, this.#count, isSound);
  }

  readonly #count: Count = (index, add) => tally(this.#tallies, { index, add });

  #passDamage(error: unknown): void {
    const damage = error instanceof StoreError && error.code !== 'closed';
    if (!damage) throw error;
    this.#unreadable += 1;
    this.#system.log.warning('a part of the storage cannot be read', { error: error.message });
  }

  #pause(): Promise<void> {
    return new Promise((resume) => {
      this.#system.timers.after(pauseMs, resume);
    });
  }
}
