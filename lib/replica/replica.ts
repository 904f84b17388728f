/**
 * What one node stores. Every change of a key goes through `mutate`: one synchronous step reads the
 * record, decides, draws the dot and hands the new row to the storage, so that actor, epoch, stamp
 * and record always belong together (DESIGN 3.3). What is not yet committed lies in the overlay:
 * the next change of the key builds on it; a reader waits until it is committed, so that no client
 * sees what a crash could take back (I20). When a commit fails the overlay is dropped and the epoch
 * renewed in the same turn.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { after, type Deferred, isLater, type Later } from '../base/later.ts';
import { emptyRecord, type Record, type Stamp, siblingKind } from '../causal/record.ts';
import { newWinnerView, peekWinner, type WinnerView } from '../causal/record-codec.ts';
import type { StampClock } from '../causal/stamp-clock.ts';
import { isExpired, withoutFlushed } from '../causal/visible.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { type Agenda, agendaKey } from '../storage/keys.ts';
import { readMeta, sealMeta } from '../storage/meta.ts';
import { bodyEnd, bodyStart, newRow, seal } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import type { Visible } from '../updates/update.ts';
import { ActorRule } from './actor-rule.ts';
import { type Current, CurrentRow, type Issuers } from './current.ts';
import { FlushStamps, flushMetaName } from './flush-stamps.ts';
import type { KeyFilter } from './key-filter.ts';
import type { Pending } from './overlay.ts';
import type { Place } from './place.ts';
import { Rows } from './rows.ts';
import {
  type Bookkeeping,
  readRecord,
  readStanding,
  readStored,
  recordStart,
  type Standing,
  type StoredRecord,
  standingOf,
  storedBytes,
  writeStored,
} from './stored-record.ts';
import { tallyChanges, tallyExpiring, tallyLive } from './tallies.ts';

export interface ReplicaOptions {
  readonly databases: number;
  readonly cacheBytes: number;
  readonly filter: KeyFilter;
}

export interface Decision<T> {
  /** What the replica holds from now on; undefined = nothing changes. */
  readonly record?: Record;
  readonly result: T;
}

export type Upkeep = 'keep' | 'restand' | 'delete';

/** A decision taken, and the row that its result waits for. */
interface Step<T> {
  readonly pending: Pending | undefined;
  readonly result: T;
}

export class Replica {
  readonly #store: Store;
  readonly #system: System;
  readonly #clock: StampClock;
  readonly #rows: Rows;
  readonly #winner = newWinnerView();
  readonly actors: ActorRule;
  readonly #issuers: Issuers;
  /** Reads that found more than one sibling, since start. */
  readsWithSiblings = 0;
  #flushed: FlushStamps;
  #flushedDurably: FlushStamps;

  constructor(store: Store, system: System, clock: StampClock, options: ReplicaOptions) {
    this.#store = store;
    this.#system = system;
    this.#clock = clock;
    this.#rows = new Rows(store, options.filter, options.cacheBytes);
    this.actors = new ActorRule(system.random);
    this.#issuers = { actors: this.actors, clock };
    this.#flushed = FlushStamps.none(options.databases);
    this.#flushedDurably = this.#flushed;
  }

  get flushed(): FlushStamps {
    return this.#flushed;
  }

  get cacheBytes(): number {
    return this.#rows.cacheBytes;
  }

  /** What a plain reader sees, once it is committed. */
  readVisible(place: Place): Later<Visible | undefined> {
    return this.#read(place, (row) => this.#visibleOf(place, row));
  }

