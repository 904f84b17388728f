/**
 * What a node that shows itself as a Redis Cluster says of its whole database: only what lies in
 * the slots that it is shown as the master of. Cluster clients ask every master and add up, so each
 * key is told once (DESIGN 2.3). Keys are still found by asking enough owners; counts are those of
 * this node, exact once its hints have come.
 */
import type { Later } from '../base/later.ts';
import type { Scanner } from '../replica/scanner.ts';
import { clusterDatabase, type SlotCount, type SlotCounts } from '../replica/slot-counts.ts';
import { SlotSet } from '../ring/slot-set.ts';
import { slotCount } from '../ring/slots.ts';
import type { Page } from './coordinator.ts';
import type { Parts } from './parts.ts';
import { scanRing } from './ring-scan.ts';
import type { SlotMaps } from './slot-maps.ts';

/** What this node holds of one slot, whoever is shown as its master. */
export function keysInSlot(counts: SlotCounts, scanner: Scanner, slot: number): Later<number> {
  if (counts.complete) return counts.of(slot).keys;
  return scanner
    .count(clusterDatabase, SlotSet.of([{ start: slot, end: slot }]))
    .then(({ keys }) => keys);
}

export class OwnSlots {
  readonly #maps: SlotMaps;
  readonly #counts: SlotCounts;

  constructor(maps: SlotMaps, counts: SlotCounts) {
    this.#maps = maps;
    this.#counts = counts;
  }

  scan(parts: Parts, from: number, count: number): Promise<Page> {
    const slots = this.#maps.ofSelf();
    return scanRing(parts, { db: clusterDatabase, from, count, slots });
  }

  /** Until all rows have been counted, those that are asked for are read. */
  count({ scanner }: Parts): Later<SlotCount> {
    const slots = this.#maps.ofSelf();
    return this.#counts.complete ? this.#counts.sum(slots) : scanner.count(clusterDatabase, slots);
  }

  /** Some key, found by going on from a random slot; undefined if there is none. */
  async randomKey(parts: Parts): Promise<Buffer | undefined> {
    const { random } = parts.system;
    for (const start of [random.below(slotCount) * 2 ** 32, 0]) {
      let next = start;
      do {
        const page = await this.scan(parts, next, 1);
        const pick = page.keys[random.below(Math.max(1, page.keys.length))];
        if (pick !== undefined) return pick;
        next = Number(page.cursor);
      } while (next !== 0);
    }
    return undefined;
  }
}
