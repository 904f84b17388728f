/**
 * A new owner takes over what was written before it was one (RELIABILITY 1.9, S1). It asks every
 * old owner that can be reached, and at least N - W + 1 of them, so that one of those asked holds
 * each acknowledged write; what is written meanwhile is sent to it anyway, and merging makes the
 * order irrelevant. A partition counts as filled once all of that is on the disk.
 *
 * Neighbouring partitions with the same old owners go together. What fails is tried again, for
 * ever: until a partition is filled nobody reads from here, so it costs time alone. In the first
 * rounds an old owner that is up but fails is waited for, since it may hold what no quorum
 * promised; later enough of them will do.
 */
import { CodecError } from '../base/byte-reader.ts';
import { own } from '../base/bytes.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import type { Later } from '../base/later.ts';
import type { Slots } from '../replica/record-pages.ts';
import { slotCount } from '../ring/slots.ts';
import type { Timer } from '../runtime/ports.ts';
import { PeerError } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { decodePage, encodeTransfer } from './transfers.ts';

export interface FillingOptions {
  /** Partitions of the newest layout that this node has yet to fill, ascending. */
  pending(): readonly number[];
  /** They are filled: settles once that is on the disk. */
  filled(partitions: readonly number[]): Later<void>;
  /** The old owners of a partition. */
  sourcesOf(partition: number): readonly number[];
  /** How many of them must have been asked: N - W + 1 of the layout that they own it in. */
  needed(partition: number): number;
}

/** Neighbours with the same sources. */
interface Run {
  readonly first: number;
  readonly partitions: readonly number[];
  readonly sources: readonly number[];
}

const periodMs = 200;
/** Of one page; a record may be as long as the longest value. */
const timeoutMs = 30_000;
/** A run that fails is begun anew, so it must not be too long. */
const runPartitionsMax = 64;
/** Runs that are noted as filled in one go. */
const runsAtOnce = 32;
const sourcesAtOnce = 2;
/** Rounds without progress in which every old owner that is up is waited for. */
const patientRounds = 15;
const stalledMs = 30_000;

export class Filling {
  readonly #parts: Parts;
  readonly #options: FillingOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Rounds that have filled nothing. */
  #idleRounds = 0;
  #progressAtMs = 0;
  /** Why the last source failed. */
  #reason = 'nobody was asked';

  constructor(parts: Parts, options: FillingOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  start(): void {
    const { system, ring } = this.#parts;
    this.#timer = system.timers.every(periodMs, () => this.#look());
    ring.onChange(() => this.#look());
  }

  /** Settles when nothing is under way; what is ends with the links. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #look(): void {
    if (this.#stopped || this.#running !== undefined) return;
    if (this.#options.pending().length === 0) {
      this.#progressed();
      return;
    }
    this.#running = this.#round().finally(() => {
      this.#running = undefined;
    });
  }

  /** Goes once over all that is pending. */
  async #round(): Promise<void> {
    const runs = this.#runs();
    let hasFilled = false;
    for (let at = 0; at < runs.length && !this.#stopped; at += runsAtOnce) {
      if (await this.#fillAll(runs.slice(at, at + runsAtOnce))) hasFilled = true;
    }
    if (hasFilled) this.#progressed();
    else this.#stalled();
  }

  /** Whether some of them are filled now. */
  async #fillAll(runs: readonly Run[]): Promise<boolean> {
    const { ring, store } = this.#parts;
    const { version } = ring;
    const partitions: number[] = [];
    try {
      for (const run of runs) {
        if (this.#stopped) return false;
        if (await this.#fill(run)) partitions.push(...run.partitions);
      }
      if (partitions.length === 0 || ring.version !== version) return false;
      await store.sync();
      if (ring.version !== version) return false;
      await this.#options.filled(partitions);
      return true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#reason = error.message;
      return false;
    }
  }

  /** Whether enough of the old owners have handed out all that they hold. */
  async #fill({ first, partitions, sources }: Run): Promise<boolean> {
    const { ring } = this.#parts;
    const slotsEach = slotCount / ring.reading.partitions;
    const slots = { from: first * slotsEach, to: (first + partitions.length) * slotsEach };
    const left = sources.filter((source) => source !== ring.self && !ring.isDown(source));
    const needed = this.#options.needed(first);
    const askable = left.length;
    if (askable < needed) {
      this.#reason = `${askable} of ${needed} old owners can be reached`;
      return false;
    }
    let pulled = 0;
    const pullOn = async (): Promise<void> => {
      for (let source = left.shift(); source !== undefined; source = left.shift()) {
        if (await this.#pull(source, slots)) pulled += 1;
      }
    };
    await Promise.all(Array.from({ length: sourcesAtOnce }, pullOn));
    const wanted = this.#idleRounds < patientRounds ? askable : needed;
    return pulled >= Math.max(wanted, needed);
  }

  /** Whether all that one old owner holds of these slots is held here. */
  async #pull(source: number, slots: Slots): Promise<boolean> {
    const { ring, transport, replica, system } = this.#parts;
    const { version } = ring;
    let behind: Buffer | undefined;
    try {
      do {
        if (this.#stopped || ring.version !== version) return false;
        const body = encodeTransfer({ version, slots, behind });
        const answer = transport.call(ring.idOf(source), peerKinds.transfer, body, timeoutMs);
        const page = decodePage(await answer.then(own));
        for (const [db, stamp] of page.flushStamps.entries()) replica.hearFlush(db, stamp);
        await Promise.all(page.records.map(({ place, record }) => replica.absorb(place, record)));
        behind = page.next;
      } while (behind !== undefined);
      return true;
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.#reason = `${ring.nameOf(source)}: ${error.message}`;
      system.log.verbose('a transfer will be tried again', { reason: this.#reason });
      return false;
    }
  }

  #runs(): readonly Run[] {
    const runs: (Run & { readonly partitions: number[] })[] = [];
    for (const partition of this.#options.pending()) {
      const sources = this.#options.sourcesOf(partition);
      const last = runs.at(-1);
      const goesOn =
        last !== undefined &&
        last.partitions.length < runPartitionsMax &&
        last.first + last.partitions.length === partition &&
        isSame(last.sources, sources) &&
        this.#options.needed(last.first) === this.#options.needed(partition);
      if (goesOn) last.partitions.push(partition);
      else runs.push({ first: partition, partitions: [partition], sources });
    }
    return runs;
  }

  #progressed(): void {
    this.#idleRounds = 0;
    this.#progressAtMs = this.#parts.system.clock.monotonicMs();
  }

  #stalled(): void {
    this.#idleRounds += 1;
    const { clock, log } = this.#parts.system;
    if (clock.monotonicMs() - this.#progressAtMs < stalledMs) return;
    this.#progressAtMs = clock.monotonicMs();
    const partitions = this.#options.pending().length;
    log.warning('partitions wait for their old owners', { partitions, reason: this.#reason });
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}

/** A peer that fails, one that answers nonsense, the own disk. */
function isExpected(error: unknown): error is Error {
  return (
    error instanceof PeerError ||
    error instanceof CodecError ||
    error instanceof StoreError ||
    error instanceof RedisError
  );
}
