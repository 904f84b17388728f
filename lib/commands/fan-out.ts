/**
 * One operation per key, for the commands that take many. All are started in one go, in the order
 * of the keys, and all have ended before the command is answered, so that nothing runs on unseen.
 *
 * A write refused for one key after another key's was begun has not "certainly not happened"
 * (DESIGN 2.5), so the command as a whole is UNCERTAIN then.
 */
import { RedisError, StoreError } from '../base/errors.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';

type Start<T> = (key: Buffer, index: number) => Later<T>;

/** The answers in the order of the keys; else the first failure. */
export function readEach<T>(keys: readonly Buffer[], start: Start<T>): Later<readonly T[]> {
  return new FanOut<T>(keys.length, ([first]) => first).run(keys, start);
}

/** The same for writes: a failure of some keys only is UNCERTAIN. */
export function writeEach<T>(keys: readonly Buffer[], start: Start<T>): Later<readonly T[]> {
  return new FanOut<T>(keys.length, uncertainIfPartial).run(keys, start);
}

/** The failure of the whole, from those of its parts in the order of their coming. */
type Judge = (failures: readonly unknown[], keysCount: number) => unknown;

function uncertainIfPartial(failures: readonly unknown[], keysCount: number): unknown {
  const fault = failures.find((failure) => !isRefusal(failure));
  if (fault !== undefined) return fault;
  const [first] = failures;
  if (failures.length === keysCount || !(first instanceof Error)) return first;
  const writtenCount = keysCount - failures.length;
  return new RedisError(
    `UNCERTAIN ${writtenCount} of ${keysCount} keys written, then: ${first.message}`,
  );
}

/** True for a failure after which the write has certainly not happened. */
function isRefusal(failure: unknown): boolean {
  if (failure instanceof StoreError) return failure.code !== 'unknown';
  return failure instanceof RedisError && !failure.message.startsWith('UNCERTAIN');
}

class FanOut<T> {
  readonly #keysCount: number;
  readonly #judge: Judge;
  readonly #answers: T[] = [];
  readonly #failures: unknown[] = [];
  readonly #whole = new Deferred<readonly T[]>();
  #endedCount = 0;

  constructor(keysCount: number, judge: Judge) {
    this.#keysCount = keysCount;
    this.#judge = judge;
  }

  run(keys: readonly Buffer[], start: Start<T>): Later<readonly T[]> {
    for (const [index, key] of keys.entries()) {
      try {
        const answer = start(key, index);
        if (isLater(answer)) {
          answer.then(
            (value) => this.#answered(value, index),
            (error: unknown) => this.#failed(error),
          );
        } else this.#answered(answer, index);
      } catch (error) {
        this.#failed(error);
      }
    }
    return this.#whole;
  }

  #answered(answer: T, index: number): void {
    this.#answers[index] = answer;
    this.#ended();
  }

  #failed(error: unknown): void {
    this.#failures.push(error);
    this.#ended();
  }

  #ended(): void {
    this.#endedCount += 1;
    if (this.#endedCount < this.#keysCount) return;
    if (this.#failures.length === 0) this.#whole.settle(this.#answers);
    else this.#whole.fail(this.#judge(this.#failures, this.#keysCount));
  }
}
