/**
 * What one node stores. Every change of a key goes through `mutate`: one synchronous step reads the
 * record, decides, draws the dot and hands the new row to the storage, so that actor, epoch, stamp
 * and record always belong together (DESIGN 3.3). What is not yet committed lies in the overlay:
 * the next change of the key builds on it; a reader waits until it is committed, so that no client
 * sees what a crash could take back (I20). When a commit fails the overlay is dropped and the epoch
 * renewed in the same turn.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { type Later, nothing, outcomeOf } from '../base/later.ts';
import { emptyRecord, type Record, type Stamp, siblingKind } from '../causal/record.ts';
import {
  decodeVersionVector,
  newWinnerView,
  peekWinner,
  type WinnerView,
} from '../causal/record-codec.ts';
import type { StampClock } from '../causal/stamp-clock.ts';
import { isExpired, isForgotten, withoutFlushed } from '../causal/visible.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import type { Visible } from '../updates/update.ts';
import { ActorRule } from './actor-rule.ts';
import { addAgenda } from './agenda.ts';
import { type Current, CurrentRow, type Issuers } from './current.ts';
import type { FlushStamps } from './flush-stamps.ts';
import { Flushes } from './flushes.ts';
import { answerTo, borrowing, mergeInto } from './incoming.ts';
import type { KeyFilter } from './key-filter.ts';
import type { Pending } from './overlay.ts';
import { PeerStamps } from './peer-stamps.ts';
import type { Place } from './place.ts';
import { Rows } from './rows.ts';
import type { SlotCounts } from './slot-counts.ts';
import {
  readRecord,
  readStanding,
  readStored,
  recordStart,
  type StoredRecord,
  sealStored,
  standingOf,
} from './stored-record.ts';
import { countedAs, tallyChanges } from './tallies.ts';

export interface ReplicaOptions {
  readonly databases: number;
  readonly cacheBytes: number;
  readonly filter: KeyFilter;
  /** Only where the node shows itself as a Redis Cluster. */
  readonly slotCounts?: SlotCounts | undefined;
}

export interface Decision<T> {
  /** What the replica holds from now on; undefined = nothing changes. */
  readonly record?: Record;
  readonly result: T;
}

export type Upkeep = 'keep' | 'restand' | 'delete';

/** What of a record decides whether a scan over several replicas shows its key. */
export interface Rank {
  /** Of the winner; of a record without siblings the highest stamp that it has seen. */
  readonly order: Stamp;
  /** Of the winner's dot; a record without siblings is above all that it may have seen. */
  readonly stamp: Stamp;
  readonly visible: boolean;
}

export class Replica {
  readonly #system: System;
  readonly #flushes: Flushes;
  readonly #winner = newWinnerView();
  readonly actors: ActorRule;
  /** Shared with the hints for other nodes, which lie and change in the same way. */
  readonly rows: Rows;
  readonly issuers: Issuers;
  readonly peerStamps: PeerStamps;
  /** Reads that found more than one sibling, since start. */
  readsWithSiblings = 0;

  constructor(store: Store, system: System, clock: StampClock, options: ReplicaOptions) {
    const { databases, filter, cacheBytes, slotCounts } = options;
    this.#system = system;
    this.actors = new ActorRule(system.random);
    this.rows = new Rows(store, filter, cacheBytes, slotCounts);
    this.issuers = { actors: this.actors, clock };
    this.peerStamps = new PeerStamps(system, clock);
    const newest = (): Stamp => this.peerStamps.newest;
    this.#flushes = new Flushes(store, system, clock, { databases, newest, slotCounts });
  }

  /** The flushes in force. */
  get flushed(): FlushStamps {
    return this.#flushes.inForce;
  }

  get cacheBytes(): number {
    return this.rows.cacheBytes;
  }

  /** Records that came with a stamp far ahead of the clock, since start. */
  get wildStamps(): number {
    return this.peerStamps.wild;
  }

