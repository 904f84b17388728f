/**
 * How many operations of clients are under way at once. A ring that is given more than it can do
 * would otherwise start them all and see them all run into their deadlines; what waits here has not
 * begun, and its deadline neither. The line is bounded by what connections may have in flight.
 *
 * What peers forward is never held up here: two full nodes would wait for each other.
 */
import { Fifo } from '../base/fifo.ts';
import { Deferred, type Later, outcomeOf } from '../base/later.ts';

export class Throttle {
  readonly #max: number;
  readonly #waiting = new Fifo<() => void>();
  #open = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether what is run now will begin later: borrowed bytes won't do. */
  get isFull(): boolean {
    return this.#open >= this.#max;
  }

  /** Begins now, or in its turn. */
  run<T>(start: () => Later<T>): Later<T> {
    const answer = new Deferred<T>();
    if (this.isFull) this.#waiting.push(() => this.#begin(start, answer));
    else this.#begin(start, answer);
    return answer;
  }

  #begin<T>(start: () => Later<T>, answer: Deferred<T>): void {
    this.#open += 1;
    outcomeOf(
      start,
      (value) => {
        this.#end();
        answer.settle(value);
      },
      (error) => {
        this.#end();
        answer.fail(error);
      },
    );
  }

  #end(): void {
    this.#open -= 1;
    if (!this.isFull) this.#waiting.shift()?.();
  }
}
