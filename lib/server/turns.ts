/**
 * Who runs when. The event loop looks at everything that is readable before it accepts one new
 * connection (libuv of Node 20 takes one per iteration) and before it hears of a write that has
 * reached the disk. Were each of fifty busy connections given 2 ms, that iteration would be
 * 100 ms long, and a client behind a few dozen new ones wait for seconds. So all share one budget.
 *
 * While an iteration has time left, a connection runs at once when there is something to do for it.
 * Else it is queued, and runs in a later iteration, in the order of the queue; who comes meanwhile
 * is queued behind. One connection's own turn is bounded by `connection.ts`.
 *
 *   time that connections take in one iteration <= iterationMs + one turn
 */
import { Fifo } from '../base/fifo.ts';
import type { System } from '../runtime/ports.ts';
import { iterationMs } from './limits.ts';

export interface TurnTaker {
  /** Called once for each time that it asked. */
  takeTurn(nowMs: number): void;
}

export class Turns {
  readonly #system: System;
  readonly #waiting = new Fifo<TurnTaker>();
  /** In this iteration, which ends when the queue is looked at. */
  #spentMs = 0;
  #awaitsNext = false;

  constructor(system: System) {
    this.#system = system;
  }

  /** A turn now, or in a later iteration behind those who wait. */
  ask(taker: TurnTaker): void {
    if (this.#waiting.length === 0 && this.#spentMs < iterationMs) this.#give(taker);
    else this.#waiting.push(taker);
    this.#awaitNext();
  }

  /** A turn in a later iteration: for one whose turn is over and that has more to do. */
  askAgain(taker: TurnTaker): void {
    this.#waiting.push(taker);
    this.#awaitNext();
  }

  #awaitNext(): void {
    if (this.#awaitsNext) return;
    this.#awaitsNext = true;
    this.#system.timers.soon(this.#next);
  }

  /** Whoever asks while this runs comes in the iteration after it. */
  readonly #next = (): void => {
    this.#awaitsNext = false;
    this.#spentMs = 0;
    for (let left = this.#waiting.length; left > 0 && this.#spentMs < iterationMs; left -= 1) {
      const taker = this.#waiting.shift();
      if (taker !== undefined) this.#give(taker);
    }
    if (this.#waiting.length > 0) this.#awaitNext();
  };

  #give(taker: TurnTaker): void {
    const { clock } = this.#system;
    const beganAtMs = clock.monotonicMs();
    taker.takeTurn(beganAtMs);
    this.#spentMs += clock.monotonicMs() - beganAtMs;
  }
}
