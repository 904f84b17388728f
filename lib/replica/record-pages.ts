/**
 * Records in the order of their keys, for those who take them over (RELIABILITY 1.9): page after
 * page of some slots, over all databases. Only what is committed shows: whoever must not miss a
 * write that is under way waits for it before he asks. Nothing is remembered between two pages; a
 * record that changes behind the reader reaches the other owners in its own way.
 *
 * A corrupt row is named apart, and counted by the store: another owner has the record.
 */
import type { Record } from '../causal/record.ts';
import { withoutFlushed } from '../causal/visible.ts';
import { slotRange } from '../storage/keys.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import type { Range } from '../storage/storage.ts';
import type { Store } from '../storage/store.ts';
import { type Place, placeOfStorageKey } from './place.ts';
import type { Replica } from './replica.ts';
import { readRecord } from './stored-record.ts';

export interface Slots {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export interface PageLimits {
  /** Of stored rows; one that is longer by itself comes alone. */
  readonly bytes: number;
  readonly rows: number;
}

export interface PagedRecord {
  readonly place: Place;
  /** Flushed siblings taken out; empty if a flush has hidden all that it knows. */
  readonly record: Record;
  /** The stored bytes, by which `Replica.dropIfUnchanged` knows it again. */
  readonly row: Buffer;
}

export interface RecordPage {
  readonly records: readonly PagedRecord[];
  /** Where a row is corrupt. */
  readonly corrupt: readonly Place[];
  /** The storage key behind which to go on; undefined = the end. */
  readonly next: Buffer | undefined;
}

/** Rows read in one go. */
const chunkRows = 64;

export class RecordPages {
  readonly #replica: Replica;
  readonly #store: Store;

  constructor(replica: Replica, store: Store) {
    this.#replica = replica;
    this.#store = store;
  }

  /** Those behind a storage key, or the first ones; the bytes are the caller's. */
  async page(from: Buffer | undefined, slots: Slots, limits: PageLimits): Promise<RecordPage> {
    const cursor = this.#store.cursor(rangeBehind(from, slots));
    const records: PagedRecord[] = [];
    const corrupt: Place[] = [];
    let bytes = 0;
    let rows = 0;
    let last: Buffer | undefined;
    try {
      while (rows < limits.rows) {
        const chunk = await cursor.next(Math.min(chunkRows, limits.rows - rows));
        if (chunk.length === 0) return { records, corrupt, next: undefined };
        rows += chunk.length;
        for (const { key, value } of chunk) {
          if (last !== undefined && bytes + value.length > limits.bytes) {
            return { records, corrupt, next: last };
          }
          last = key;
          bytes += value.length;
          if (this.#store.sound(key, value)) records.push(this.#recordOf(key, value));
          else corrupt.push(placeOfStorageKey(key));
        }
      }
      return { records, corrupt, next: last };
    } finally {
      await cursor.close();
    }
  }

  #recordOf(key: Buffer, row: Buffer): PagedRecord {
    const place = placeOfStorageKey(key);
    const record = readRecord(row, bodyStart, bodyEnd(row));
    return { place, record: withoutFlushed(record, this.#replica.flushed.of(place.db)), row };
  }
}

function rangeBehind(from: Buffer | undefined, { from: first, to }: Slots): Range {
  const range = slotRange(first, to);
  if (from === undefined || from.compare(range.from) < 0) return range;
  return { ...range, from: Buffer.concat([from, zero]) };
}

const zero = Buffer.alloc(1);
