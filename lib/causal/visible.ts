/**
 * What a reader sees of a record at a moment. Siblings are ordered by (order, stamp, actor), a
 * function of the record alone, so every node picks the same one. Tombstones and expired values
 * take part: when one of them wins, the key reads as missing (DESIGN 3.2).
 */
import { emptyRecord, type Record, type Sibling, type Stamp, siblingKind } from './record.ts';

function compareSiblings(a: Sibling, b: Sibling): number {
  return a.order - b.order || a.dot.stamp - b.dot.stamp || a.dot.actor - b.dot.actor;
}

export function winner(siblings: readonly Sibling[]): Sibling | undefined {
  let best: Sibling | undefined;
  for (const sibling of siblings) {
    if (best === undefined || compareSiblings(sibling, best) > 0) best = sibling;
  }
  return best;
}

/** 0 = never. An instant is over as soon as the wall clock shows it. */
export function isExpired(expireAtMs: number, nowMs: number): boolean {
  return expireAtMs !== 0 && expireAtMs <= nowMs;
}

export function isLive(sibling: Sibling, nowMs: number): boolean {
  return sibling.kind === siblingKind.value && !isExpired(sibling.expireAtMs, nowMs);
}

/** What a plain GET shows: the winner if it is a live value. */
export function visible(record: Record, nowMs: number): Sibling | undefined {
  const best = winner(record.siblings);
  return best !== undefined && isLive(best, nowMs) ? best : undefined;
}

/** What DYN.GET shows: every live value, newest first. */
export function liveSiblings(record: Record, nowMs: number): readonly Sibling[] {
  return record.siblings
    .filter((sibling) => isLive(sibling, nowMs))
    .sort((a, b) => compareSiblings(b, a));
}

/**
 * The record as seen after a flush: without siblings whose order is up to the flush stamp, and
 * without a memory of its own if the flush stamp says as much.
 */
export function withoutFlushed(record: Record, flushStamp: Stamp): Record {
  if (isForgotten(record, flushStamp)) return emptyRecord;
  if (record.siblings.every(({ order }) => order > flushStamp)) return record;
  return { vv: record.vv, siblings: record.siblings.filter(({ order }) => order > flushStamp) };
}

/**
 * Whatever the record has seen is flushed by its stamp alone, so nobody needs the record to know
 * it: a replica may drop it, and another one that still holds it brings nothing back.
 */
export function isForgotten({ vv, siblings }: Record, flushStamp: Stamp): boolean {
  return (
    flushStamp !== 0 &&
    vv.every(({ stamp }) => stamp <= flushStamp) &&
    siblings.every(({ order }) => order <= flushStamp)
  );
}
