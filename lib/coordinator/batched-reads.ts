/**
 * The quorum reads before read-modify-writes. Each must build on a read that began after it
 * arrived, and one at a time per key. Those that wait for the same key share the next read: a
 * counter that twenty clients increment costs one round trip for all of them, not twenty in a row.
 * They then run one after another, each on what the one before it made.
 */
import { Deferred, type Later, outcomeOf } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import type { Place } from '../replica/place.ts';

interface Waiting {
  readonly r: number;
  readonly turn: Deferred<Record>;
}

export class BatchedReads {
  /** Keys being read, each with those who came too late for it. */
  readonly #reading = new Map<string, Waiting[]>();
  readonly #read: (place: Place, r: number) => Later<Record>;

  /** `read` is asked for the highest R of those who share it. */
  constructor(read: (place: Place, r: number) => Later<Record>) {
    this.#read = read;
  }

  /** What a quorum holds. Who listens runs in the turn of the answer, in the order of arrival. */
  join(place: Place, r: number): Deferred<Record> {
    const turn = new Deferred<Record>();
    const late = this.#reading.get(place.id);
    if (late !== undefined) late.push({ r, turn });
    else this.#begin(place, [{ r, turn }]);
    return turn;
  }

  /** Settles once those who wait for this key now have had their turn. */
  settled(place: Place): Later<unknown> {
    return this.#reading.has(place.id)
      ? this.join(place, 1).then(undefined, () => undefined)
      : undefined;
  }

  #begin(place: Place, batch: readonly Waiting[]): void {
    this.#reading.set(place.id, []);
    const r = batch.reduce((most, waiting) => Math.max(most, waiting.r), 1);
    outcomeOf(
      () => this.#read(place, r),
      (record) => {
        for (const { turn } of batch) turn.settle(record);
        this.#goOn(place);
      },
      (error) => {
        for (const { turn } of batch) turn.fail(error);
        this.#goOn(place);
      },
    );
  }

  #goOn(place: Place): void {
    const late = this.#reading.get(place.id) ?? [];
    if (late.length > 0) {
      this.#begin(place, late);
      return;
    }
    this.#reading.delete(place.id);
  }
}
