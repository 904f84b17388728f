/**
 * What one node stores. Every change of a key goes through `mutate`: one synchronous step reads the
 * record, decides, draws the dot and hands the new row to the storage, so that actor, epoch, stamp
 * and record always belong together (DESIGN 3.3). What is not yet committed lies in the overlay:
 * the next change of the key builds on it; a reader waits until it is committed, so that no client
 * sees what a crash could take back (I20). When a commit fails the overlay is dropped and the epoch
 * renewed in the same turn.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import { after, type Deferred, isLater, type Later } from '../base/later.ts';
import {
  type Dot,
  emptyRecord,
  type Record,
  type Stamp,
  siblingKind,
  type VersionVector,
} from '../causal/record.ts';
import { newWinnerView, peekWinner, type WinnerView } from '../causal/record-codec.ts';
import type { StampClock } from '../causal/stamp-clock.ts';
import { isExpired, withoutFlushed } from '../causal/visible.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { type Agenda, agendaKey } from '../storage/keys.ts';
import { sealMeta } from '../storage/meta.ts';
import { bodyEnd, bodyStart, sealRow } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import type { Visible } from '../updates/update.ts';
import { ActorRule, nobody } from './actor-rule.ts';
import { FlushStamps, flushMetaName } from './flush-stamps.ts';
import { KeyQueue } from './key-queue.ts';
import type { Place } from './place.ts';
import { RecordCache } from './record-cache.ts';
import {
  type Bookkeeping,
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
}

/** What a decision may look at. Values of `record` are views of this turn. */
export interface Current {
  /** Flushed siblings taken out; the empty record if there is none. */
  readonly record: Record;
  readonly nowMs: number;
  /** Names the write being decided, which has seen `context`; at most once per decision. */
  issue(context: VersionVector): Dot;
}

export interface Decision<T> {
  /** What the replica holds from now on; undefined = nothing changes. */
  readonly record?: Record;
  readonly result: T;
}

export type Upkeep = 'keep' | 'restand' | 'delete';

/** read: remembers that there is nothing; overwrite: a corrupt row counts as nothing. */
type Access = 'read' | 'change' | 'overwrite';

/** `done`: settles when the row is committed; undefined = it is. */
type Use<T> = (row: Buffer | undefined, done: Deferred<void> | undefined) => T;

/** A row not yet committed. */
interface Pending {
  readonly row: Buffer;
  readonly done: Deferred<void>;
}

const absent: StoredRecord = {
  standing: 'deleted',
  agendaAtMs: 0,
  mine: nobody,
  record: emptyRecord,
};

export class Replica {
  readonly #store: Store;
  readonly #system: System;
  readonly #clock: StampClock;
  readonly #cache: RecordCache;
  readonly #queue = new KeyQueue();
  readonly #overlay = new Map<string, Pending>();
  readonly #winner = newWinnerView();
  readonly actors: ActorRule;
  /** Reads that found more than one sibling, since start. */
  readsWithSiblings = 0;
  #flushed: FlushStamps;
  #flushedDurably: FlushStamps;

  constructor(store: Store, system: System, clock: StampClock, options: ReplicaOptions) {
    this.#store = store;
    this.#system = system;
    this.#clock = clock;
    this.#cache = new RecordCache(options.cacheBytes);
    this.actors = new ActorRule(system.random);
    this.#flushed = FlushStamps.none(options.databases);
    this.#flushedDurably = this.#flushed;
  }

  get flushed(): FlushStamps {
    return this.#flushed;
  }

  get cacheBytes(): number {
    return this.#cache.bytes;
  }

  /** What a plain reader sees, once it is committed. */
  readVisible(place: Place): Later<Visible | undefined> {
    return this.#read(place, (row) => this.#visibleOf(place, row));
  }

