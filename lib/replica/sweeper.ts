/**
 * What happens to records without a client asking, in bounded steps: an expired key stops being
 * counted, what has been dead for long enough is reaped, and what a flush has hidden is removed.
 * The agenda has one row per record that needs attention, in the order of the instants.
 *
 * Readers never depend on it: expiry is exact for them by the clock. Reaping forgets a record's
 * version vector, so it waits until every owner holds the delete (DESIGN 3.4); `mayReap` says
 * whether that is known. What may still be on its way is bounded by the longest message lifetime;
 * an expired record besides waits `tombstone-grace-s`, because clocks differ.
 */
import { StoreError } from '../base/errors.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { type Agenda, agendaRange, parseAgendaKey } from '../storage/keys.ts';
import { sealMeta } from '../storage/meta.ts';
import type { Store } from '../storage/store.ts';
import { agendaOf } from './agenda.ts';
import { FlushStamps, reclaimedMetaName } from './flush-stamps.ts';
import { placeOfStorageKey } from './place.ts';
import type { Replica, Upkeep } from './replica.ts';
import { readPage, Scanner } from './scanner.ts';
import { type StoredRecord, standingOf } from './stored-record.ts';

export interface SweeperOptions {
  /** Whether every owner is known to hold the deletes of this node; one member: always. */
  readonly mayReap: () => boolean;
  readonly graceMs: () => number;
  readonly databases: number;
}

const periodMs = 100;
/** Records looked at in one step; then clients have their turn. */
const stepRecords = 200;
/** No frame is handled that is older (DESIGN 3.4). */
export const messageLifetimeMs = 60_000;

export class Sweeper {
  readonly #replica: Replica;
  readonly #store: Store;
  readonly #system: System;
  readonly #options: SweeperOptions;
  readonly #scanner: Scanner;
  #reclaimed: FlushStamps;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Keys that expired, and dead records removed, since start. */
  expiredKeys = 0;
  reaped = 0;

  constructor(replica: Replica, store: Store, system: System, options: SweeperOptions) {
    this.#replica = replica;
    this.#store = store;
    this.#system = system;
    this.#options = options;
    this.#scanner = new Scanner(replica, store, system);
    this.#reclaimed = FlushStamps.none(options.databases);
  }

  /** `reclaimed`: the flushes whose space is known to be reclaimed. */
  start(reclaimed: FlushStamps): void {
    this.#reclaimed = reclaimed;
    this.#timer = this.#system.timers.every(periodMs, () => {
      this.#running ??= this.#sweep().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #sweep(): Promise<void> {
    try {
      await this.#work('expires', 0);
      await this.#reclaim();
      if (!this.#options.mayReap()) return;
      await this.#work('expired', this.#options.graceMs());
      await this.#work('deleted', messageLifetimeMs);
    } catch (error) {
      // The storage refuses for now; the agenda is still there at the next turn.
      if (!(error instanceof StoreError)) throw error;
      this.#system.log.debug('sweep put off', { reason: error.message });
    }
  }

  /** Removes what flushes have hidden; a restart begins anew if this was not finished. */
  async #reclaim(): Promise<void> {
    const { flushed } = this.#replica;
    if (!flushed.isAheadOf(this.#reclaimed)) return;
    if (!(await this.#scanner.reclaim(() => this.#stopped))) return;
    this.#reclaimed = flushed;
    const { crc32 } = this.#system.hashes;
    await this.#store.write([sealMeta(reclaimedMetaName, flushed.encode(), crc32)]);
  }

  /** Steps through the agenda rows that are due until a step finds few, or gets nowhere. */
  async #work(agenda: Agenda, delayMs: number): Promise<void> {
    for (let full = true; full && !this.#stopped && this.#store.state !== 'fenced'; ) {
      const dueUntilMs = this.#system.clock.wallMs() - delayMs;
      if (dueUntilMs < 0) return;
      const rows = await readPage(this.#store, agendaRange(agenda, dueUntilMs), stepRecords);
      const done = await Promise.all(rows.map(({ key }) => this.#attend(agenda, key)));
      full = rows.length === stepRecords && done.some((changed) => changed);
    }
  }

  /** False: there was nothing to do after all (the clock stepped back). */
  async #attend(agenda: Agenda, agendaKey: Buffer): Promise<boolean> {
    const { atMs, dataKey } = parseAgendaKey(agendaKey);
    let kept = false;
    const drop = (): PromiseLike<void> =>
      this.#store.write([{ key: agendaKey, row: undefined, previous: undefined }]);
    try {
      await this.#replica.maintain(placeOfStorageKey(dataKey), (stored, forgotten) => {
        if (stored === undefined || stored.agendaAtMs !== atMs || agendaOf(stored) !== agenda) {
          drop().then(undefined, () => {});
          return 'keep';
        }
        const upkeep = this.#upkeepOf(agenda, stored, forgotten);
        kept = upkeep === 'keep';
        return upkeep;
      });
    } catch (error) {
      // A corrupt record can be neither judged nor reaped; it must not hold up the others.
      if (!(error instanceof StoreError && error.code === 'corrupt')) throw error;
      await drop();
    }
    return !kept;
  }

  /** What a flush has forgotten needs nobody's consent; the rest is only known to be due. */
  #upkeepOf(agenda: Agenda, stored: StoredRecord, forgotten: boolean): Upkeep {
    const { standing } = standingOf(stored.record, this.#system.clock.wallMs());
    if (!forgotten && agenda === 'expires') {
      if (standing === stored.standing) return 'keep';
      if (standing === 'expired') this.expiredKeys += 1;
      return 'restand';
    }
    if (!forgotten && standing !== 'expired' && standing !== 'deleted') return 'keep';
    this.reaped += 1;
    return 'delete';
  }
}