  /** The record, flushed siblings taken out, once it is committed; its bytes are the caller's. */
  readRecord(place: Place): Later<Record> {
    return this.#read(place, (row) => {
      if (row === undefined) return emptyRecord;
      const owned = own(row);
      const record = readRecord(owned, bodyStart, bodyEnd(owned));
      return withoutFlushed(record, this.#flushed.of(place.db));
    });
  }

  /**
   * Changes one key. `decide` runs in one turn with the storage of its outcome; it may run later,
   * but never twice. The result comes when what it is based on, and what it wrote, is committed.
   * `overwrite` takes a corrupt record for none: the way to put something right in its place.
   */
  mutate<T>(
    place: Place,
    decide: (current: Current) => Decision<T>,
    access: 'change' | 'overwrite' = 'change',
  ): Later<T> {
    const step = this.#rows.use(place, access, (row, pending) => {
      const nowMs = this.#system.clock.wallMs();
      const current = new CurrentRow(row, this.#flushed.of(place.db), nowMs, this.#issuers);
      const { record, result } = decide(current);
      if (record === undefined) return { pending, result };
      const { mine } = current;
      const { standing, agendaAtMs } = standingOf(record, nowMs);
      return { pending: this.#write(place, row, { standing, agendaAtMs, mine, record }), result };
    });
    return after(step, resultOf);
  }

  /**
   * Rewrites the bookkeeping of the newest row, or deletes it: the sweeper's and the reclaimer's
   * way in. No dot, no new state of the record. `decide` runs in the key's order, in the turn of
   * the change; `counted` is undefined for a record that a flush has hidden.
   */
  maintain(
    place: Place,
    decide: (stored: StoredRecord | undefined, counted: Standing | undefined) => Upkeep,
  ): Later<void> {
    const step = this.#rows.use(place, 'change', (row): Step<void> => {
      const stored = row && readStored(row, bodyStart, bodyEnd(row));
      const upkeep = decide(stored, row && this.#countedAs(place, row));
      if (row === undefined || stored === undefined || upkeep === 'keep') {
        return { pending: undefined, result: undefined };
      }
      const restood = { ...stored, ...standingOf(stored.record, this.#system.clock.wallMs()) };
      const next = upkeep === 'delete' ? undefined : restood;
      return { pending: this.#write(place, row, next), result: undefined };
    });
    return after(step, resultOf);
  }

  /** Hides everything written to these databases so far; settles when that is committed. */
  flush(dbs: readonly number[]): Deferred<void> {
    const stamp = this.#clock.tick(this.#system.clock.wallMs());
    const stamps = this.#flushed.raise(dbs, stamp);
    this.#flushed = stamps;
    const resets = dbs.flatMap((db) => [
      { index: tallyLive(db), reset: true } as const,
      { index: tallyExpiring(db), reset: true } as const,
    ]);
    const row = sealMeta(flushMetaName, stamps.encode(), this.#system.hashes.crc32);
    return this.#store.write([row], resets).then(() => {
      this.#flushedDurably = stamps;
    });
  }

  /** At open: the flush stamps found in the storage. */
  restoreFlushed(stamps: FlushStamps): void {
    this.#flushed = stamps;
    this.#flushedDurably = stamps;
  }

  /** A commit failed: what was pending never was, and no dot drawn for it may be continued. */
  takeBack(): void {
    this.#rows.takeBack();
    this.#flushed = this.#flushedDurably;
    this.actors.renew();
  }

  /**
   * The storage has been opened again: what failed may be there after all, a flush too, so nothing
   * that was read before counts.
   */
  reopened(): void {
    this.#rows.forget();
    const unread = (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#system.log.warning('the flush stamps could not be read again', { reason });
    };
    readMeta(this.#store, flushMetaName).then((bytes) => {
      if (bytes !== undefined) this.restoreFlushed(FlushStamps.decode(bytes));
    }, unread);
  }

  /** Calls back once no step waits for the disk to read its record. */
  onIdle(run: () => void): void {
    this.#rows.onIdle(run);
  }

  /** True if a reader sees a value in this committed row. */
  isVisible(place: Place, row: Buffer): boolean {
    return this.#peek(place, row) !== undefined;
  }

  /** `look` sees the newest row; its answer comes once that row is committed. */
  #read<T>(place: Place, look: (row: Buffer | undefined) => T): Later<T> {
    let waitFor: Pending | undefined;
    const seen = this.#rows.use(place, 'read', (row, pending) => {
      waitFor = pending;
      return look(row);
    });
    if (!isLater(seen) && waitFor === undefined) return seen;
    return after(seen, (value) => {
      if (waitFor === undefined) return value;
      // A row that was never committed has never been: what is there now counts.
      return waitFor.answer(value).then(undefined, () => this.#read(place, look));
    });
  }

  /** Hands the change to the storage: the row, its agenda rows, its tallies. */
  #write(place: Place, previous: Buffer | undefined, next: StoredRecord | undefined): Pending {
    const { storageKey } = place;
    let row: Buffer | undefined;
    if (next !== undefined) {
      row = newRow(storedBytes(next));
      writeStored(row, bodyStart, next);
      seal(storageKey, row, this.#system.hashes.crc32);
    }
    const changes: Change[] = [{ key: storageKey, row, previous }];
    const before = previous && readStanding(previous, bodyStart);
    addAgenda(changes, storageKey, before, undefined);
    addAgenda(changes, storageKey, next, emptyBytes);
    const counted = previous && this.#countedAs(place, previous);
    const tallies = tallyChanges(place.db, counted, next?.standing);
    return this.#rows.write(place, row ?? emptyBytes, previous === undefined, changes, tallies);
  }

  /** What the tallies hold for a stored row: a flushed one counts no more. */
  #countedAs(place: Place, row: Buffer): Standing | undefined {
    return countedAs(row, this.#flushed.of(place.db), this.#winner);
  }

  #peek(place: Place, row: Buffer): WinnerView | undefined {
    const view = peekWinner(row, recordStart(row, bodyStart), this.#winner);
    const seen =
      view.siblings > 0 &&
      view.kind === siblingKind.value &&
      view.order > this.#flushed.of(place.db) &&
      !isExpired(view.expireAtMs, this.#system.clock.wallMs());
    return seen ? view : undefined;
  }

  #visibleOf(place: Place, row: Buffer | undefined): Visible | undefined {
    const view = row === undefined ? undefined : this.#peek(place, row);
    if (row === undefined || view === undefined) return undefined;
    if (view.siblings > 1) this.readsWithSiblings += 1;
    return {
      bytes: Buffer.from(row.subarray(view.valueStart, view.valueEnd)),
      expireAtMs: view.expireAtMs,
    };
  }
}

