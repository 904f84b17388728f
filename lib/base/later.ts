/**
 * A value that is here, or will be. On the hot path most answers are here already (a read from the
 * cache), and the rest arrive by the hundred in one turn (the writes of one batch). A promise would
 * cost both an allocation or three and a trip through the microtask queue, so the floors hand each
 * other `Later<T>`: the bare value, or something with `then`. `await` takes either.
 */
export type Later<T> = T | PromiseLike<T>;

export function isLater<T>(value: Later<T>): value is PromiseLike<T> {
  return typeof value === 'object' && (value instanceof Deferred || value instanceof Promise);
}

/**
 * Applies `next` now if the value is here, else when it is. A throw of `next` reaches the caller in
 * the first case and becomes the failure of the result in the second.
 */
export function after<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return isLater(value) ? value.then(next) : next(value);
}

/** Starts something and hears how it ends, be that at once or later, settled, failed or thrown. */
export function outcomeOf<T>(
  start: () => Later<T>,
  onValue: (value: T) => void,
  onError: (error: unknown) => void,
): void {
  let value: Later<T>;
  try {
    value = start();
  } catch (error) {
    onError(error);
    return;
  }
  if (!isLater(value)) onValue(value);
  else if (value instanceof Deferred) value.listen(onValue, onError);
  else value.then(onValue, onError);
}

/** For whom an outcome makes no difference. */
export function nothing(): void {}

type State = 'pending' | 'settled' | 'failed';

/**
 * A one-shot cell. Unlike a promise it calls its listeners in the very turn in which it is settled,
 * in the order in which they came. A failure nobody listens to is dropped in silence.
 *
 * A listener is a cell too, with the callbacks in it: `then` costs one object and no closure.
 */
export class Deferred<T> implements PromiseLike<T> {
  #state: State = 'pending';
  /** The value, or the error. */
  #outcome: unknown;
  #first: Deferred<unknown> | undefined;
  #more: Deferred<unknown>[] | undefined;
  /** Of a listener: what it does with the outcome of the cell it listens to. */
  #onValue: ((value: never) => unknown) | null | undefined;
  #onError: ((error: unknown) => unknown) | null | undefined;

  get pending(): boolean {
    return this.#state === 'pending';
  }

  settle(value: T): void {
    if (this.#state !== 'pending') return;
    this.#state = 'settled';
    this.#outcome = value;
    this.#tell();
  }

  fail(error: unknown): void {
    if (this.#state !== 'pending') return;
    this.#state = 'failed';
    this.#outcome = error;
    this.#tell();
  }

  /** As `then` where nobody waits for the callbacks. They must not throw. */
  listen(onValue: (value: T) => void, onError: (error: unknown) => void): void {
    this.then(onValue, onError);
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for.
  then<U = T, E = never>(
    onValue?: ((value: T) => Later<U>) | null,
    onError?: ((error: unknown) => Later<E>) | null,
  ): Deferred<U | E> {
    const listener = new Deferred<U | E>();
    listener.#onValue = onValue;
    listener.#onError = onError;
    if (this.#state !== 'pending') listener.#hear(this.#state, this.#outcome);
    else if (this.#first === undefined) this.#first = listener as Deferred<unknown>;
    else {
      this.#more ??= [];
      this.#more.push(listener as Deferred<unknown>);
    }
    return listener;
  }

  #tell(): void {
    const first = this.#first;
    const more = this.#more;
    if (first === undefined) return;
    this.#first = undefined;
    this.#more = undefined;
    first.#hear(this.#state, this.#outcome);
    if (more !== undefined) for (const other of more) other.#hear(this.#state, this.#outcome);
  }

  #hear(state: State, outcome: unknown): void {
    const step = (state === 'settled' ? this.#onValue : this.#onError) as
      | ((outcome: unknown) => Later<T>)
      | null
      | undefined;
    this.#onValue = undefined;
    this.#onError = undefined;
    if (!step) {
      if (state === 'settled') this.settle(outcome as T);
      else this.fail(outcome);
      return;
    }
    try {
      this.#follow(step(outcome));
    } catch (error) {
      this.fail(error);
    }
  }

  #follow(outcome: Later<T>): void {
    if (!isLater(outcome)) this.settle(outcome);
    else {
      outcome.then(
        (value) => this.settle(value),
        (error: unknown) => this.fail(error),
      );
    }
  }
}
