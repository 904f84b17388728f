/**
 * A disk that can be crashed, filled and damaged, in memory and repeatable from a seed. The object
 * is the disk: it outlives the process that uses it. `crash` ends that process's use of it (nothing
 * of what it had under way is ever answered), after which it can be opened again.
 *
 * The map is a base plus a log of batches, as in LevelDB. A process crash keeps the whole log; a
 * power cut keeps a random prefix of what was not synced, never a subset. The latest batches stay in
 * the log even when synced, so that damage can hit them. What the running process sees (`#view`) is
 * not what recovery will find: that is how LevelDB loses data in silence (RELIABILITY 0.1).
 */
import { emptyBytes, fromMapKey, mapKey, own } from '../../lib/base/bytes.ts';
import { StoreError } from '../../lib/base/errors.ts';
import type { Later } from '../../lib/base/later.ts';
import type { Random, Timers } from '../../lib/runtime/ports.ts';
import type {
  Cursor,
  OpenNotes,
  Put,
  Range,
  RowChange,
  Snapshot,
  Storage,
} from '../../lib/storage/storage.ts';
import { SimFiles } from './sim-files.ts';
import { type FrozenMap, SortedMap } from './sorted-map.ts';

interface LoggedBatch {
  readonly changes: readonly (readonly [key: string, row: Buffer | undefined])[];
  readonly bytes: number;
  synced: boolean;
  /** Recovery will not find it. */
  doomed: boolean;
}

/** Batches kept in the log behind the last synced one, for damage to hit. */
const logBatches = 32;
const openRoomBytes = 4096;

export interface SimStorageOptions {
  /** Longest time that one call takes. */
  readonly delayMaxMs?: number;
}

export class SimStorage implements Storage {
  readonly files: SimFiles;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #delayMaxMs: number;
  #base = new SortedMap();
  #log: LoggedBatch[] = [];
  #view = new SortedMap();
  #created = false;
  /** Raised by a crash: whatever began before is never answered. */
  #life = 0;
  #isOpen = false;
  #inFlight: { readonly batch: LoggedBatch } | undefined;
  #misframed = false;
  #notes: string[] = [];
  #budgetBytes = Number.POSITIVE_INFINITY;
  #baseBytes = 0;

  /** Faults; each counts down as it strikes. */
  failBatches = 0;
  /** Whether a failing batch is there after all; 'random' decides each time. */
  failedBatches: 'keep' | 'lose' | 'random' = 'random';
  failReads = 0;
  failOpens = 0;
  /** Batches that succeed, and will be gone when the map is opened again. */
  loseBatches = 0;
  /** Keys whose block cannot be read by a cursor (`corrupt`). */
  unreadable: ((key: Buffer) => boolean) | undefined;
  /** All calls take so many times longer. */
  slowness = 1;
  /** Hears of every batch before it is written, whatever becomes of it. */
  onBatch: ((changes: readonly RowChange[]) => void) | undefined;

  constructor(timers: Timers, random: Random, options: SimStorageOptions = {}) {
    this.#timers = timers;
    this.#random = random;
    this.#delayMaxMs = options.delayMaxMs ?? 2;
    this.files = new SimFiles(random, {
      wait: () => this.#wait(),
      takeRoom: (bytes) => this.#takeRoom(bytes),
    });
  }

