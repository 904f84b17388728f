/**
 * One timer for the deadlines of all calls. Most calls are answered long before, so it runs about
 * once per time-out and finds little, instead of being set and cancelled for every call.
 */
import type { System, Timer } from '../runtime/ports.ts';
import { deadlineStepMs } from './limits.ts';

export class Deadlines {
  readonly #system: System;
  /** Ends what is due; returns the earliest deadline of the rest, infinity if there is none. */
  readonly #expire: (nowMs: number) => number;
  #timer: Timer | undefined;
  #nextAtMs = Number.POSITIVE_INFINITY;

  constructor(system: System, expire: (nowMs: number) => number) {
    this.#system = system;
    this.#expire = expire;
  }

  /** There is something that is due then. */
  add(deadlineAtMs: number, nowMs: number): void {
    if (deadlineAtMs >= this.#nextAtMs) return;
    this.#timer?.cancel();
    this.#nextAtMs = Math.ceil(deadlineAtMs / deadlineStepMs) * deadlineStepMs;
    this.#timer = this.#system.timers.after(this.#nextAtMs - nowMs, this.#look);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  readonly #look = (): void => {
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#system.clock.monotonicMs();
    const earliestAtMs = this.#expire(nowMs);
    if (earliestAtMs < Number.POSITIVE_INFINITY) this.add(earliestAtMs, nowMs);
  };
}
