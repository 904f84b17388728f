/**
 * The only place that writes to the map. One batch is in flight; what arrives meanwhile goes into
 * the next one. When nothing is in flight the batch starts at the end of the turn, so that a whole
 * pipeline shares it. One batch a turn instead of one write a command is worth 15 times with a sync
 * and three times without (STYLE 7.2, PERFORMANCE 2).
 *
 * Writes settle in their order, all of one batch in one turn, once the batch is as durable as
 * `appendfsync` says. When a batch fails its outcome is unknown and nothing more is taken until
 * `resume`: LevelDB may have lost track of its own log (RELIABILITY 0.1).
 */
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { Deferred } from '../base/later.ts';
import type { Stamp } from '../causal/record.ts';
import type { System, Timer } from '../runtime/ports.ts';
import {
  type BatchRow,
  batchRowsMax,
  beforeFirstBatch,
  type Change,
  encodeBatchRow,
  type Sums,
  sumOf,
  type TallyChange,
  tally,
} from './batch-row.ts';
import { batchKey } from './keys.ts';
import { RowSum } from './row.ts';
import type { RowChange, Storage } from './storage.ts';

export type Appendfsync = 'always' | 'everysec' | 'no';

/** A bigger batch gains nothing and delays everything behind it. */
const batchBytesMax = 1024 * 1024;
const batchChangesMax = 2000;
const everysecMs = 1000;
/** A synced ceiling lasts for ten seconds of stamps, and is renewed when half of it is used. */
const ceilingAhead: Stamp = 10_000 * 4096;

/** Puts right what a scan found wrong, without stopping the writes that go on meanwhile. */
export interface Correction {
  readonly sums: Sums;
  readonly tallies: ReadonlyMap<number, number>;
  /** Tallies reset since then were right from there on. */
  readonly sinceNumber: number;
  /** The oldest batch row that must be there from now on. */
  readonly first: number;
}

interface Entry {
  readonly changes: readonly Change[];
  readonly tallies: readonly TallyChange[];
  readonly sums: Sums;
  readonly bytes: number;
  readonly sync: boolean;
  readonly correction: Correction | undefined;
  readonly done: Waiter;
}

/** Who is told when a write is committed, or that it failed; a Deferred is one. */
export interface Waiter {
  settle(): void;
  fail(error: unknown): void;
}

export interface GroupCommitOptions {
  readonly appendfsync: Appendfsync;
  /** The highest stamp issued so far. */
  lastStamp(): Stamp;
  onCommitted(number: number): void;
  /** A batch failed; called before any of its writes fails. */
  onFailed(error: StoreError): void;
}

export class GroupCommit {
  readonly #storage: Storage;
  readonly #system: System;
  readonly #options: GroupCommitOptions;
  readonly #resetAt = new Map<number, number>();
  #mode: Appendfsync;
  #committed: BatchRow = beforeFirstBatch;
  #queue: Entry[] = [];
  #inFlight: readonly Entry[] = [];
  #starting = false;
  #unsynced = false;
  #syncTimer: Timer | undefined;
  #refusal: StoreError | undefined = new StoreError('closed');
  batches = 0;

  constructor(storage: Storage, system: System, options: GroupCommitOptions) {
    this.#storage = storage;
    this.#system = system;
    this.#options = options;
    this.#mode = options.appendfsync;
  }

  /** The latest batch that has been written. */
  get committed(): BatchRow {
    return this.#committed;
  }

