/**
 * The claim: which members own which partitions. A pure function of the candidates, so that
 * whoever computes it gets the same table (RELIABILITY 1.10).
 *
 * `loads.ts` says how many partitions each member holds. The partitions are then dealt one after
 * another, each to N members in as few zones twice as possible, and so that all targets come out
 * exactly. With R partitions left a deal goes through if afterwards nobody is left with more than
 * the R-1 others, no zone with more than (R-1) * zmax: whoever would be, takes part now, and the
 * rest is free. The free choice goes to those who have met the others least often: what
 * a member holds is then also held by all others, and all help when it is lost.
 *
 * Invariant: every partition has N distinct owners, at most zmax of one zone.
 */
import { assert } from '../base/assert.ts';
import type { Layout } from './layout.ts';
import { goalOf, targetsOf } from './loads.ts';
import { orderPlaces } from './places.ts';

export interface Candidate {
  /** 40 hex digits. */
  readonly id: string;
  /** At least 1. */
  readonly weight: number;
  /** Empty is a zone as good as any. */
  readonly zone: string;
}

/** The layout with which a ring begins; N is capped by the candidates. */
export function firstLayout(
  candidates: readonly Candidate[],
  partitions: number,
  n: number,
): Layout {
  assert(candidates.length > 0, 'a ring has members');
  const members = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1));
  const goal = goalOf(members, partitions, n);
  const held = members.map(() => 0);
  const dealer = new Dealer(targetsOf(goal, held), goal.zones, goal.zoneMax);
  const rows = Array.from({ length: partitions }, (_, dealt) =>
    dealer.deal(goal.replicas, partitions - dealt),
  );
  return {
    version: 1,
    n: goal.replicas,
    partitions,
    members: members.map(({ id }) => id),
    weights: goal.weights,
    zones: members.map(({ zone }) => zone),
    removed: [],
    owners: Uint16Array.from(orderPlaces(rows, goal).flat()),
  };
}

interface Hand {
  readonly member: number;
  readonly zone: ZoneHand;
  readonly target: number;
  /** How often it shares a partition with each member. */
  readonly met: number[];
  left: number;
  /** Meetings with those already in the row, as a share of what either holds. */
  familiarity: number;
}

interface ZoneHand {
  left: number;
  /** In the row being dealt: how many it has, must have, may have. */
  taken: number;
  least: number;
}

/** Deals out row after row; `left` is what remains of the targets. */
class Dealer {
  readonly #hands: readonly Hand[];
  readonly #zones: readonly ZoneHand[];
  readonly #zoneMax: number;

  constructor(targets: readonly number[], zones: readonly (readonly number[])[], zoneMax: number) {
    this.#zoneMax = zoneMax;
    this.#zones = zones.map((zone) => ({
      left: zone.reduce((total, member) => total + (targets[member] ?? 0), 0),
      taken: 0,
      least: 0,
    }));
    const zoneOf = new Map<number, ZoneHand>();
    for (const [index, zone] of this.#zones.entries()) {
      for (const member of zones[index] ?? []) zoneOf.set(member, zone);
    }
    this.#hands = targets.map((target, member) => {
      const zone = zoneOf.get(member);
      assert(zone !== undefined, 'every member is in a zone');
      const met = new Array<number>(targets.length).fill(0);
      return { member, zone, target, met, left: target, familiarity: 0 };
    });
  }

  /** `partitionsLeft` counts this one. */
  deal(replicas: number, partitionsLeft: number): number[] {
    for (const zone of this.#zones) {
      zone.taken = 0;
      zone.least = zone.left - this.#zoneMax * (partitionsLeft - 1);
    }
    for (const hand of this.#hands) hand.familiarity = 0;
    const row: Hand[] = [];
    for (const hand of this.#hands) if (hand.left === partitionsLeft) this.#take(hand, row);
    while (row.length < replicas) {
      const owed = this.#best((hand) => hand.zone.taken < hand.zone.least, row);
      const next = owed ?? this.#best((hand) => hand.zone.taken < this.#zoneMax, row);
      assert(next !== undefined, 'targets can be dealt out');
      this.#take(next, row);
    }
    return row.map(({ member }) => member);
  }

  #best(allowed: (hand: Hand) => boolean, row: readonly Hand[]): Hand | undefined {
    let best: Hand | undefined;
    for (const hand of this.#hands) {
      if (hand.left === 0 || !allowed(hand) || row.includes(hand)) continue;
      if (best === undefined || isBetter(hand, best)) best = hand;
    }
    return best;
  }

  #take(hand: Hand, row: Hand[]): void {
    for (const other of row) {
      hand.met[other.member] = (hand.met[other.member] ?? 0) + 1;
      other.met[hand.member] = (other.met[hand.member] ?? 0) + 1;
    }
    hand.left -= 1;
    hand.zone.left -= 1;
    hand.zone.taken += 1;
    row.push(hand);
    for (const other of this.#hands) {
      other.familiarity += (other.met[hand.member] ?? 0) / (other.target * hand.target);
    }
  }
}

function isBetter(a: Hand, b: Hand): boolean {
  if (a.familiarity !== b.familiarity) return a.familiarity < b.familiarity;
  return a.left / a.target > b.left / b.target;
}
