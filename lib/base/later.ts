/**
 * A value that is here, or will be. On the hot path most answers are here already (a read from the
 * cache), and the rest arrive by the hundred in one turn (the writes of one batch). A promise would
 * cost both an allocation or three and a trip through the microtask queue, so the floors hand each
 * other `Later<T>`: the bare value, or something with `then`. `await` takes either.
 */
export type Later<T> = T | PromiseLike<T>;

export function isLater<T>(value: Later<T>): value is PromiseLike<T> {
  return value instanceof Deferred || value instanceof Promise;
}

/**
 * Applies `next` now if the value is here, else when it is. A throw of `next` reaches the caller in
 * the first case and becomes the failure of the result in the second.
 */
export function after<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return isLater(value) ? value.then(next) : next(value);
}

type State = 'pending' | 'settled' | 'failed';

/**
 * A one-shot cell. Unlike a promise it calls its listeners in the very turn in which it is settled,
 * in the order in which they came. A failure nobody listens to is dropped in silence.
 */
export class Deferred<T> implements PromiseLike<T> {
  #state: State = 'pending';
  #value: T | undefined;
  #error: unknown;
  #onValue: ((value: T) => void) | undefined;
  #onError: ((error: unknown) => void) | undefined;
  #more: Deferred<T>[] | undefined;

  get pending(): boolean {
    return this.#state === 'pending';
  }

  settle(value: T): void {
    if (this.#state !== 'pending') return;
    this.#state = 'settled';
    this.#value = value;
    this.#onValue?.(value);
    for (const other of this.#more ?? []) other.settle(value);
    this.#release();
  }

  fail(error: unknown): void {
    if (this.#state !== 'pending') return;
    this.#state = 'failed';
    this.#error = error;
    this.#onError?.(error);
    for (const other of this.#more ?? []) other.fail(error);
    this.#release();
  }

  /** As `then` without a derived result: the cheap way to be told. The callbacks must not throw. */
  listen(onValue: (value: T) => void, onError: (error: unknown) => void): void {
    if (this.#state === 'settled') onValue(this.#value as T);
    else if (this.#state === 'failed') onError(this.#error);
    else if (this.#onValue === undefined) {
      this.#onValue = onValue;
      this.#onError = onError;
    } else {
      const other = new Deferred<T>();
      other.listen(onValue, onError);
      this.#more ??= [];
      this.#more.push(other);
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for.
  then<U = T, E = never>(
    onValue?: ((value: T) => Later<U>) | null,
    onError?: ((error: unknown) => Later<E>) | null,
  ): Deferred<U | E> {
    const result = new Deferred<U | E>();
    this.listen(
      (value) => {
        if (onValue) result.#follow(() => onValue(value));
        else result.settle(value as unknown as U);
      },
      (error) => {
        if (onError) result.#follow(() => onError(error));
        else result.fail(error);
      },
    );
    return result;
  }

  #follow(step: () => Later<T>): void {
    try {
      const outcome = step();
      if (outcome instanceof Deferred) {
        outcome.listen(
          (value) => this.settle(value),
          (error) => this.fail(error),
        );
      } else if (outcome instanceof Promise) {
        outcome.then(
          (value) => this.settle(value),
          (error: unknown) => this.fail(error),
        );
      } else this.settle(outcome as T);
    } catch (error) {
      this.fail(error);
    }
  }

  #release(): void {
    this.#onValue = undefined;
    this.#onError = undefined;
    this.#more = undefined;
  }
}
