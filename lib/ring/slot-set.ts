/**
 * Some of the slots, as a bitmap: what a scan is asked for where a node speaks only of the slots
 * that it is shown as the first owner of. Slots of one node come in hundreds of short runs, so one
 * bit each is small enough, and the same whatever the layout.
 */
import { assert } from '../base/assert.ts';
import { slotCount } from './slots.ts';

/** First and last slot, both included. */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
}

export const slotSetBytes = slotCount / 8;

export class SlotSet {
  /** Bit `slot % 8` of byte `slot / 8`; nobody changes it. */
  readonly bytes: Buffer;

  /** `bytes` become the set's own. */
  constructor(bytes: Buffer) {
    assert(bytes.length === slotSetBytes, 'a set of slots has one bit for each');
    this.bytes = bytes;
  }

  static of(ranges: Iterable<SlotRange>): SlotSet {
    const bytes = Buffer.alloc(slotSetBytes);
    for (const { start, end } of ranges) {
      for (let slot = start; slot <= end; slot += 1) {
        bytes[slot >> 3] = (bytes[slot >> 3] ?? 0) | (1 << (slot & 7));
      }
    }
    return new SlotSet(bytes);
  }

  has(slot: number): boolean {
    return ((this.bytes[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }

  /** The first slot of the set from `slot` on; `slotCount` if there is none. */
  nextFrom(slot: number): number {
    for (let at = slot; at < slotCount; at += 1) {
      if (this.has(at)) return at;
      if ((at & 7) === 0 && this.bytes[at >> 3] === 0) at += 7;
    }
    return slotCount;
  }
}
