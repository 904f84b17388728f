/**
 * The rows in which hints lie: how they change, in the order of their keys, what they count for,
 * and what becomes of a corrupt one. What that held is lost, so it is no hint to anybody. But it
 * counts as pending until it has gone, which whoever comes across it sees to: a change that puts
 * something in its place, or `newest` with nothing. Then it is reported.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Later } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import type { TallyChange } from '../storage/batch-row.ts';
import { parseDataKey, parseHintKey } from '../storage/keys.ts';
import { bodyStart } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import { OldestHint } from './oldest-hint.ts';
import type { Pending } from './overlay.ts';
import { Place } from './place.ts';
import type { Rows } from './rows.ts';
import { readStanding } from './stored-record.ts';
import {
  countHint,
  countHintRow,
  hintBytes,
  tallyHintBytes,
  tallyHints,
  tallyLoadBearing,
} from './tallies.ts';

interface HintDecision<T> {
  /** The sealed row from now on, empty: none; undefined = nothing changes. */
  readonly row?: Buffer | undefined;
  readonly result: T;
}

/** Of a data key in the log. */
const loggedBytesMax = 64;

export class HintRows {
  readonly #rows: Rows;
  readonly #store: Store;
  readonly #system: System;
  readonly #oldest: OldestHint;
  /** What the changes under way will add to the stored bytes. */
  #unsettledBytes = 0;

  constructor(rows: Rows, store: Store, system: System) {
    this.#rows = rows;
    this.#store = store;
    this.#system = system;
    this.#oldest = new OldestHint(store, system, (key) => this.newest(key));
  }

  get pending(): number {
    return this.#store.tally(tallyHints);
  }

  get loadBearing(): number {
    return this.#store.tally(tallyLoadBearing);
  }

  get bytes(): number {
    return this.#store.tally(tallyHintBytes);
  }

  /** Once what is under way is committed. */
  get comingBytes(): number {
    return this.bytes + this.#unsettledBytes;
  }

  /** Since when the oldest hint has been kept, some seconds old; 0 = there is none. */
  get oldestAtMs(): number {
    return this.pending === 0 ? 0 : this.#oldest.sinceMs();
  }

  /** At the start: for the oldest hint, and for what is corrupt, whomever it was kept for. */
  lookThrough(): void {
    if (this.pending > 0) this.#oldest.sinceMs();
  }

  /** As `Rows.read`. */
  read<T>(hint: Place, look: (row: Buffer | undefined) => T): Later<T> {
    return this.#rows.read(hint, look, 'read-past');
  }

  /** As `Rows.change`. */
  change<T>(hint: Place, decide: (row: Buffer | undefined) => HintDecision<T>): Later<T> {
    return this.#rows.change(hint, 'overwrite', (held, pending, corrupt) => {
      const { row, result } = decide(held);
      if (row === undefined) return { pending, result };
      return { pending: this.#write(hint, held, row, corrupt), result };
    });
  }

  /**
   * What there is under the key of a row that was found corrupt. What has come in its place, or
   * memory still holds, is written once more; if there is nothing the row is removed. The bytes are
   * the caller's.
   */
  newest(key: Buffer): Later<Buffer | undefined> {
    const hint = placeOfHintKey(key);
    return this.#rows.change(hint, 'overwrite', (held, pending, corrupt) => {
      if (corrupt !== undefined) {
        return { pending: this.#write(hint, undefined, emptyBytes, corrupt), result: undefined };
      }
      if (held === undefined) return { pending, result: undefined };
      const row = own(held);
      const written = this.#write(hint, row, row, undefined);
      // A scan may have counted the corrupt one.
      this.#store.recount();
      return { pending: written, result: row };
    });
  }

  /** Hands the change to the storage: the row and its tallies. */
  #write(
    hint: Place,
    previous: Buffer | undefined,
    row: Buffer,
    corrupt: Buffer | undefined,
  ): Pending {
    const { storageKey } = hint;
    const tallies: TallyChange[] = [];
    const add = (index: number, by: number): number => tallies.push({ index, add: by });
    const take = (index: number, by: number): number => tallies.push({ index, add: -by });
    const isKept = row.length > 0;
    if (previous !== undefined) countHint(storageKey, previous, take);
    // What the engine cannot read no scan has counted.
    else if (corrupt !== undefined && corrupt.length > 0) countHintRow(storageKey, corrupt, take);
    if (isKept) countHint(storageKey, row, add);
    const changes = [{ key: storageKey, row: isKept ? row : undefined, previous }];
    const pending = this.#rows.write(hint, row, previous === undefined, changes, tallies);
    const grownBytes = growthOf(hint, previous ?? corrupt, row);
    this.#follow(pending, grownBytes, sinceMsOf(isKept ? row : previous));
    if (corrupt !== undefined) this.#report(pending);
    return pending;
  }

  #follow(pending: Pending, grownBytes: number, sinceMs: number): void {
    const isKept = pending.row.length > 0;
    this.#unsettledBytes += grownBytes;
    const over = (): void => {
      this.#unsettledBytes -= grownBytes;
    };
    pending.answer(undefined).listen(() => {
      over();
      if (isKept) this.#oldest.kept(sinceMs);
      else this.#oldest.removed(sinceMs, this.pending);
    }, over);
  }

  #report(pending: Pending): void {
    const { target, dataKey } = parseHintKey(pending.place.storageKey);
    const fields = {
      target: target.toString('hex'),
      key: dataKey.toString('hex', 0, loggedBytesMax),
    };
    pending.answer(undefined).listen(
      () => this.#system.log.warning('a corrupt hint has gone: what it held is lost', fields),
      () => {},
    );
  }
}

/** Wall clock; 0: nobody knows. */
export function sinceMsOf(row: Buffer | undefined): number {
  return row === undefined ? 0 : readStanding(row, bodyStart).agendaAtMs;
}

/** Bytes that one row takes more than another, of which an empty one is none. */
export function growthOf(hint: Place, before: Buffer | undefined, after: Buffer): number {
  const bytesOf = (row: Buffer | undefined): number =>
    row === undefined || row.length === 0 ? 0 : hintBytes(hint.storageKey, row);
  return bytesOf(after) - bytesOf(before);
}

/** Damage to the key itself may leave one that nobody can name: then any order will do. */
function placeOfHintKey(key: Buffer): Place {
  try {
    const { db, slot, hash32 } = parseDataKey(parseHintKey(key).dataKey);
    return new Place(db, slot, hash32, key);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return new Place(0, 0, 0, key);
  }
}
