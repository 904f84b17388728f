/**
 * The record algebra: these few functions alone decide which values survive (DESIGN 3.1, 3.2).
 *
 * A record is what a replica has seen of a key (`vv`) and the values nobody has superseded yet
 * (`siblings`). A dot that the vector covers and no sibling carries names a write that was seen and
 * superseded. Hence
 *
 *   merge(A, B).vv       = join(A.vv, B.vv)
 *   merge(A, B).siblings = those in both, or in one and not covered by the vector of the other
 *
 *   merge(A, B) = merge(B, A)     merge(A, merge(B, C)) = merge(merge(A, B), C)     merge(A, A) = A
 *
 * Invariant, asserted after every operation: the vector is sorted by actor, each actor once; the
 * siblings are sorted by dot, each dot once and covered by the record's own vector. Nothing is ever
 * pruned from a vector. Source: Preguica et al. (arXiv 1011.5808), dvvset.erl, riak_object.erl.
 */
import { assert } from '../base/assert.ts';
import {
  compareDots,
  covered,
  including,
  isDot,
  isStamp,
  join,
  nothingSeen,
} from './version-vector.ts';

/** A node's name for its writes to one key: a random 48-bit number (DESIGN 3.3). */
export type Actor = number;
/** Hybrid logical clock: (ms since 2020-01-01) * 4096 + counter, a safe integer. */
export type Stamp = number;

/** Names one write. */
export interface Dot {
  readonly actor: Actor;
  readonly stamp: Stamp;
}

/** actor -> highest stamp seen; sorted by actor, each actor once, stamps above 0. */
export type VersionVector = readonly Dot[];

/** Numeric codes are part of the stored format: append only, below 64. */
export const siblingKind = { value: 1, tombstone: 2 } as const;
export type SiblingKind = (typeof siblingKind)[keyof typeof siblingKind];

export interface Sibling {
  readonly dot: Dot;
  /** Stamp of the write whose value this is; EXPIRE, PERSIST and GETEX keep the original's. */
  readonly order: Stamp;
  readonly kind: SiblingKind;
  /** Wall clock, ms since 1970, a safe integer; 0 = never. */
  readonly expireAtMs: number;
  readonly bytes: Buffer;
}

/** The replicated state of one (db, key[, element]); no siblings = deleted. */
export interface Record {
  readonly vv: VersionVector;
  /** Sorted by dot (actor, then stamp). */
  readonly siblings: readonly Sibling[];
}

export const emptyRecord: Record = { vv: nothingSeen, siblings: [] };

/** Answers `a` itself if `b` has nothing new for it, so that callers see that nothing changed. */
export function merge(a: Record, b: Record): Record {
  if (a === b) return a;
  const vv = join(a.vv, b.vv);
  const siblings: Sibling[] = [];
  let i = 0;
  let j = 0;
  while (i < a.siblings.length || j < b.siblings.length) {
    const x = a.siblings[i];
    const y = b.siblings[j];
    const order = x === undefined ? 1 : y === undefined ? -1 : compareDots(x.dot, y.dot);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
    if (order === 0 && x !== undefined && y !== undefined) siblings.push(oneOf(x, y));
    else if (order < 0 && x !== undefined && !covered(b.vv, x.dot)) siblings.push(x);
    else if (order > 0 && y !== undefined && !covered(a.vv, y.dot)) siblings.push(y);
  }
  const unchanged =
    vv === a.vv &&
    siblings.length === a.siblings.length &&
    siblings.every((sibling, index) => sibling === a.siblings[index]);
  return unchanged ? a : checked({ vv, siblings });
}

/** A write that has seen `context`: it supersedes what that covers and stands beside the rest. */
export function put(record: Record, context: VersionVector, sibling: Sibling): Record {
  const vv = including(join(record.vv, context), sibling.dot);
  return checked({ vv, siblings: withSibling(uncovered(record, context), sibling) });
}

