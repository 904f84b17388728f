/**
 * The rows known to be corrupt, as they lie on the disk. Each is counted once. Whoever replaces one
 * cannot say what it replaces, so the row is handed in for the sums, which must forget it.
 */
import { mapKey } from '../base/bytes.ts';
import type { Change } from './batch-row.ts';

/** Beyond that some are counted again. */
const keysMax = 10_000;

export class CorruptRows {
  readonly #rows = new Map<string, Buffer>();
  count = 0;

  note(key: Buffer, row: Buffer): void {
    const name = mapKey(key);
    if (this.#rows.has(name)) return;
    this.count += 1;
    if (this.#rows.size < keysMax) this.#rows.set(name, row);
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
