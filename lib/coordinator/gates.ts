/**
 * Lets one EXEC or MSETNX have its slots for itself. Operations on a slot begin at once while
 * nobody holds it; while somebody does they line up and begin in order once it is free. Holding is
 * short: until the holder's operations have read and decided, not until they are on the disk.
 *
 * Several slots are taken in ascending order, so that two holders never wait for each other.
 */
import { Fifo } from '../base/fifo.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';

/** True: it holds the slot now, and those behind it wait. */
type Turn = () => boolean;

export class Gates {
  /** Slots held, each with those waiting for it. */
  readonly #held = new Map<number, Fifo<Turn>>();

  /** Whether nothing is held at all: the usual case, asked for at every operation. */
  get areOpen(): boolean {
    return this.#held.size === 0;
  }

  /** Begins `operation` now, or once nobody holds its slot. */
  pass<T>(slot: number, operation: () => Later<T>): Later<T> {
    const waiting = this.#held.get(slot);
    if (waiting === undefined) return operation();
    const turn = new Deferred<void>();
    waiting.push(() => {
      turn.settle();
      return false;
    });
    return turn.then(operation);
  }

  /** Begins an operation on all slots once those held now have been free. */
  async passAll<T>(operation: () => Later<T>): Promise<T> {
    for (const slot of [...this.#held.keys()]) await this.pass(slot, () => undefined);
    return operation();
  }

  /** Holds these slots until what `body` returns has settled. */
  async hold<T>(slots: readonly number[], body: () => Later<T>): Promise<T> {
    const wanted = [...new Set(slots)].sort((a, b) => a - b);
    for (const slot of wanted) {
      const taken = this.#take(slot);
      if (isLater(taken)) await taken;
    }
    try {
      return await body();
    } finally {
      for (const slot of wanted) this.#release(slot);
    }
  }

  #take(slot: number): Later<void> {
    const waiting = this.#held.get(slot);
    if (waiting === undefined) {
      this.#held.set(slot, new Fifo());
      return undefined;
    }
    const turn = new Deferred<void>();
    waiting.push(() => {
      turn.settle();
      return true;
    });
    return turn;
  }

  /** The slot goes to the next in line, and on, until one of them holds it. */
  #release(slot: number): void {
    const waiting = this.#held.get(slot);
    for (let turn = waiting?.shift(); turn !== undefined; turn = waiting?.shift()) {
      if (turn()) return;
    }
    this.#held.delete(slot);
  }
}
