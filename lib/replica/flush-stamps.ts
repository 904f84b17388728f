/**
 * FLUSHDB by stamp (DESIGN 2.3): one number per database hides every sibling whose order is not
 * above it, at once and whatever the size; space is reclaimed behind. `reclaimed` remembers up to
 * which flush that has been done, so that a restart goes on with it. The stamps of a database only
 * rise, so nodes agree whatever the order in which they hear of flushes.
 *
 *   stored form = 7 bytes per database
 */
import { readStamp, stampBytes, writeStamp } from '../base/bytes.ts';
import type { Stamp } from '../causal/record.ts';

/** Where they are kept: the stamps in force, and those whose space has been reclaimed. */
export const flushMetaName = 'flush';
export const reclaimedMetaName = 'reclaimed';

export class FlushStamps {
  readonly #stamps: readonly Stamp[];

  constructor(stamps: readonly Stamp[]) {
    this.#stamps = stamps;
  }

  static none(databases: number): FlushStamps {
    return new FlushStamps(new Array<Stamp>(databases).fill(0));
  }

  static decode(bytes: Buffer): FlushStamps {
    const stamps: Stamp[] = [];
    for (let at = 0; at + stampBytes <= bytes.length; at += stampBytes) {
      stamps.push(readStamp(bytes, at));
    }
    return new FlushStamps(stamps);
  }

  of(db: number): Stamp {
    return this.#stamps[db] ?? 0;
  }

  /** A flush of some databases at `stamp`, which a later one has no use for. */
  raise(dbs: readonly number[], stamp: Stamp): FlushStamps {
    return this.join(new FlushStamps(this.#stamps.map((_, db) => (dbs.includes(db) ? stamp : 0))));
  }

  /** The later of each; `this` if `other` has nothing new. */
  join(other: FlushStamps): FlushStamps {
    if (!other.isAheadOf(this)) return this;
    return new FlushStamps(this.#stamps.map((stamp, db) => Math.max(stamp, other.of(db))));
  }

  /** True if some database of `this` has been flushed later than `other` knows. */
  isAheadOf(other: FlushStamps): boolean {
    return this.#stamps.some((stamp, db) => stamp > other.of(db));
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(this.#stamps.length * stampBytes);
    this.#stamps.forEach((stamp, db) => {
      writeStamp(bytes, stamp, db * stampBytes);
    });
    return bytes;
  }
}
