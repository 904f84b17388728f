/**
 * Hints on their way home (Dynamo 4.6). As soon as the target answers again, and every second as
 * long as there is something to deliver, its hints go out in the order of their keys, a bounded
 * number at a time. A hint is deleted only after the target has confirmed it from its disk, and
 * only if it is still what was delivered: a write that came meanwhile waits for the next round.
 *
 * A change of the layouts leaves hints astray: their target does not own the key any more, or is
 * gone. They are looked for after each change, and go to all owners of the key as they are now
 * (RELIABILITY 1.6).
 *
 * Nothing triggers this but time, the target's return and the layouts: a holder under constant load
 * delivers too (OpenRiak #48, scylla #18761).
 */
import { mapKey } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Hint } from '../replica/hint-store.ts';
import type { Layout } from '../ring/layout.ts';
import type { Timer } from '../runtime/ports.ts';
import { PeerError } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import { allOwnersOf, pushSynced } from './synced-push.ts';

const periodMs = 1000;
/** Hints of one target under way. */
const inFlightMax = 64;
/** Between two searches for hints astray while some could not go. */
const searchMs = 5000;

export class Handoff {
  readonly #parts: Parts;
  readonly #running = new Map<number, Promise<unknown>>();
  #timer: Timer | undefined;
  #searching: Promise<void> | undefined;
  #searchedAtMs = Number.NEGATIVE_INFINITY;
  /** By target: since these layouts are active none of its hints is astray. */
  readonly #searched = new Map<string, readonly Layout[]>();
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  start(): void {
    const { system, ring } = this.#parts;
    this.#timer = system.timers.every(periodMs, () => this.#look());
    ring.onChange(() => {
      this.#searchedAtMs = Number.NEGATIVE_INFINITY;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await Promise.all([...this.#running.values(), this.#searching]);
  }

  /** This member answers again. */
  isBack(member: number): void {
    if (this.#stopped || this.#running.has(member) || this.#parts.hints.pending === 0) return;
    const target = this.#parts.ring.idBytesOf(member);
    const delivering = this.#walk(target, (hint) => this.#deliver(member, hint)).finally(() =>
      this.#running.delete(member),
    );
    this.#running.set(member, delivering);
  }

  #look(): void {
    const { ring, hints, system } = this.#parts;
    if (hints.pending === 0) return;
    for (const member of ring.active) {
      if (member !== ring.self && ring.verdict(member) === 'up') this.isBack(member);
    }
    const nowMs = system.clock.monotonicMs();
    if (this.#searching !== undefined || nowMs - this.#searchedAtMs < searchMs) return;
    this.#searchedAtMs = nowMs;
    this.#searching = this.#search().finally(() => {
      this.#searching = undefined;
    });
  }

  /**
   * Looks through the hints of every target for those astray: once while the layouts last, and
   * again while it finds some that cannot go, or the target is nobody's owner any more.
   */
  async #search(): Promise<void> {
    const { ring, hints, system } = this.#parts;
    try {
      for (const target of await hints.targets()) {
        const { layouts } = ring;
        const name = mapKey(target);
        const member = ring.indexOf(target.toString('hex')) ?? nobody;
        if (ring.active.includes(member) && this.#searched.get(name) === layouts) continue;
        const haveGone = await this.#walk(target, (hint) => this.#sendOn(member, target, hint));
        if (haveGone && ring.layouts === layouts) this.#searched.set(name, layouts);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      system.log.verbose('the search for hints astray put off', { reason: error.message });
    }
  }

  /**
   * Shows all hints for one target; false if `handOver` said so of one. It ends early when that
   * fails, for the next look to go on.
   */
  async #walk(target: Buffer, handOver: (hint: Hint) => Promise<boolean>): Promise<boolean> {
    const { hints, system } = this.#parts;
    let haveGone = true;
    let from: Buffer | undefined;
    try {
      while (!this.#stopped) {
        const page = await hints.page(target, from, inFlightMax);
        const last = page.at(-1);
        if (last === undefined) return haveGone;
        from = last.place.storageKey;
        const gone = await Promise.all(page.map(handOver));
        haveGone &&= gone.every((hasGone) => hasGone);
      }
    } catch (error) {
      if (!isPassing(error)) throw error;
      const fields = { target: target.toString('hex'), reason: error.message };
      system.log.verbose('handoff put off', fields);
    }
    return false;
  }

  /** To its target. */
  async #deliver(member: number, hint: Hint): Promise<boolean> {
    const target = this.#parts.ring.idBytesOf(member);
    if (allOwnersOf(this.#parts, hint.place.slot).includes(member)) {
      await this.#handOver(target, hint, [member]);
      return true;
    }
    this.#searched.delete(mapKey(target));
    return false;
  }

  /** To all owners, unless its target is one of them. */
  async #sendOn(member: number, target: Buffer, hint: Hint): Promise<boolean> {
    const { ring } = this.#parts;
    const owners = allOwnersOf(this.#parts, hint.place.slot);
    if (owners.includes(member)) return true;
    if (owners.some((owner) => ring.isDown(owner))) return false;
    return this.#handOver(target, hint, owners).then(
      () => true,
      (error: unknown) => {
        if (!isPassing(error)) throw error;
        return false;
      },
    );
  }

  /** Removes the hint once these have it on their disks. */
  async #handOver(
    target: Buffer,
    { place, record, row }: Hint,
    to: readonly number[],
  ): Promise<void> {
    const { hints, counts } = this.#parts;
    await pushSynced(this.#parts, place, record, to);
    if (await hints.removeIfUnchanged(target, place, row)) counts.hintsDelivered += 1;
  }
}

/** No member has this number. */
const nobody = -1;

function isPassing(error: unknown): error is PeerError | StoreError {
  return error instanceof PeerError || error instanceof StoreError;
}
