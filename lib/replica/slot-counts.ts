/**
 * How many keys each slot of database 0 holds at this node, for a node that shows itself as a Redis
 * Cluster: there DBSIZE and COUNTKEYSINSLOT speak of slots, and the tallies of the storage only of
 * databases.
 *
 * Nothing of it is stored. A census counts the rows of a snapshot, after every open and whenever
 * the tallies are recounted; what is committed meanwhile is added to that as it is to the counts in
 * force. This is exact because a snapshot is taken while no batch is in flight (see
 * storage/self-check.ts), in the turn in which the census begins: a batch is in the snapshot, or is
 * committed after it, never both.
 */
import type { SlotSet } from '../ring/slot-set.ts';
import { slotCount } from '../ring/slots.ts';
import type { TallyChange } from '../storage/batch-row.ts';
import type { Standing } from './stored-record.ts';
import { tallyExpiring, tallyLive } from './tallies.ts';

/** The only database of a Redis Cluster. */
export const clusterDatabase = 0;

interface Counts {
  readonly keys: Int32Array;
  readonly expires: Int32Array;
}

export interface SlotCount {
  readonly keys: number;
  readonly expires: number;
}

export class SlotCounts {
  #counts = noCounts();
  /** What a census has found so far, and what was committed since it began. */
  #census: Counts | undefined;
  /** A flush has hidden all that the census still finds. */
  #flushed = false;
  #complete = false;

  /** A census has counted everything. */
  get complete(): boolean {
    return this.#complete;
  }

  of(slot: number): SlotCount {
    return { keys: this.#counts.keys[slot] ?? 0, expires: this.#counts.expires[slot] ?? 0 };
  }

  sum(slots: SlotSet): SlotCount {
    let keys = 0;
    let expires = 0;
    for (let slot = slots.nextFrom(0); slot < slotCount; slot = slots.nextFrom(slot + 1)) {
      keys += this.#counts.keys[slot] ?? 0;
      expires += this.#counts.expires[slot] ?? 0;
    }
    return { keys, expires };
  }

  /** A row of the slot was committed with these changes of the tallies. */
  committed(slot: number, changes: readonly TallyChange[]): void {
    for (const change of changes) {
      if ('reset' in change) continue;
      const kind = kinds.get(change.index);
      if (kind === undefined) continue;
      add(this.#counts[kind], slot, change.add);
      if (this.#census !== undefined) add(this.#census[kind], slot, change.add);
    }
  }

  /** A flush of the database was committed. */
  flushed(): void {
    this.#counts = noCounts();
    if (this.#census === undefined) return;
    this.#census = noCounts();
    this.#flushed = true;
  }

  beginCensus(): void {
    this.#census = noCounts();
    this.#flushed = false;
  }

  /** The census has come to a record of the database. */
  found(slot: number, standing: Standing | undefined): void {
    if (this.#census === undefined || this.#flushed) return;
    if (standing === 'live' || standing === 'expiring') add(this.#census.keys, slot, 1);
    if (standing === 'expiring') add(this.#census.expires, slot, 1);
  }

  endCensus(): void {
    if (this.#census === undefined) return;
    this.#counts = this.#census;
    this.#census = undefined;
    this.#complete = true;
  }
}

const kinds: ReadonlyMap<number, keyof Counts> = new Map([
  [tallyLive(clusterDatabase), 'keys'],
  [tallyExpiring(clusterDatabase), 'expires'],
]);

function noCounts(): Counts {
  return { keys: new Int32Array(slotCount), expires: new Int32Array(slotCount) };
}

function add(counts: Int32Array, slot: number, by: number): void {
  counts[slot] = (counts[slot] ?? 0) + by;
}
