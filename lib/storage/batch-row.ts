/**
 * The row that every batch carries: its number and what must be true of the whole map after it. A
 * batch that vanished leaves a hole in the numbers; a record that vanished, came back or changed
 * disagrees with the count and the XOR (DESIGN 3.5). It is written with the batch, atomically, so
 * it costs no extra write.
 *
 *   number u48 | first u48 | count u48 | low u32 | high u32 | ceiling 7
 *   | tallies u16 | n x (index u16, value i48)
 *
 * Invariant: the rows `first` to `number` are all there.
 */
import { assert } from '../base/assert.ts';
import { readStamp, stampBytes, writeStamp } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Stamp } from '../causal/record.ts';
import { isCounted } from './keys.ts';
import { bodyEnd, bodyStart, type Crc32, isSound, RowSum, sealRow } from './row.ts';
import type { RowChange } from './storage.ts';

/** LevelDB keeps at most two logs of 4 MB; batches of 128 bytes and more fill them with fewer. */
export const batchRowsMax = 65536;

export interface BatchRow {
  readonly number: number;
  /** The oldest batch whose row must still be there. */
  readonly first: number;
  /** Number and XOR of all data and hint rows. */
  readonly count: number;
  readonly low: number;
  readonly high: number;
  /** Synced ahead of use: every stamp of this batch and of those before it is below. */
  readonly ceiling: Stamp;
  readonly tallies: ReadonlyMap<number, number>;
}

export interface Change extends RowChange {
  /** Data and hints: the sealed row that this one replaces, in the order of writing. Borrowed. */
  readonly previous: Buffer | undefined;
}

/** Tallies are opaque counters (live keys of a database, ...), kept beside the sums. */
export type TallyChange =
  | { readonly index: number; readonly add: number }
  | { readonly index: number; readonly reset: true };

export interface Sums {
  readonly count: number;
  readonly low: number;
  readonly high: number;
}

export const noSums: Sums = { count: 0, low: 0, high: 0 };

export const beforeFirstBatch: BatchRow = {
  ...noSums,
  number: 0,
  first: 1,
  ceiling: 0,
  tallies: new Map(),
};

/** What the changes do to the sums. */
export function sumOf(changes: readonly Change[]): Sums {
  const sum = new RowSum(noSums);
  for (const { key, row, previous } of changes) {
    if (!isCounted(key)) continue;
    if (previous !== undefined) sum.remove(key, previous);
    if (row !== undefined) sum.add(key, row);
  }
  return sum;
}

export function tally(tallies: Map<number, number>, change: TallyChange): void {
  const value = 'reset' in change ? 0 : (tallies.get(change.index) ?? 0) + change.add;
  if (value === 0) tallies.delete(change.index);
  else tallies.set(change.index, value);
}

/** What `found` has beyond `expected`; to be included in later sums. */
export function difference(found: Sums, expected: Sums): Sums {
  return {
    count: found.count - expected.count,
    low: (found.low ^ expected.low) >>> 0,
    high: (found.high ^ expected.high) >>> 0,
  };
}

export function isZero(sums: Sums): boolean {
  return sums.count === 0 && sums.low === 0 && sums.high === 0;
}

const fixedBytes = 3 * 6 + 2 * 4 + stampBytes + 2;
const tallyBytes = 2 + 6;

export function encodeBatchRow(key: Buffer, row: BatchRow, crc32: Crc32): Buffer {
  assert(row.first >= 1 && row.first <= row.number, 'a batch row is within its own window');
  const bytes = fixedBytes + row.tallies.size * tallyBytes;
  return sealRow(key, bytes, (target, offset) => writeBody(target, offset, row), crc32);
}

function writeBody(target: Buffer, offset: number, row: BatchRow): void {
  let at = target.writeUIntBE(row.number, offset, 6);
  at = target.writeUIntBE(row.first, at, 6);
  at = target.writeIntBE(row.count, at, 6);
  at = target.writeUInt32BE(row.low, at);
  at = target.writeUInt32BE(row.high, at);
  at = writeStamp(target, row.ceiling, at);
  at = target.writeUInt16BE(row.tallies.size, at);
  for (const [index, value] of row.tallies) {
    at = target.writeUInt16BE(index, at);
    at = target.writeIntBE(value, at, 6);
  }
}

/** undefined: the row is damaged. */
export function decodeBatchRow(key: Buffer, row: Buffer, crc32: Crc32): BatchRow | undefined {
  if (!isSound(key, row, crc32)) return undefined;
  const size = row.readUInt16BE(bodyStart + fixedBytes - 2);
  if (bodyEnd(row) !== bodyStart + fixedBytes + size * tallyBytes) {
    throw new StoreError('format', 'a batch row of unknown length');
  }
  const tallies = new Map<number, number>();
  for (let at = bodyStart + fixedBytes; at < bodyEnd(row); at += tallyBytes) {
    tallies.set(row.readUInt16BE(at), row.readIntBE(at + 2, 6));
  }
  return {
    number: row.readUIntBE(bodyStart, 6),
    first: row.readUIntBE(bodyStart + 6, 6),
    count: row.readIntBE(bodyStart + 12, 6),
    low: row.readUInt32BE(bodyStart + 18),
    high: row.readUInt32BE(bodyStart + 22),
    ceiling: readStamp(row, bodyStart + 26),
    tallies,
  };
}
