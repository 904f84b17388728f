/**
 * Hints on their way home (Dynamo 4.6). As soon as the target answers again, and every second as
 * long as there is something to deliver, its hints go out in the order of their keys, a bounded
 * number at a time. A hint is deleted only after the target has confirmed it from its disk, and
 * only if it is still what was delivered: a write that came meanwhile waits for the next round.
 *
 * Nothing triggers this but time and the target's return: a holder under constant load delivers too
 * (OpenRiak #48, scylla #18761).
 */
import { StoreError } from '../base/errors.ts';
import type { Hint } from '../replica/hint-store.ts';
import type { Timer } from '../runtime/ports.ts';
import { PeerError } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { encodeReplicate, replicateFlags } from './peer-messages.ts';

const periodMs = 1000;
/** Hints of one target under way. */
const inFlightMax = 64;
/** The target waits for its disk. */
const timeoutMs = 5000;

export class Handoff {
  readonly #parts: Parts;
  readonly #running = new Map<number, Promise<void>>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = this.#parts.system.timers.every(periodMs, () => this.#look());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await Promise.all(this.#running.values());
  }

  /** This member answers again. */
  isBack(member: number): void {
    if (this.#stopped || this.#running.has(member) || this.#parts.hints.pending === 0) return;
    const delivering = this.#deliver(member).finally(() => this.#running.delete(member));
    this.#running.set(member, delivering);
  }

  #look(): void {
    const { ring, hints } = this.#parts;
    if (hints.pending === 0) return;
    for (const member of ring.members.keys()) {
      if (member !== ring.self && ring.verdict(member) === 'up') this.isBack(member);
    }
  }

  /** All that there is for one target; ends early when it fails, for the next look to go on. */
  async #deliver(member: number): Promise<void> {
    const { ring, hints, system } = this.#parts;
    const target = ring.idBytesOf(member);
    let from: Buffer | undefined;
    try {
      while (!this.#stopped) {
        const page = await hints.page(target, from, inFlightMax);
        const last = page.at(-1);
        if (last === undefined) return;
        from = last.place.storageKey;
        await Promise.all(page.map((hint) => this.#handOver(member, hint)));
      }
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof StoreError)) throw error;
      const fields = { target: ring.nameOf(member), reason: error.message };
      system.log.verbose('handoff put off', fields);
    }
  }

  async #handOver(member: number, { place, record, row }: Hint): Promise<void> {
    const { ring, transport, hints, replica, counts } = this.#parts;
    const head = { place, flushStamp: replica.flushed.of(place.db) };
    const body = encodeReplicate(head, replicateFlags.synced, record);
    await transport.call(ring.idOf(member), peerKinds.replicate, body, timeoutMs);
    const removed = await hints.removeIfUnchanged(ring.idBytesOf(member), place, row);
    if (removed) counts.hintsDelivered += 1;
  }
}