  /** Takes writes from now on, numbered behind `row`. */
  resume(row: BatchRow): void {
    assert(this.#inFlight.length === 0, 'nothing is in flight while the map is opened');
    this.#committed = row;
    this.#unsynced = false;
    this.#refusal = undefined;
  }

  /** Everything written from now on fails with `error`; what is queued already goes on. */
  refuse(error: StoreError): void {
    this.#refusal = error;
  }

  setAppendfsync(mode: Appendfsync): void {
    this.#mode = mode;
    this.#stopSyncTimer();
    if (mode === 'no' || !this.#unsynced) return;
    if (mode === 'always') this.sync();
    else this.#startSyncTimer();
  }

  write(changes: readonly Change[], tallies: readonly TallyChange[]): Deferred<void> {
    return this.#push(new Deferred(), changes, tallies);
  }

  /** The same without a Deferred of its own: the hot path brings its waiter along. */
  writeFor(waiter: Waiter, changes: readonly Change[], tallies: readonly TallyChange[]): void {
    this.#push(waiter, changes, tallies);
  }

  correct(correction: Correction): Deferred<void> {
    return this.#push(new Deferred(), [], [], correction);
  }

  /** Settles when everything written so far is on the disk. */
  sync(): Deferred<void> {
    const busy = this.#queue.length + this.#inFlight.length > 0;
    if (busy || this.#unsynced || this.#refusal !== undefined) {
      return this.#push(new Deferred(), [], [], 'sync');
    }
    const done = new Deferred<void>();
    done.settle();
    return done;
  }

  #push<W extends Waiter>(
    done: W,
    changes: readonly Change[],
    tallies: readonly TallyChange[],
    extra?: 'sync' | Correction,
  ): W {
    if (this.#refusal !== undefined) {
      done.fail(this.#refusal);
      return done;
    }
    const sync = extra !== undefined;
    const correction = extra === 'sync' ? undefined : extra;
    let bytes = 0;
    for (const { key, row } of changes) bytes += key.length + (row === undefined ? 0 : row.length);
    this.#queue.push({ changes, tallies, sums: sumOf(changes), bytes, sync, correction, done });
    if (this.#inFlight.length === 0) this.#startSoon();
    return done;
  }

  /** Behind what has come in meanwhile: a batch costs the same for one write and for fifty. */
  #startSoon(): void {
    if (this.#starting) return;
    this.#starting = true;
    this.#system.timers.soon(() => this.#start());
  }

  #start(): void {
    this.#starting = false;
    const entries = this.#take();
    if (entries.length === 0) return;
    const changes: RowChange[] = [];
    for (const entry of entries) for (const change of entry.changes) changes.push(change);
    const ceiling = this.#nextCeiling();
    const sync =
      this.#mode === 'always' ||
      ceiling !== this.#committed.ceiling ||
      entries.some((entry) => entry.sync);
    const row = this.#rowAfter(entries, ceiling);
    const key = batchKey(row.number);
    changes.push({ key, row: encodeBatchRow(key, row, this.#system.hashes.crc32) });
    const dropped = row.number - batchRowsMax;
    if (dropped >= this.#committed.first) changes.push({ key: batchKey(dropped), row: undefined });
    this.#inFlight = entries;
    this.#storage.batch(changes, sync).then(
      () => this.#succeeded(row, sync),
      (error: unknown) => this.#failed(error),
    );
  }

  /** As many writes as one batch may hold, at least one. */
  #take(): Entry[] {
    let bytes = 0;
    let changes = 0;
    let count = 0;
    for (const entry of this.#queue) {
      bytes += entry.bytes;
      changes += entry.changes.length;
      if (count > 0 && (bytes > batchBytesMax || changes > batchChangesMax)) break;
      count += 1;
    }
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  #nextCeiling(): Stamp {
    const last = this.#options.lastStamp();
    const { ceiling } = this.#committed;
    return last > ceiling - ceilingAhead / 2 ? last + ceilingAhead : ceiling;
  }

  #rowAfter(entries: readonly Entry[], ceiling: Stamp): BatchRow {
    const before = this.#committed;
    const number = before.number + 1;
    const sums = new RowSum(before);
    let first = Math.max(before.first, number - batchRowsMax + 1);
    let tallies: Map<number, number> | undefined;
    for (const entry of entries) {
      sums.include(entry.sums);
      for (const change of entry.tallies) {
        tallies ??= new Map(before.tallies);
        tally(tallies, change);
        if ('reset' in change) this.#resetAt.set(change.index, number);
      }
      if (entry.correction === undefined) continue;
      sums.include(entry.correction.sums);
      first = Math.max(first, entry.correction.first);
      tallies ??= new Map(before.tallies);
      this.#correctTallies(tallies, entry.correction);
    }
    const { count, low, high } = sums;
    return { number, first, count, low, high, ceiling, tallies: tallies ?? before.tallies };
  }

  #correctTallies(tallies: Map<number, number>, correction: Correction): void {
    for (const [index, add] of correction.tallies) {
      if ((this.#resetAt.get(index) ?? 0) <= correction.sinceNumber) tally(tallies, { index, add });
    }
  }

  #succeeded(row: BatchRow, synced: boolean): void {
    const entries = this.#inFlight;
    this.#inFlight = [];
    this.#committed = row;
    this.batches += 1;
    this.#unsynced = !synced;
    if (synced) this.#stopSyncTimer();
    else if (this.#mode === 'everysec') this.#startSyncTimer();
    this.#options.onCommitted(row.number);
    for (const entry of entries) entry.done.settle();
    if (this.#queue.length > 0) this.#startSoon();
  }

  /** Whoever holds pending changes takes them back first; only then are the writers told. */
  #failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    const lost = this.#inFlight;
    const queued = this.#queue;
    this.#inFlight = [];
    this.#queue = [];
    this.#stopSyncTimer();
    const refusal = new StoreError(error.code === 'full' ? 'full' : 'fenced');
    this.#refusal ??= refusal;
    this.#options.onFailed(error);
    for (const entry of lost) entry.done.fail(new StoreError('unknown', error.message, error));
    for (const entry of queued) entry.done.fail(refusal);
  }

  #startSyncTimer(): void {
    this.#syncTimer ??= this.#system.timers.after(everysecMs, () => {
      this.#syncTimer = undefined;
      this.sync();
    });
  }

  #stopSyncTimer(): void {
    this.#syncTimer?.cancel();
    this.#syncTimer = undefined;
  }
}
