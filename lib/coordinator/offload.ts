/**
 * An old owner gives up what it owns no more (RELIABILITY 1.9, D1). Every record in slots that this
 * node owns in no active layout goes to all owners of its slot, and is dropped here once each of
 * them has answered from its disk, and only if it is still what was sent. An owner that is down
 * delays nothing but that.
 *
 * Nothing is remembered: the slots are looked through at the start, after every change of the
 * layouts, and from time to time, which costs one seek for each run of them that is empty. A change
 * that is not over yet may make this node an owner again, so nothing is dropped until then. What is
 * damaged here is not repaired, but dropped.
 */
import { StoreError } from '../base/errors.ts';
import type { Place } from '../replica/place.ts';
import { type PagedRecord, RecordPages, type Slots } from '../replica/record-pages.ts';
import { slotCount } from '../ring/slots.ts';
import type { Timer } from '../runtime/ports.ts';
import { PeerError } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import { allOwnersOf, pushSynced } from './synced-push.ts';

export interface OffloadOptions {
  /** Whether one layout is active again. */
  mayDrop(): boolean;
}

const periodMs = 1000;
/** Between two looks when the last one found something that could not go. */
const retryMs = 3000;
/** When it found nothing. */
const idleMs = 60_000;
/** A write that began before the change is committed by then. */
const quietMs = 2000;
/** Records under way at once. */
const pageLimits = { bytes: 256 * 1024, rows: 64 } as const;

export class Offload {
  readonly #parts: Parts;
  readonly #options: OffloadOptions;
  readonly #pages: RecordPages;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #nextAtMs = 0;
  #pending = true;
  /** Grows with every change of the layouts. */
  #changes = 0;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #layouts: readonly unknown[];

  constructor(parts: Parts, options: OffloadOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#pages = new RecordPages(parts.replica, parts.store);
    this.#layouts = parts.ring.layouts;
  }

  /** Whether records may be left here that others should have; true until that is known. */
  get pending(): boolean {
    return this.#pending;
  }

  start(): void {
    const { system, ring } = this.#parts;
    this.#timer = system.timers.every(periodMs, () => this.#look());
    ring.onChange(() => {
      if (ring.layouts === this.#layouts) return;
      this.#layouts = ring.layouts;
      this.#changes += 1;
      this.#changedAtMs = system.clock.monotonicMs();
      this.#pending = true;
      this.#nextAtMs = 0;
      this.#look();
    });
    this.#look();
  }

  /** Settles when nothing is under way; what is ends with the links. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #look(): void {
    const nowMs = this.#parts.system.clock.monotonicMs();
    if (this.#stopped || this.#running !== undefined || nowMs < this.#nextAtMs) return;
    if (!this.#options.mayDrop()) return;
    this.#running = this.#round().finally(() => {
      this.#running = undefined;
    });
  }

  async #round(): Promise<void> {
    const { clock, log } = this.#parts.system;
    const changes = this.#changes;
    const isQuiet = clock.monotonicMs() - this.#changedAtMs >= quietMs;
    let left = 0;
    try {
      for (const slots of this.#foreignRuns()) left += await this.#offload(slots);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log.verbose('giving up records put off', { reason: error.message });
      left += 1;
    }
    if (this.#stopped || changes !== this.#changes) return;
    this.#pending = left > 0 || !isQuiet;
    this.#nextAtMs = clock.monotonicMs() + (this.#pending ? retryMs : idleMs);
  }

  /** Slots that this node owns in no active layout. */
  #foreignRuns(): readonly Slots[] {
    const { ring } = this.#parts;
    const slotsEach = slotCount / ring.reading.partitions;
    const runs: Slots[] = [];
    for (let from = 0; from < slotCount; from += slotsEach) {
      if (ring.isOwner(from)) continue;
      const to = from + slotsEach;
      const last = runs.at(-1);
      if (last?.to === from) runs[runs.length - 1] = { from: last.from, to };
      else runs.push({ from, to });
    }
    return runs;
  }

  /** How many records of these slots have not gone. */
  async #offload(slots: Slots): Promise<number> {
    let left = 0;
    let behind: Buffer | undefined;
    do {
      if (this.#stopped || !this.#options.mayDrop()) return left + 1;
      const { records, corrupt, next } = await this.#pages.page(behind, slots, pageLimits);
      const gone = await Promise.all([
        ...records.map((record) => this.#giveUp(record)),
        ...corrupt.map((place) => this.#giveUpCorrupt(place)),
      ]);
      left += gone.filter((hasGone) => !hasGone).length;
      behind = next;
    } while (behind !== undefined);
    return left;
  }

  /** The owners have what it was from each other, and it would hold up every scan here. */
  async #giveUpCorrupt(place: Place): Promise<boolean> {
    const { ring, replica, system } = this.#parts;
    if (!this.#options.mayDrop() || ring.isOwner(place.slot)) return false;
    const hasGone = await replica.dropCorrupt(place);
    if (hasGone) {
      system.log.warning('gave up a damaged record that others own', { slot: place.slot });
    }
    return true;
  }

  async #giveUp({ place, record, row }: PagedRecord): Promise<boolean> {
    const { ring, replica, system } = this.#parts;
    const changes = this.#changes;
    const owners = allOwnersOf(this.#parts, place.slot);
    if (owners.some((owner) => ring.isDown(owner))) return false;
    try {
      // What a flush has hidden altogether nobody needs.
      if (record.vv.length > 0) await pushSynced(this.#parts, place, record, owners);
      // Nothing may come between this look and the drop, which has its turn before later writes.
      if (changes !== this.#changes || !this.#options.mayDrop() || ring.isOwner(place.slot)) {
        return false;
      }
      return await replica.dropIfUnchanged(place, row);
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof StoreError)) throw error;
      system.log.debug('a record could not be given up', { reason: error.message });
      return false;
    }
  }
}