  async open(): Promise<OpenNotes> {
    if (this.#isOpen) throw new StoreError('locked');
    this.#isOpen = true;
    await this.#wait();
    try {
      if (this.failOpens > 0) {
        this.failOpens -= 1;
        throw new StoreError('cannot-open', 'simulated');
      }
      this.#takeRoom(openRoomBytes);
    } catch (error) {
      this.#isOpen = false;
      throw error;
    }
    this.#recover();
    const notes = { created: !this.#created, dropped: this.#notes };
    this.#created = true;
    this.#notes = [];
    return notes;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#wait();
    this.#isOpen = false;
  }

  get(key: Buffer): Later<Buffer | undefined> {
    this.#assertOpen();
    if (this.failReads > 0) {
      this.failReads -= 1;
      throw new StoreError('io', 'simulated read error');
    }
    const row = this.#view.get(mapKey(key));
    const copy = row === undefined ? undefined : own(row);
    return this.#random.below(2) === 0 ? copy : this.#wait().then(() => copy);
  }

  async batch(changes: readonly RowChange[], sync: boolean): Promise<void> {
    this.#assertOpen();
    this.onBatch?.(changes);
    const batch = logged(changes);
    if (this.failBatches > 0) {
      this.failBatches -= 1;
      return this.#failBatch(batch);
    }
    try {
      this.#takeRoom(batch.bytes);
    } catch (error) {
      this.#misframed = true;
      await this.#wait();
      throw error;
    }
    this.#inFlight = { batch };
    await this.#wait();
    this.#inFlight = undefined;
    if (this.loseBatches > 0) {
      this.loseBatches -= 1;
      batch.doomed = true;
    }
    this.#append(batch);
    if (sync) for (const earlier of this.#log) earlier.synced = true;
    this.#mergeOldest();
  }

  cursor(range: Range): Cursor {
    this.#assertOpen();
    return this.#cursorOf(this.#view.freeze(), range);
  }

  snapshot(): Snapshot {
    this.#assertOpen();
    const view = this.#view.freeze();
    const life = this.#life;
    return {
      get: async (key) => {
        await this.#wait();
        this.#assertAlive(life);
        const row = view.get(mapKey(key));
        return row === undefined ? undefined : own(row);
      },
      cursor: (range) => this.#cursorOf(view, range),
      close: async () => undefined,
    };
  }

  async sizeBytes(): Promise<number> {
    await this.#wait();
    return this.#usedBytes();
  }

  /** The process or the machine goes down. */
  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.#isOpen = false;
    if (this.#inFlight !== undefined && this.#random.below(2) === 0) {
      this.#append(this.#inFlight.batch);
    }
    this.#inFlight = undefined;
    this.files.crash(kind);
    if (kind === 'power') this.#losePower();
    this.#recover();
  }

  #losePower(): void {
    const synced = this.#log.findLastIndex((batch) => batch.synced) + 1;
    const kept = this.#random.below(this.#log.length - synced + 1);
    this.#log.length = synced + kept;
    for (const batch of this.#log) batch.synced = true;
  }

  /**
   * Damage to the log of a stopped process, synced or not: one batch in the middle is lost, or the
   * last ones are. `noticed`: the engine says so when it opens.
   */
  damageLog(where: 'middle' | 'tail', noticed: boolean): boolean {
    const length = this.#log.length;
    if (length < 3) return false;
    if (where === 'tail') this.#log.length -= 1 + this.#random.below(2);
    else this.#log.splice(this.#random.below(length - 2), 1);
    this.#recover();
    if (noticed) this.#notes.push('simulated: dropping 100 bytes; Corruption: checksum mismatch');
    return true;
  }

  /** What lies on another disk now, as `cp -r` finds it; this one is empty and not open. */
  copyOf(other: SimStorage): void {
    this.#base = other.#base.copy();
    this.#log = other.#log.map((batch) => ({ ...batch }));
    this.#created = other.#created;
    this.#baseBytes = other.#baseBytes;
    this.files.copyOf(other.files);
    this.#recover();
  }

  /** Flips one bit of the value of a stored row that `matches`; answers its key. */
  flipBit(matches: (key: Buffer) => boolean): Buffer | undefined {
    const names = this.#view.names.filter((name) => matches(fromMapKey(name)));
    const name = names[this.#random.below(Math.max(1, names.length))];
    const row = name === undefined ? undefined : this.#view.get(name);
    if (name === undefined || row === undefined || row.length === 0) return undefined;
    const flipped = own(row);
    const at = this.#random.below(flipped.length);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << this.#random.below(8));
    this.#rewrite(name, flipped);
    return fromMapKey(name);
  }

  /** A row that goes, or turns into an older one, as if it had never been written. */
  revert(key: Buffer, row: Buffer | undefined): void {
    this.#rewrite(mapKey(key), row);
  }

  /** Room on the disk from now on, beyond what is used. */
  setRoom(bytes: number): void {
    this.#budgetBytes = this.#usedBytes() + bytes;
  }

  /** The rows as the process sees them, by `mapKey`; of a stopped one: what it will find. */
  get rows(): ReadonlyMap<string, Buffer> {
    return this.#view.rows;
  }

  /** The row that is there after a power cut, whatever else that loses. */
  syncedRow(name: string): Buffer | undefined {
    for (let at = this.#log.length - 1; at >= 0; at -= 1) {
      const batch = this.#log[at];
      if (batch === undefined || !batch.synced || batch.doomed) continue;
      const change = batch.changes.findLast(([key]) => key === name);
      if (change !== undefined) return change[1];
    }
    return this.#base.get(name);
  }

  /** Takes rows away from a stopped process, without a trace. */
  drop(matches: (key: Buffer) => boolean): number {
    const names = this.#view.names.filter((name) => matches(fromMapKey(name)));
    for (const name of names) this.#rewrite(name, undefined);
    return names.length;
  }

  /** What recovery would find now. */
  recovered(): ReadonlyMap<string, Buffer> {
    return this.#recovered().rows;
  }

  #recovered(): SortedMap {
    const found = this.#base.copy();
    for (const batch of this.#log) if (!batch.doomed) apply(found, batch);
    return found;
  }

  /** Doomed batches are gone now. */
  #recover(): void {
    this.#log = this.#log.filter((batch) => !batch.doomed);
    this.#view = this.#recovered();
    this.#misframed = false;
  }

  #append(batch: LoggedBatch): void {
    batch.doomed ||= this.#misframed;
    this.#log.push(batch);
    apply(this.#view, batch);
  }

  /** Synced batches beyond the window move to the base; doomed ones stay where they are. */
  #mergeOldest(): void {
    while (this.#log.length > logBatches) {
      const index = this.#log.findIndex((batch) => !batch.doomed);
      const oldest = this.#log[index];
      if (oldest === undefined || !oldest.synced) return;
      this.#log.splice(index, 1);
      apply(this.#base, oldest);
      this.#baseBytes += oldest.bytes;
    }
  }

  async #failBatch(batch: LoggedBatch): Promise<never> {
    await this.#wait();
    const kept =
      this.failedBatches === 'keep' ||
      (this.failedBatches === 'random' && this.#random.below(2) === 0);
    if (kept) this.#append(batch);
    this.#misframed = true;
    throw new StoreError('io', 'simulated write error');
  }

  #rewrite(name: string, row: Buffer | undefined): void {
    const batch: LoggedBatch = { changes: [[name, row]], bytes: 0, synced: true, doomed: false };
    for (const map of [this.#base, this.#view]) apply(map, batch);
    for (const [index, old] of this.#log.entries()) {
      const changes = old.changes.filter(([key]) => key !== name);
      this.#log[index] = { ...old, changes };
    }
  }

  #usedBytes(): number {
    let sum = this.#baseBytes + this.files.bytes;
    for (const batch of this.#log) sum += batch.bytes;
    return sum;
  }

  #takeRoom(bytes: number): void {
    if (this.#usedBytes() + bytes > this.#budgetBytes) throw new StoreError('full');
  }

  #cursorOf(view: FrozenMap, range: Range): Cursor {
    const life = this.#life;
    const names = view.range(mapKey(range.from), mapKey(range.to));
    if (range.reverse === true) names.reverse();
    let at = 0;
    const next = async (count: number): Promise<readonly Put[]> => {
      await this.#wait();
      this.#assertAlive(life);
      const page: Put[] = [];
      for (; at < names.length && page.length < count; at += 1) {
        const name = names[at] ?? '';
        const key = fromMapKey(name);
        if (this.unreadable?.(key) === true) {
          if (page.length > 0) break;
          throw new StoreError('corrupt', 'simulated bad block');
        }
        const value = range.keysOnly === true ? emptyBytes : own(view.get(name) ?? emptyBytes);
        page.push({ key, value });
      }
      return page;
    };
    return { next, close: async () => undefined };
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new StoreError('closed');
  }

  #assertAlive(life: number): void {
    if (life !== this.#life || !this.#isOpen) throw new StoreError('closed');
  }

  /** Settles after a random while, or never if the process dies meanwhile. */
  #wait(): Promise<void> {
    const life = this.#life;
    const delayMs = this.#random.below(this.#delayMaxMs * 1000 + 1) / 1000;
    return new Promise((settle) => {
      this.#timers.after(delayMs * this.slowness, () => {
        if (life === this.#life) settle();
      });
    });
  }
}

function logged(changes: readonly RowChange[]): LoggedBatch {
  let bytes = 0;
  const copies = changes.map(({ key, row }) => {
    bytes += key.length + (row?.length ?? 0);
    return [mapKey(key), row === undefined ? undefined : own(row)] as const;
  });
  return { changes: copies, bytes, synced: false, doomed: false };
}

function apply(map: SortedMap, batch: LoggedBatch): void {
  for (const [key, row] of batch.changes) map.set(key, row);
}
