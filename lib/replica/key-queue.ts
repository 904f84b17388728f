/**
 * One step at a time per key. Most steps answer at once and never meet the queue; a step that must
 * wait for the disk holds its key until it is done, and what arrives for the key meanwhile runs
 * after it in the order of arrival. Two read-modify-writes of one key that interleave around an
 * `await` lose an update: the classic race of asynchronous JavaScript.
 */
import { Fifo } from '../base/fifo.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';

/** Runs; true = it waits for something and keeps the key until then. */
type Step = () => boolean;

export class KeyQueue {
  /** Keys held, each with the steps waiting for it. */
  readonly #held = new Map<string, Fifo<Step>>();
  #whenIdle: (() => void)[] = [];

  get idle(): boolean {
    return this.#held.size === 0;
  }

  /** Calls back once no key is held; at once if none is. */
  onIdle(run: () => void): void {
    if (this.idle) run();
    else this.#whenIdle.push(run);
  }

  /** Settles once each step has run that waits for its key or holds it now. */
  settled(): Later<void> {
    let open = this.#held.size;
    if (open === 0) return undefined;
    const done = new Deferred<void>();
    for (const waiting of this.#held.values()) {
      waiting.push(() => {
        open -= 1;
        if (open === 0) done.settle();
        return false;
      });
    }
    return done;
  }

  /** A `step` that throws at once throws out of here if it did not have to wait for its turn. */
  run<T>(key: string, step: () => Later<T>): Later<T> {
    const waiting = this.#held.get(key);
    if (waiting !== undefined) {
      const result = new Deferred<T>();
      waiting.push(() => this.#begin(key, step, result));
      return result;
    }
    const answer = step();
    if (!isLater(answer)) return answer;
    const result = new Deferred<T>();
    this.#held.set(key, new Fifo());
    this.#follow(key, answer, result);
    return result;
  }

  #begin<T>(key: string, step: () => Later<T>, result: Deferred<T>): boolean {
    try {
      const answer = step();
      if (isLater(answer)) {
        this.#follow(key, answer, result);
        return true;
      }
      result.settle(answer);
    } catch (error) {
      result.fail(error);
    }
    return false;
  }

  #follow<T>(key: string, answer: PromiseLike<T>, result: Deferred<T>): void {
    answer.then(
      (value) => {
        result.settle(value);
        this.#next(key);
      },
      (error: unknown) => {
        result.fail(error);
        this.#next(key);
      },
    );
  }

  /** The key goes to the next in line, and on, until one of them holds it. */
  #next(key: string): void {
    const waiting = this.#held.get(key);
    for (let step = waiting?.shift(); step !== undefined; step = waiting?.shift()) {
      if (step()) return;
    }
    this.#held.delete(key);
    if (this.idle) for (const run of this.#whenIdle.splice(0)) run();
  }
}