function resultOf<T>({ pending, result }: Step<T>): Later<T> {
  return pending === undefined ? result : pending.answer(result);
}

function addAgenda(
  changes: Change[],
  storageKey: Buffer,
  kept: Pick<Bookkeeping, 'standing' | 'agendaAtMs'> | undefined,
  row: Buffer | undefined,
): void {
  const agenda = kept && agendaOf(kept);
  if (kept === undefined || agenda === undefined) return;
  changes.push({ key: agendaKey(agenda, kept.agendaAtMs, storageKey), row, previous: undefined });
}

/** The agenda row that goes with a row's bookkeeping. */
export function agendaOf({
  standing,
  agendaAtMs,
}: Pick<Bookkeeping, 'standing' | 'agendaAtMs'>): Agenda | undefined {
  if (agendaAtMs === 0) return undefined;
  return standing === 'expired' || standing === 'deleted' ? standing : 'expires';
}

/** How a stored row counts once `flushStamp` is in force. */
export function countedAs(row: Buffer, flushStamp: Stamp, view: WinnerView): Standing | undefined {
  const { standing } = readStanding(row, bodyStart);
  if (flushStamp === 0 || standing === 'deleted' || standing === 'expired') return standing;
  const { order } = peekWinner(row, recordStart(row, bodyStart), view);
  return order > flushStamp ? standing : undefined;
}
