/**
 * One operation per key, for the commands that take many. All are started in the order of the keys,
 * and all have ended before the command is answered, so that nothing runs on unseen.
 *
 * They are started in one go as long as that is short. A large request, which owns its bytes by
 * now, goes slice by slice: the next one starts when the last has ended and others have had their
 * turn, so that a million writes are never in memory, and nobody's write queues behind them.
 *
 * A write refused for one key after another key's was begun has not "certainly not happened"
 * (DESIGN 2.5), so the command as a whole is UNCERTAIN then.
 */
import { RedisError, StoreError } from '../base/errors.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';
import type { Timers } from '../runtime/ports.ts';
import type { Call } from './command.ts';
import { largeRequestArguments } from './dispatch.ts';

/** Keys started in one go. */
const sliceKeys = largeRequestArguments;

type Start<T> = (key: Buffer, index: number) => Later<T>;

/** The answers in the order of the keys; else the first failure. */
export function readEach<T>(
  call: Call,
  keys: readonly Buffer[],
  start: Start<T>,
): Later<readonly T[]> {
  return new FanOut<T>(keys, start, firstOf, call.ports.system.timers).run();
}

/** The same for writes: a failure of some keys only is UNCERTAIN. */
export function writeEach<T>(
  call: Call,
  keys: readonly Buffer[],
  start: Start<T>,
): Later<readonly T[]> {
  return new FanOut<T>(keys, start, uncertainIfPartial, call.ports.system.timers).run();
}

/** The failure of the whole, from those of its parts in the order of their coming. */
type Judge = (failures: readonly unknown[], keysCount: number) => unknown;

function firstOf([first]: readonly unknown[]): unknown {
  return first;
}

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
  readonly #keys: readonly Buffer[];
  readonly #start: Start<T>;
  readonly #judge: Judge;
  readonly #timers: Timers;
  readonly #answers: T[] = [];
  readonly #failures: unknown[] = [];
  readonly #whole = new Deferred<readonly T[]>();
  /** Keys of the slices that have been started. */
  #sliceEnd = 0;
  #endedCount = 0;

  constructor(keys: readonly Buffer[], start: Start<T>, judge: Judge, timers: Timers) {
    this.#keys = keys;
    this.#start = start;
    this.#judge = judge;
    this.#timers = timers;
  }

  run(): Later<readonly T[]> {
    this.#startSlice();
    return this.#whole;
  }

  #startSlice(): void {
    const first = this.#sliceEnd;
    this.#sliceEnd = Math.min(first + sliceKeys, this.#keys.length);
    const slice = this.#keys.slice(first, this.#sliceEnd);
    for (const [offset, key] of slice.entries()) this.#begin(key, first + offset);
  }

  #begin(key: Buffer, index: number): void {
    try {
      const answer = this.#start(key, index);
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
    if (this.#endedCount < this.#sliceEnd) return;
    if (this.#sliceEnd < this.#keys.length) this.#timers.soon(() => this.#startSlice());
    else this.#end();
  }

  #end(): void {
    if (this.#failures.length === 0) this.#whole.settle(this.#answers);
    else this.#whole.fail(this.#judge(this.#failures, this.#keys.length));
  }
}
