/**
 * The flushes in force on this node: from the turn in which it hears of one, before it is stored,
 * because a reader may not see today what yesterday's flush has hidden. A flush whose commit failed
 * has not been.
 */
import type { Later } from '../base/later.ts';
import type { Stamp } from '../causal/record.ts';
import type { StampClock } from '../causal/stamp-clock.ts';
import type { System } from '../runtime/ports.ts';
import { readMeta, sealMeta } from '../storage/meta.ts';
import type { Store } from '../storage/store.ts';
import { FlushStamps, flushMetaName } from './flush-stamps.ts';
import { clusterDatabase, type SlotCounts } from './slot-counts.ts';
import { tallyExpiring, tallyLive } from './tallies.ts';

export interface FlushesOptions {
  readonly databases: number;
  /** The highest stamp that anything stored here may have. */
  readonly newest: () => Stamp;
  readonly slotCounts: SlotCounts | undefined;
}

export class Flushes {
  readonly #store: Store;
  readonly #system: System;
  readonly #clock: StampClock;
  readonly #options: FlushesOptions;
  #inForce: FlushStamps;
  #durable: FlushStamps;
  /** Settles when what is in force is durable; undefined = it is. */
  #underWay: PromiseLike<void> | undefined;

  constructor(store: Store, system: System, clock: StampClock, options: FlushesOptions) {
    this.#store = store;
    this.#system = system;
    this.#clock = clock;
    this.#options = options;
    this.#inForce = FlushStamps.none(options.databases);
    this.#durable = this.#inForce;
  }

  get inForce(): FlushStamps {
    return this.#inForce;
  }

  /**
   * Hides what these databases hold up to `given`, or up to now; settles when that is committed.
   * Whatever this node writes afterwards is above the stamp.
   */
  flush(dbs: readonly number[], given?: Stamp): Later<void> {
    const newest = this.#options.newest();
    const stamp = given ?? this.#clock.tick(this.#system.clock.wallMs());
    this.#clock.lift(stamp);
    const raised = dbs.filter((db) => stamp > this.#inForce.of(db));
    if (raised.length === 0) return this.#underWay;
    const stamps = this.#inForce.raise(raised, stamp);
    this.#inForce = stamps;
    const resets = raised.flatMap((db) => [
      { index: tallyLive(db), reset: true } as const,
      { index: tallyExpiring(db), reset: true } as const,
    ]);
    const row = sealMeta(flushMetaName, stamps.encode(), this.#system.hashes.crc32);
    const written = this.#store.write([row], resets).then(
      () => {
        this.#durable = stamps;
        if (raised.includes(clusterDatabase)) this.#options.slotCounts?.flushed();
        if (this.#inForce === stamps) this.#underWay = undefined;
      },
      (error: unknown) => {
        this.takeBack();
        throw error;
      },
    );
    // A flush that comes late spares what has been written since, and nobody has counted that.
    if (stamp <= newest) this.#store.recount();
    if (this.#inForce === stamps) this.#underWay = written;
    return written;
  }

  /** The same for what another node says of a flush, as a rule nothing new. */
  hear(db: number, stamp: Stamp): Later<void> {
    return stamp > this.#inForce.of(db) ? this.flush([db], stamp) : this.#underWay;
  }

  /** At open: the stamps found in the storage. */
  restore(stamps: FlushStamps): void {
    this.#inForce = stamps;
    this.#durable = stamps;
  }

  /** A commit failed: what was pending never was. */
  takeBack(): void {
    this.#inForce = this.#durable;
    this.#underWay = undefined;
  }

  /** The storage has been opened again, and a flush that failed may be there after all. */
  reread(): void {
    readMeta(this.#store, flushMetaName).then(
      (bytes) => {
        if (bytes === undefined) return;
        const found = FlushStamps.decode(bytes);
        this.#durable = this.#durable.join(found);
        this.#inForce = this.#inForce.join(found);
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#system.log.warning('the flush stamps could not be read again', { reason });
      },
    );
  }
}
