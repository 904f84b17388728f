/**
 * The newest row of a key, wherever it is: in the overlay, in the cache, or in the storage; and the
 * way for a new one to become it. Whoever uses a row does so in the key's order, in one turn.
 */
import { emptyBytes } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import { after, isLater, type Later } from '../base/later.ts';
import type { Change, TallyChange } from '../storage/batch-row.ts';
import type { Store } from '../storage/store.ts';
import type { KeyFilter } from './key-filter.ts';
import { KeyQueue } from './key-queue.ts';
import { Overlay, Pending } from './overlay.ts';
import type { Place } from './place.ts';
import { RecordCache } from './record-cache.ts';
import { clusterDatabase, type SlotCounts } from './slot-counts.ts';

/**
 * read, read-past      remembers that there is nothing
 * read-past, overwrite a corrupt row counts as nothing
 */
export type Access = 'read' | 'read-past' | 'change' | 'overwrite';

/**
 * The row is a view of this turn. `pending`: it is not committed yet. `corrupt`: what lies there
 * and counts as nothing; empty if the engine itself cannot read it.
 */
export type Use<T> = (
  row: Buffer | undefined,
  pending: Pending | undefined,
  corrupt: Buffer | undefined,
) => T;

/** What has been decided, and the row that its result waits for. */
export interface Step<T> {
  readonly pending: Pending | undefined;
  readonly result: T;
}

export class Rows {
  readonly #store: Store;
  readonly #cacheBytes: number;
  #cache: RecordCache;
  readonly #queue = new KeyQueue();
  readonly #overlay = new Overlay();
  readonly #filter: KeyFilter;
  readonly #slotCounts: SlotCounts | undefined;

  constructor(
    store: Store,
    filter: KeyFilter,
    cacheBytes: number,
    slotCounts: SlotCounts | undefined,
  ) {
    this.#store = store;
    this.#filter = filter;
    this.#slotCounts = slotCounts;
    this.#cacheBytes = cacheBytes;
    this.#cache = new RecordCache(cacheBytes);
  }

  get cacheBytes(): number {
    return this.#cache.bytes;
  }

  /** Calls back once no step waits for the disk to read its row. */
  onIdle(run: () => void): void {
    this.#queue.onIdle(run);
  }

  /** Settles once every change that has begun is committed, as firmly as `sync` makes it. */
  settled(): Later<void> {
    return after(this.#queue.settled(), () => this.#store.sync());
  }

  /** `look` sees the newest row; its answer comes once that row is committed. */
  read<T>(
    place: Place,
    look: (row: Buffer | undefined) => T,
    access: 'read' | 'read-past' = 'read',
  ): Later<T> {
    let waitFor: Pending | undefined;
    const seen = this.#use(place, access, (row, pending) => {
      waitFor = pending;
      return look(row);
    });
    if (!isLater(seen) && waitFor === undefined) return seen;
    return after(seen, (value) => {
      if (waitFor === undefined) return value;
      // A row that was never committed has never been: what is there now counts.
      return waitFor.answer(value).then(undefined, () => this.read(place, look, access));
    });
  }

  /**
   * Runs `decide` with the newest row, now or in its turn, and never twice. The result comes once
   * the row that it names is committed.
   */
  change<T>(place: Place, access: 'change' | 'overwrite', decide: Use<Step<T>>): Later<T> {
    return after(this.#use(place, access, decide), resultOf);
  }

  #use<T>(place: Place, access: Access, use: Use<T>): Later<T> {
    if (!this.#queue.idle) {
      return this.#queue.run(place.id, () => this.#fetch(place, access, use));
    }
    const fetched = this.#fetch(place, access, use);
    return isLater(fetched) ? this.#queue.run(place.id, () => fetched) : fetched;
  }

  /**
   * Makes `row` (empty: none) the newest of its key, with all that changes in the same batch.
   * `isNew`: the key had no row.
   */
  write(
    place: Place,
    row: Buffer,
    isNew: boolean,
    changes: readonly Change[],
    tallies: readonly TallyChange[],
  ): Pending {
    const pending = new Pending(place, row, this.#committedWith(place, tallies));
    if (isNew) this.#filter.add(place);
    this.#store.writeFor(pending, changes, tallies);
    if (!pending.hasFailed) this.#overlay.add(pending);
    return pending;
  }

  /** Nothing of what is pending has ever been. */
  takeBack(): void {
    this.#overlay.clear();
  }

  /** What the cache holds may differ from what is stored now. */
  forget(): void {
    this.#cache = new RecordCache(this.#cacheBytes);
  }

  readonly #committed = (pending: Pending): void => {
    this.#overlay.remove(pending);
    this.#cache.put(pending.place.hash32, pending.place.storageKey, pending.row);
  };

  #committedWith(place: Place, tallies: readonly TallyChange[]): (pending: Pending) => void {
    const slotCounts = this.#slotCounts;
    if (slotCounts === undefined || tallies.length === 0 || place.db !== clusterDatabase) {
      return this.#committed;
    }
    return (pending) => {
      slotCounts.committed(place.slot, tallies);
      this.#committed(pending);
    };
  }

  #fetch<T>(place: Place, access: Access, use: Use<T>): Later<T> {
    if (!this.#overlay.isEmpty) {
      const pending = this.#overlay.get(place);
      if (pending !== undefined) return use(nonEmpty(pending.row), pending, undefined);
    }
    const cached = this.#cache.get(place.hash32, place.storageKey);
    if (cached !== undefined) return use(nonEmpty(cached), undefined, undefined);
    if (!this.#filter.mayHold(place)) return use(undefined, undefined, undefined);
    return after(this.#load(place, access), (row) => {
      if (row === 'corrupt') {
        return use(undefined, undefined, this.#store.corruptRow(place.storageKey));
      }
      if (row !== undefined || access === 'read' || access === 'read-past') {
        this.#cache.put(place.hash32, place.storageKey, row ?? emptyBytes);
      }
      return use(row, undefined, undefined);
    });
  }

  #load(place: Place, access: Access): Later<Buffer | 'corrupt' | undefined> {
    if (access === 'read' || access === 'change') return this.#store.get(place.storageKey);
    try {
      const row = this.#store.get(place.storageKey);
      return isLater(row) ? row.then((found) => found, passCorrupt) : row;
    } catch (error) {
      return passCorrupt(error);
    }
  }
}

function passCorrupt(error: unknown): 'corrupt' {
  if (!(error instanceof StoreError && error.code === 'corrupt')) throw error;
  return 'corrupt';
}

function resultOf<T>({ pending, result }: Step<T>): Later<T> {
  return pending === undefined ? result : pending.answer(result);
}

function nonEmpty(row: Buffer): Buffer | undefined {
  return row.length === 0 ? undefined : row;
}
