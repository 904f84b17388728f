/** Who may coordinate a write of a key, the best first. */
import type { Place } from '../replica/place.ts';
import type { Parts } from './parts.ts';

/**
 * A write that no other need precede: this node if it is an owner; else the owners that are not
 * down; behind them, in a sloppy quorum, whoever stands in for them.
 */
export function anyOwner({ ring, settings }: Parts, { slot }: Place): readonly number[] {
  const usable = (members: readonly number[]): number[] =>
    members.filter((member) => ring.takesWrites(member));
  const owners = usable(ring.ownersOf(slot));
  if (owners.includes(ring.self)) return [ring.self];
  return settings().strict ? owners : [...owners, ...usable(ring.fallbacksOf(slot))];
}

/**
 * A read-modify-write: the owners in their order, so that those of one key meet at one node; by the
 * oldest active layout, which all give up at nearly the same moment. Who is
 * silent but not yet down is still asked: two nodes that disagree about a moment's silence must not
 * send two increments to two owners.
 */
export function firstOwner({ ring }: Parts, { slot }: Place): readonly number[] {
  return ring.coordinatorsOf(slot).filter((member) => ring.takesWrites(member));
}
