/**
 * What the batch rows say when a map is opened: where to go on, and how many batches are missing.
 * LevelDB recovers from a damaged log by leaving out what it cannot read, and says at most a line
 * in a log of its own (RELIABILITY E1, E6). A hole in the numbers shows it. A log whose tail was
 * damaged so that it looks like a clean end leaves no hole; `acknowledged`, the number that this or
 * the last process is known to have reached, shows that one.
 */
import { StoreError } from '../base/errors.ts';
import { type BatchRow, beforeFirstBatch, decodeBatchRow } from './batch-row.ts';
import { familyRange, parseBatchKey } from './keys.ts';
import type { Crc32 } from './row.ts';
import type { Storage } from './storage.ts';

export interface OpenCheck {
  /** The newest readable row, its number raised to the highest that is known to have been used. */
  readonly row: BatchRow;
  /** Number of the newest sound row; 0: none. */
  readonly lastNumber: number;
  /** Batches that were acknowledged and are not there. */
  readonly missing: number;
  /** There are batch rows that should not be there: what is left of a hole, or damaged ones. */
  readonly remains: boolean;
  readonly problems: readonly string[];
}

const pageRows = 1000;

export async function checkBatchRows(
  storage: Storage,
  acknowledged: number,
  crc32: Crc32,
): Promise<OpenCheck> {
  const reader = new BatchRows(crc32);
  const problems: string[] = [];
  let readable = true;
  const cursor = storage.cursor({ ...familyRange('batch'), reverse: true });
  try {
    for (;;) {
      const page = await cursor.next(pageRows);
      if (page.length === 0) break;
      for (const { key, value } of page) reader.take(key, value);
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
    readable = false;
    problems.push(`the batch rows cannot be read to the end: ${error.message}`);
  } finally {
    await cursor.close();
  }
  const row = reader.newest ?? beforeFirstBatch;
  const end = Math.max(row.number, acknowledged);
  const missing = readable ? Math.max(0, end - row.first + 1 - reader.present) : 1;
  if (row.number < acknowledged) {
    problems.push(`the last batch is ${row.number}, but ${acknowledged} was acknowledged`);
  }
  if (readable && missing > 0)
    problems.push(`${missing} of the batches ${row.first} to ${end} are missing`);
  if (reader.damaged > 0) problems.push(`${reader.damaged} of the last batch rows are damaged`);
  return {
    row: { ...row, number: end },
    lastNumber: row.number,
    missing,
    remains: reader.strays + reader.damaged > 0,
    problems,
  };
}

/** Fed with all batch rows, newest first. Only sound rows count: damage can make up any number. */
class BatchRows {
  readonly #crc32: Crc32;
  #belowNumber = Number.POSITIVE_INFINITY;
  newest: BatchRow | undefined;
  /** Rows within the window of the newest sound one. */
  present = 0;
  /** Damaged rows above the newest sound one. */
  damaged = 0;
  /** Rows below the window. */
  strays = 0;

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  take(key: Buffer, value: Buffer): void {
    const number = parseBatchKey(key);
    this.newest ??= decodeBatchRow(key, value, this.#crc32);
    if (this.newest === undefined || number === undefined) this.damaged += 1;
    else if (number < this.newest.first) this.strays += 1;
    else if (number < this.#belowNumber) {
      this.#belowNumber = number;
      this.present += 1;
    }
  }
}