  /** What a plain reader sees, once it is committed. */
  readVisible(place: Place): Later<Visible | undefined> {
    return this.rows.read(place, (row) => this.#visibleOf(place, row));
  }

  /** The record, flushed siblings taken out, once it is committed; its bytes are the caller's. */
  readRecord(place: Place): Later<Record> {
    return this.rows.read(place, (row) => {
      if (row === undefined) return emptyRecord;
      const owned = own(row);
      const record = readRecord(owned, bodyStart, bodyEnd(owned));
      return withoutFlushed(record, this.flushed.of(place.db));
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
    return this.rows.change(place, access, (row, pending) => {
      const current = this.#current(place, row);
      const { record, result } = decide(current);
      if (record === undefined) return { pending, result };
      return { pending: this.#replace(place, row, current, record), result };
    });
  }

  /**
   * Merges what a peer holds of the key into what is held here, a corrupt record counting as
   * nothing and always making way, be it for nothing. Answers the merged record, flushed siblings
   * taken out, once it is committed, be that by this call or by one before it. `incoming` is
   * borrowed for the call. The values of the answer are those of `incoming` if there are no others,
   * else copies of the caller's own.
   */
  absorb(place: Place, incoming: Record): Later<Record> {
    this.peerStamps.observe(incoming.vv);
    return borrowing(incoming, (take) =>
      this.rows.change(place, 'overwrite', (row, pending, corrupt) => {
        const current = this.#current(place, row);
        const brought = withoutFlushed(take(), this.flushed.of(place.db));
        const merged = mergeInto(current, brought);
        const result = answerTo(brought, merged ?? current.record);
        if (merged !== undefined) {
          return { pending: this.#replace(place, row, current, merged), result };
        }
        if (corrupt === undefined) return { pending, result };
        return { pending: this.#write(place, undefined, undefined), result };
      }),
    );
  }

  /**
   * Rewrites the bookkeeping of the newest row, or deletes it: the sweeper's and the reclaimer's
   * way in. No dot, no new state of the record. `decide` runs in the key's order, in the turn of
   * the change; `forgotten`: a flush has hidden all that the record knows.
   */
  maintain(
    place: Place,
    decide: (stored: StoredRecord | undefined, forgotten: boolean) => Upkeep,
  ): Later<void> {
    return this.rows.change(place, 'change', (row) => {
      const none = { pending: undefined, result: undefined };
      const stored = row && readStored(row, bodyStart, bodyEnd(row));
      const flushStamp = this.flushed.of(place.db);
      const upkeep = decide(stored, stored !== undefined && isForgotten(stored.record, flushStamp));
      if (row === undefined || stored === undefined || upkeep === 'keep') return none;
      const restood = { ...stored, ...standingOf(stored.record, this.#system.clock.wallMs()) };
      const next = upkeep === 'delete' ? undefined : restood;
      return { pending: this.#write(place, row, next), result: undefined };
    });
  }

  /**
   * Deletes a record that this node need no longer hold, unless it has changed since `row` was
   * read. Its actors go with it: what comes back later is written under new ones (DESIGN 3.3).
   */
  dropIfUnchanged(place: Place, row: Buffer): Later<boolean> {
    return this.rows.change(place, 'overwrite', (held) => {
      if (held === undefined || !held.equals(row)) return { pending: undefined, result: false };
      return { pending: this.#write(place, held, undefined), result: true };
    });
  }

  /** Deletes what nobody can read and this node need not hold; false if there is no such thing. */
  dropCorrupt(place: Place): Later<boolean> {
    return this.rows.change(place, 'overwrite', (_, _pending, corrupt) => {
      if (corrupt === undefined) return { pending: undefined, result: false };
      return { pending: this.#write(place, undefined, undefined), result: true };
    });
  }

  /** Hides everything written to these databases so far; settles when that is committed. */
  flush(dbs: readonly number[], stamp?: Stamp): Later<void> {
    return this.#flushes.flush(dbs, stamp);
  }

  /** A peer knows of a flush: in force at once if it is new; settles when it is committed. */
  raiseFlush(db: number, stamp: Stamp): Later<void> {
    return this.#flushes.hear(db, stamp);
  }

  /**
   * The same in passing: what is written after it shares its commit or comes later, so nobody need
   * wait for it.
   */
  hearFlush(db: number, stamp: Stamp): void {
    if (stamp <= this.flushed.of(db)) return;
    outcomeOf(() => this.raiseFlush(db, stamp), nothing, nothing);
  }

  /** At open: the flush stamps found in the storage. */
  restoreFlushed(stamps: FlushStamps): void {
    this.#flushes.restore(stamps);
  }

  /** A commit failed: what was pending never was, and no dot drawn for it may be continued. */
  takeBack(): void {
    this.rows.takeBack();
    this.#flushes.takeBack();
    this.actors.renew();
  }

  /**
   * The storage has been opened again: what failed may be there after all, a flush too, so nothing
   * that was read before counts.
   */
  reopened(): void {
    this.rows.forget();
    this.#flushes.reread();
  }

  /** Calls back once no step waits for the disk to read its record. */
  onIdle(run: () => void): void {
    this.rows.onIdle(run);
  }

  /** True if a reader sees a value in this committed row. */
  isVisible(place: Place, row: Buffer): boolean {
    return this.#peek(place, row) !== undefined;
  }

  /** undefined: all that this committed row knows is flushed. */
  rankOf(place: Place, row: Buffer): Rank | undefined {
    const recordAt = recordStart(row, bodyStart);
    const { siblings, order, dotStamp } = peekWinner(row, recordAt, this.#winner);
    const flushStamp = this.flushed.of(place.db);
    if (siblings > 0 && order > flushStamp) {
      return { order, stamp: dotStamp, visible: this.isVisible(place, row) };
    }
    let newest = 0;
    for (const { stamp } of decodeVersionVector(row, recordAt)) newest = Math.max(newest, stamp);
    if (newest <= flushStamp) return undefined;
    return { order: newest, stamp: Number.MAX_SAFE_INTEGER, visible: false };
  }

  #current(place: Place, row: Buffer | undefined): CurrentRow {
    const nowMs = this.#system.clock.wallMs();
    return new CurrentRow(row, this.flushed.of(place.db), nowMs, this.issuers);
  }

  #replace(place: Place, row: Buffer | undefined, current: CurrentRow, record: Record): Pending {
    const { mine, nowMs } = current;
    const { standing, agendaAtMs } = standingOf(record, nowMs);
    return this.#write(place, row, { standing, agendaAtMs, mine, record });
  }

  /** Hands the change to the storage: the row, its agenda rows, its tallies. */
  #write(place: Place, previous: Buffer | undefined, next: StoredRecord | undefined): Pending {
    const { storageKey } = place;
    const row = next && sealStored(storageKey, next, this.#system.hashes.crc32);
    const changes: Change[] = [{ key: storageKey, row, previous }];
    addAgenda(changes, storageKey, previous && readStanding(previous, bodyStart), next);
    const flushStamp = this.flushed.of(place.db);
    const before = previous && countedAs(previous, flushStamp, this.#winner);
    const after = row && countedAs(row, flushStamp, this.#winner);
    const tallies = tallyChanges(place.db, before, after);
    return this.rows.write(place, row ?? emptyBytes, previous === undefined, changes, tallies);
  }

  #peek(place: Place, row: Buffer): WinnerView | undefined {
    const view = peekWinner(row, recordStart(row, bodyStart), this.#winner);
    const seen =
      view.siblings > 0 &&
      view.kind === siblingKind.value &&
      view.order > this.flushed.of(place.db) &&
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