  /** The record, flushed siblings taken out, once it is committed; its bytes are the caller's. */
  readRecord(place: Place): Later<Record> {
    return this.#read(place, (row) =>
      row === undefined ? emptyRecord : this.#storedOf(place, own(row)).record,
    );
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
    const step = this.#withRow(place, access, (row) => this.#decide(place, row, decide));
    return after(step, ({ done, result }) =>
      done === undefined ? result : done.then(() => result),
    );
  }

  /**
   * Rewrites the bookkeeping of the newest row, or deletes it: the sweeper's and the reclaimer's way
   * in. No dot, no new state of the record. `decide` runs in the key's order, in the turn of the
   * change; `counted` is undefined for a record that a flush has hidden.
   */
  maintain(
    place: Place,
    decide: (stored: StoredRecord | undefined, counted: Standing | undefined) => Upkeep,
  ): Later<void> {
    const step = this.#withRow(place, 'change', (row) => {
      const stored = row && readStored(row, bodyStart, bodyEnd(row));
      const upkeep = decide(stored, row && stored && this.#countedAs(place, row, stored));
      if (row === undefined || stored === undefined || upkeep === 'keep')
        return { done: undefined };
      const restood = { ...stored, ...standingOf(stored.record, this.#system.clock.wallMs()) };
      return { done: this.#write(place, row, stored, upkeep === 'delete' ? undefined : restood) };
    });
    return after(step, ({ done }) => done);
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
    this.#overlay.clear();
    this.#flushed = this.#flushedDurably;
    this.actors.renew();
  }

  /** Calls back once no step waits for the disk to read its record. */
  onIdle(run: () => void): void {
    this.#queue.onIdle(run);
  }

  /** True if a reader sees a value in this committed row. */
  isVisible(place: Place, row: Buffer): boolean {
    return this.#peek(place, row) !== undefined;
  }

  /** `look` sees the newest row; its answer comes once that row is committed. */
  #read<T>(place: Place, look: (row: Buffer | undefined) => T): Later<T> {
    const step = this.#withRow(place, 'read', (row, done) => ({ seen: look(row), done }));
    return after(step, ({ seen, done }) =>
      done === undefined
        ? seen
        : done.then(
            () => seen,
            () => this.#read(place, look),
          ),
    );
  }

  /** Runs `use` with the newest row (a view of this turn), in the key's order. */
  #withRow<T>(place: Place, access: Access, use: Use<T>): Later<T> {
    if (!this.#queue.idle) {
      return this.#queue.run(place.id, () => this.#fetch(place, access, use));
    }
    const fetched = this.#fetch(place, access, use);
    return isLater(fetched) ? this.#queue.run(place.id, () => fetched) : fetched;
  }

  #fetch<T>(place: Place, access: Access, use: Use<T>): Later<T> {
    if (this.#overlay.size > 0) {
      const pending = this.#overlay.get(place.id);
      if (pending !== undefined) return use(nonEmpty(pending.row), pending.done);
    }
    const cached = this.#cache.get(place.hash32, place.storageKey);
    if (cached !== undefined) return use(nonEmpty(cached), undefined);
    return after(this.#load(place, access), (row) => {
      if (row !== undefined || access === 'read') {
        this.#cache.put(place.hash32, place.storageKey, row ?? emptyBytes);
      }
      return use(row, undefined);
    });
  }

  #load(place: Place, access: Access): Later<Buffer | undefined> {
    if (access !== 'overwrite') return this.#store.get(place.storageKey);
    try {
      const row = this.#store.get(place.storageKey);
      return isLater(row) ? row.then((found) => found, noneIfCorrupt) : row;
    } catch (error) {
      return noneIfCorrupt(error);
    }
  }

  #decide<T>(
    place: Place,
    row: Buffer | undefined,
    decide: (current: Current) => Decision<T>,
  ): { done: Deferred<void> | undefined; result: T } {
    const before = row === undefined ? absent : this.#storedOf(place, row);
    const nowMs = this.#system.clock.wallMs();
    let { mine } = before;
    const decision = decide({
      record: before.record,
      nowMs,
      issue: (context) => {
        const stamp = this.#clock.tick(nowMs);
        const choice = this.actors.choose(mine, before.record, context, stamp);
        mine = choice.mine;
        return { actor: choice.actor, stamp };
      },
    });
    if (decision.record === undefined) {
      return { done: this.#overlay.get(place.id)?.done, result: decision.result };
    }
    const next = { ...standingOf(decision.record, nowMs), mine, record: decision.record };
    return { done: this.#write(place, row, before, next), result: decision.result };
  }

  /** Hands the change to the storage: the row, its agenda rows, its tallies. */
  #write(
    place: Place,
    previous: Buffer | undefined,
    before: StoredRecord,
    next: StoredRecord | undefined,
  ): Deferred<void> {
    const { storageKey } = place;
    const row =
      next === undefined
        ? emptyBytes
        : sealRow(
            storageKey,
            storedBytes(next),
            (target, offset) => writeStored(target, offset, next),
            this.#system.hashes.crc32,
          );
    const changes: Change[] = [
      {
        key: storageKey,
        row: next === undefined ? undefined : row,
        previous: previous === undefined ? undefined : own(previous),
      },
    ];
    const oldAgenda = agendaOf(before);
    const newAgenda = next === undefined ? undefined : agendaOf(next);
    if (oldAgenda !== undefined) {
      const key = agendaKey(oldAgenda, before.agendaAtMs, storageKey);
      changes.push({ key, row: undefined, previous: undefined });
    }
    if (newAgenda !== undefined && next !== undefined) {
      const key = agendaKey(newAgenda, next.agendaAtMs, storageKey);
      changes.push({ key, row: emptyBytes, previous: undefined });
    }
    const counted = previous === undefined ? undefined : this.#countedAs(place, previous, before);
    const done = this.#store.write(changes, tallyChanges(place.db, counted, next?.standing));
    const pending = { row, done };
    this.#overlay.set(place.id, pending);
    done.listen(
      () => {
        if (this.#overlay.get(place.id) === pending) this.#overlay.delete(place.id);
        this.#cache.put(place.hash32, storageKey, row);
      },
      () => {},
    );
    return done;
  }

  /** What the tallies hold for a stored row: a flushed one counts no more. */
  #countedAs(place: Place, row: Buffer, { standing }: Bookkeeping): Standing | undefined {
    return countedAs(row, standing, this.#flushed.of(place.db), this.#winner);
  }

  #storedOf(place: Place, row: Buffer): StoredRecord {
    const stored = readStored(row, bodyStart, bodyEnd(row));
    const record = withoutFlushed(stored.record, this.#flushed.of(place.db));
    return record === stored.record ? stored : { ...stored, record };
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

/** The agenda row that goes with a row's bookkeeping. */
export function agendaOf({ standing, agendaAtMs }: Bookkeeping): Agenda | undefined {
  if (agendaAtMs === 0) return undefined;
  return standing === 'expired' || standing === 'deleted' ? standing : 'expires';
}

/** How a stored row counts once `flushStamp` is in force. */
export function countedAs(
  row: Buffer,
  standing: Standing,
  flushStamp: Stamp,
  view: WinnerView,
): Standing | undefined {
  if (flushStamp === 0 || standing === 'deleted' || standing === 'expired') return standing;
  const { order } = peekWinner(row, recordStart(row, bodyStart), view);
  return order > flushStamp ? standing : undefined;
}

function noneIfCorrupt(error: unknown): undefined {
  if (!(error instanceof StoreError && error.code === 'corrupt')) throw error;
  return undefined;
}

function nonEmpty(row: Buffer): Buffer | undefined {
  return row.length === 0 ? undefined : row;
}
