/**
 * The rows known to be corrupt. Each is counted once. Whoever replaces one cannot say what it
 * replaces; but it has just read it, in the order of the key's changes, so the row as it lies on
 * the disk is kept from that read for the sums, which must forget it. What a scan or a cursor has
 * found may be gone by then, and only counts.
 */
import { emptyBytes, mapKey } from '../base/bytes.ts';
import type { Change } from './batch-row.ts';

/** Beyond that some are counted again. */
const namesMax = 10_000;
/** Read, and about to be replaced; the oldest are forgotten. */
const rowsMax = 1000;

export class CorruptRows {
  readonly #names = new Set<string>();
  readonly #rows = new Map<string, Buffer>();
  count = 0;

  /** True if it was not known. */
  note(key: Buffer): boolean {
    const name = mapKey(key);
    if (this.#names.has(name)) return false;
    this.count += 1;
    const isKept = this.#names.size < namesMax;
    if (isKept) this.#names.add(name);
    return isKept;
  }

  /** What a read has found; empty: the engine itself cannot read it. */
  wasRead(key: Buffer, row: Buffer): void {
    const name = mapKey(key);
    this.#rows.delete(name);
    this.#rows.set(name, row);
    if (this.#rows.size <= rowsMax) return;
    for (const oldest of this.#rows.keys()) {
      this.#rows.delete(oldest);
      break;
    }
  }

  /** What the latest read has found. */
  rowOf(key: Buffer): Buffer {
    return this.#rows.get(mapKey(key)) ?? emptyBytes;
  }

  /** The same changes with what is known of the rows they replace. */
  complete(changes: readonly Change[]): readonly Change[] {
    if (this.#rows.size === 0) return changes;
    return changes.map((change) => {
      const name = mapKey(change.key);
      const previous = this.#rows.get(name);
      if (previous === undefined) return change;
      this.#rows.delete(name);
      const helps = change.previous === undefined && previous.length > 0;
      return helps ? { ...change, previous } : change;
    });
  }
}
