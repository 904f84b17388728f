/**
 * Lets one EXEC or MSETNX have the data for itself. Operations begin at once while the gate is
 * open; while it is held they line up and begin in order once it is free. Holding it is short:
 * until the holder's operations have begun, not until they are on the disk.
 */
import { Fifo } from '../base/fifo.ts';
import { Deferred, type Later } from '../base/later.ts';

export class Gate {
  #held = false;
  readonly #waiting = new Fifo<() => void>();

  get isOpen(): boolean {
    return !this.#held;
  }

  /** Begins `operation` now, or once nobody holds the gate. */
  pass<T>(operation: () => Later<T>): Later<T> {
    if (!this.#held) return operation();
    const turn = new Deferred<void>();
    this.#waiting.push(() => turn.settle());
    return turn.then(operation);
  }

  /** Holds the gate until what `body` returns has settled. */
  hold<T>(body: () => Later<T>): Deferred<T> {
    const turn = new Deferred<void>();
    if (this.#held) this.#waiting.push(() => this.#take(turn));
    else this.#take(turn);
    const outcome = turn.then(body);
    outcome.listen(
      () => this.#release(),
      () => this.#release(),
    );
    return outcome;
  }

  #take(turn: Deferred<void>): void {
    this.#held = true;
    turn.settle();
  }

  #release(): void {
    this.#held = false;
    while (!this.#held) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}
