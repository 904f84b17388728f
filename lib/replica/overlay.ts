/**
 * What has been handed to the storage and is not committed yet, by key. A change that builds on
 * such a row, or a reader that has seen it, waits for its commit. One row per key, the newest:
 * batches commit in order, so when it is committed all older ones are.
 *
 * The map is keyed by the 32-bit hash, which costs a third of a text; rows whose keys share it form
 * a chain.
 */
import { Deferred } from '../base/later.ts';
import type { Place } from './place.ts';

export class Pending {
  readonly place: Place;
  /** Empty = the key's row is deleted. */
  readonly row: Buffer;
  next: Pending | undefined;
  readonly #onCommitted: (pending: Pending) => void;
  /** Made when somebody waits; the first who does is the writer, with what to answer. */
  #done: Deferred<unknown> | undefined;
  #answer: unknown;
  #outcome: 'pending' | 'committed' | { readonly error: unknown } = 'pending';

  constructor(place: Place, row: Buffer, onCommitted: (pending: Pending) => void) {
    this.place = place;
    this.row = row;
    this.#onCommitted = onCommitted;
  }

  /** It was refused at once: it has never been the newest row. */
  get hasFailed(): boolean {
    return typeof this.#outcome === 'object';
  }

  /** Settles with `answer` once the row is committed. */
  answer<T>(answer: T): Deferred<T> {
    if (this.#done !== undefined) return this.#done.then(() => answer);
    const done = new Deferred<T>();
    this.#done = done as Deferred<unknown>;
    this.#answer = answer;
    this.#tell();
    return done;
  }

  settle(): void {
    this.#outcome = 'committed';
    this.#onCommitted(this);
    this.#tell();
  }

  fail(error: unknown): void {
    this.#outcome = { error };
    this.#tell();
  }

  #tell(): void {
    if (this.#outcome === 'committed') this.#done?.settle(this.#answer);
    else if (this.#outcome !== 'pending') this.#done?.fail(this.#outcome.error);
  }
}

export class Overlay {
  readonly #byHash = new Map<number, Pending>();

  get isEmpty(): boolean {
    return this.#byHash.size === 0;
  }

  get(place: Place): Pending | undefined {
    let pending = this.#byHash.get(place.hash32);
    while (pending !== undefined && !isAt(pending, place)) pending = pending.next;
    return pending;
  }

  /** Takes the place of an older row of the key. */
  add(pending: Pending): void {
    const first = this.#byHash.get(pending.place.hash32);
    if (first !== undefined) pending.next = without(first, pending.place);
    this.#byHash.set(pending.place.hash32, pending);
  }

  /** Only if it still is the newest of its key. */
  remove(pending: Pending): void {
    const { hash32 } = pending.place;
    const first = this.#byHash.get(hash32);
    if (first === undefined || this.get(pending.place) !== pending) return;
    const rest = without(first, pending.place);
    if (rest === undefined) this.#byHash.delete(hash32);
    else this.#byHash.set(hash32, rest);
  }

  clear(): void {
    this.#byHash.clear();
  }
}

function isAt(pending: Pending, place: Place): boolean {
  return pending.place.storageKey.equals(place.storageKey);
}

/** The chain less the row at a place; the chain is changed. */
function without(first: Pending, place: Place): Pending | undefined {
  if (isAt(first, place)) return first.next;
  for (let at = first; at.next !== undefined; at = at.next) {
    if (isAt(at.next, place)) {
      at.next = at.next.next;
      break;
    }
  }
  return first;
}