/** put(record, record.vv, sibling), the plain SET, without the walks. */
export function putCoveringAll(record: Pick<Record, 'vv'>, sibling: Sibling): Record {
  assert(isStamp(sibling.order), 'an order is a stamp');
  assert(isExpiry(sibling.expireAtMs), 'an expiry is a safe integer, 0 for never');
  return { vv: including(record.vv, sibling.dot), siblings: [sibling] };
}

/** A delete that has seen `context`. It needs no dot: the vector remembers what is gone. */
export function remove(record: Record, context: VersionVector): Record {
  const vv = join(record.vv, context);
  const siblings = uncovered(record, context);
  const unchanged = vv === record.vv && siblings.length === record.siblings.length;
  return unchanged ? record : checked({ vv, siblings });
}

/**
 * A write in the place of one sibling, beside all others (EXPIRE, PERSIST, GETEX). No vector can
 * say "this dot and not the actor's earlier ones", and none need to: the record's own vector covers
 * the old dot already, so leaving the sibling out is what tells other replicas that it is
 * superseded, while all that is still here is in their records too or is new to them.
 */
export function replace(record: Record, oldDot: Dot, sibling: Sibling): Record {
  const others = record.siblings.filter(({ dot }) => compareDots(dot, oldDot) !== 0);
  assert(others.length < record.siblings.length, 'a replaced sibling is in the record');
  return checked({ vv: including(record.vv, sibling.dot), siblings: withSibling(others, sibling) });
}

/** The sentence of the invariant that a record breaks; undefined = sound. */
export function faultOf({ vv, siblings }: Record): string | undefined {
  let previous: Dot | undefined;
  for (const entry of vv) {
    if (!isDot(entry)) return 'a version vector has a bad dot';
    if (previous !== undefined && entry.actor <= previous.actor) {
      return 'a version vector is out of order';
    }
    previous = entry;
  }
  previous = undefined;
  let at = 0;
  for (const { dot, order, expireAtMs } of siblings) {
    if (!isDot(dot)) return 'a sibling has a bad dot';
    if (!isStamp(order)) return 'a sibling has a bad order';
    if (!isExpiry(expireAtMs)) return 'a sibling has a bad expiry';
    if (previous !== undefined && compareDots(dot, previous) <= 0)
      return 'siblings are out of order';
    previous = dot;
    while ((vv[at]?.actor ?? dot.actor) < dot.actor) at += 1;
    const entry = vv[at];
    if (entry?.actor !== dot.actor || entry.stamp < dot.stamp) {
      return 'a sibling is not covered by its version vector';
    }
  }
  return undefined;
}

function isExpiry(expireAtMs: number): boolean {
  return Number.isSafeInteger(expireAtMs) && expireAtMs >= 0;
}

function checked(record: Record): Record {
  const fault = faultOf(record);
  assert(fault === undefined, fault ?? '');
  return record;
}

function uncovered(record: Record, context: VersionVector): readonly Sibling[] {
  if (context === record.vv) return [];
  return record.siblings.filter(({ dot }) => !covered(context, dot));
}

function withSibling(siblings: readonly Sibling[], sibling: Sibling): readonly Sibling[] {
  const at = siblings.findIndex(({ dot }) => compareDots(dot, sibling.dot) > 0);
  return siblings.toSpliced(at < 0 ? siblings.length : at, 0, sibling);
}

/**
 * Of two siblings with one dot. They are the same write, hence equal. Should two ever differ (a
 * bug, or damage that no checksum saw), all replicas must still settle on one: the greater in
 * (order, kind, expiry, bytes).
 */
function oneOf(a: Sibling, b: Sibling): Sibling {
  if (a === b) return a;
  const difference =
    a.order - b.order ||
    a.kind - b.kind ||
    a.expireAtMs - b.expireAtMs ||
    Buffer.compare(a.bytes, b.bytes);
  return difference >= 0 ? a : b;
}
