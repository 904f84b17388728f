/**
 * Version vectors: which writes a record or a client has seen. An actor's stamps only grow, and
 * whoever has seen one has seen all that the actor wrote to the key before (DESIGN 3.3), so one
 * stamp for each actor says it all.
 *
 * A vector is an immutable array sorted by actor. Most have one entry, few more than three, so
 * plain walks over both arrays beat every map; what need not be built is not built (`join` answers
 * one of its arguments where that is the result).
 *
 *   join(a, b) = join(b, a)     join(a, join(b, c)) = join(join(a, b), c)     join(a, a) = a
 *   covered(join(a, b), dot) = covered(a, dot) or covered(b, dot)
 */
import { assert } from '../base/assert.ts';
import { u48Max } from '../base/bytes.ts';
import type { Dot, VersionVector } from './record.ts';
import { wallMsOf } from './stamp-clock.ts';

export const nothingSeen: VersionVector = [];

export type Comparison = 'equal' | 'before' | 'after' | 'concurrent';

/** By actor, then by stamp: the canonical order. */
export function compareDots(a: Dot, b: Dot): number {
  return a.actor - b.actor || a.stamp - b.stamp;
}

export function covered(vv: VersionVector, dot: Dot): boolean {
  for (const entry of vv) {
    if (entry.actor >= dot.actor) return entry.actor === dot.actor && entry.stamp >= dot.stamp;
  }
  return false;
}

/** What `a` is to `b`: `before` = b has seen all of a and more. */
export function compareVersions(a: VersionVector, b: VersionVector): Comparison {
  let aHasMore = false;
  let bHasMore = false;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (y === undefined || (x !== undefined && x.actor < y.actor)) {
      aHasMore = true;
      i += 1;
    } else if (x === undefined || x.actor > y.actor) {
      bHasMore = true;
      j += 1;
    } else {
      if (x.stamp > y.stamp) aHasMore = true;
      if (x.stamp < y.stamp) bHasMore = true;
      i += 1;
      j += 1;
    }
  }
  if (aHasMore) return bHasMore ? 'concurrent' : 'after';
  return bHasMore ? 'before' : 'equal';
}

/**
 * Pointwise maximum; `a` itself if it has seen all of `b`, else `b` if that has seen all of `a`.
 */
export function join(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b) return a;
  const comparison = compareVersions(a, b);
  if (comparison === 'before') return b;
  if (comparison !== 'concurrent') return a;
  const joined: Dot[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (y === undefined || (x !== undefined && x.actor < y.actor)) {
      if (x !== undefined) joined.push(x);
      i += 1;
    } else if (x === undefined || x.actor > y.actor) {
      joined.push(y);
      j += 1;
    } else {
      joined.push(x.stamp >= y.stamp ? x : y);
      i += 1;
      j += 1;
    }
  }
  return joined;
}

/** The vector and one write more, which must be new to it: an actor's stamps only grow. */
export function including(vv: VersionVector, dot: Dot): VersionVector {
  let at = 0;
  for (const entry of vv) {
    if (entry.actor >= dot.actor) break;
    at += 1;
  }
  const same = vv[at];
  if (same?.actor !== dot.actor) return vv.length === 0 ? [dot] : vv.toSpliced(at, 0, dot);
  assert(dot.stamp > same.stamp, 'a write has a stamp above all that its actor gave to the key');
  return vv.length === 1 ? [dot] : vv.with(at, dot);
}

/**
 * From dots in any order, repeated ones too. For what comes from outside: order is never trusted.
 */
export function makeVersionVector(dots: readonly Dot[]): VersionVector {
  const vv: Dot[] = [];
  for (const dot of [...dots].sort(compareDots)) {
    assert(isDot(dot), 'a dot is a 48-bit actor and a stamp above 0');
    if (vv.at(-1)?.actor === dot.actor) vv.pop();
    vv.push(dot);
  }
  return vv;
}

export function isDot({ actor, stamp }: Dot): boolean {
  return Number.isInteger(actor) && actor >= 0 && actor <= u48Max && isStamp(stamp);
}

export function isStamp(stamp: number): boolean {
  return Number.isSafeInteger(stamp) && stamp > 0;
}

/** Actor (12 hex digits) and the wall clock of its latest write in ms since 1970, for people. */
export function describeVersions(vv: VersionVector): readonly (readonly [string, number])[] {
  return vv.map(({ actor, stamp }) => [actor.toString(16).padStart(12, '0'), wallMsOf(stamp)]);
}
