/**
 * What a write waits for before it reads or decides anything: that W can be reached, where somebody
 * who has just been let in is still coming up; and that no two nodes name different coordinators of
 * read-modify-writes, where a layout has just been given up. Both last for a ping or two. What
 * waits longer than its client does in vain: it has certainly not happened.
 */
import { RedisError } from '../base/errors.ts';
import { Deferred } from '../base/later.ts';
import type { Place } from '../replica/place.ts';
import type { Parts } from './parts.ts';

/** Of an operation: how long it is worth waiting. */
export interface Waiter {
  /** Its client has been told that it did not happen, so it must not. */
  isOver: boolean;
  /** Settles then, if somebody waits for it. */
  over: Deferred<void> | undefined;
}

export class RingWaits {
  readonly #parts: Parts;
  /** Operations that wait, and have read nothing yet. */
  readonly #waiting = new Set<Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Refuses what cannot be held by W. True: it can be once those have come up who have just been
   * let in.
   */
  mustWait(place: Place, w: number): boolean {
    const { ring, counts } = this.#parts;
    const shortage = this.#shortage(place, w);
    if (shortage === undefined) return false;
    if (ring.awaitsNewcomers) return true;
    counts.writeFailures += 1;
    throw new RedisError(shortage);
  }

  /** Settles once W can be reached, or the time is over. */
  reached(place: Place, w: number, waiter: Waiter): Promise<void> {
    return this.#waitWhile(() => this.mustWait(place, w), waiter);
  }

  /** Settles once all who are there coordinate by one layout, or the time is over. */
  undisputed(waiter: Waiter): Promise<void> {
    return this.#waitWhile(() => this.#parts.ring.isDisputed, waiter);
  }

  /** Settles once nothing waits that waits now, whatever its key: there is little of it. */
  async settled(): Promise<void> {
    if (this.#waiting.size > 0) await Promise.allSettled(this.#waiting);
  }

  /** Looks again with every change of the ring. */
  #waitWhile(mustWait: () => boolean, waiter: Waiter): Promise<void> {
    const { ring } = this.#parts;
    waiter.over ??= new Deferred();
    const { over } = waiter;
    const wait = async (): Promise<void> => {
      while (!waiter.isOver && mustWait()) await Promise.race([ring.nextChange(), over]);
    };
    const waiting = wait();
    this.#waiting.add(waiting);
    const ended = (): boolean => this.#waiting.delete(waiting);
    waiting.then(ended, ended);
    return waiting;
  }

  /** What is missing for W copies, in words. */
  #shortage({ slot }: Place, w: number): string | undefined {
    const { ring, settings } = this.#parts;
    const usable = (members: readonly number[]): number =>
      members.filter((member) => ring.takesWrites(member)).length;
    for (const owners of ring.ownerSets(slot)) {
      const up = usable(owners);
      const standIns = settings().strict ? 0 : usable(ring.fallbacksOf(slot));
      const reachable = up + Math.min(standIns, owners.length - up);
      if (reachable >= Math.min(w, owners.length)) continue;
      return `CLUSTERDOWN need ${w} replicas, ${reachable} reachable`;
    }
    return undefined;
  }
}
