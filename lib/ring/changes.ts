/**
 * A layout from the one before: members come, go, are replaced or change weight, all in one step. A
 * pure function, so that whoever computes it gets the same table; members only verify it.
 *
 * What each member should hold follows from the weights and zones alone, as in the first layout;
 * who holds what is the previous table with as few moves as that takes (`levelling.ts`). First
 * places stay where they are as far as they are fair; where the first owner goes, the next one
 * follows, as it has when the first was down.
 *
 * Invariant: every partition has N distinct owners, at most zmax of one zone.
 */
import { assert } from '../base/assert.ts';
import type { Candidate } from './claim.ts';
import { faultOfLayout, faultOfMember, type Layout } from './layout.ts';
import { Levelling } from './levelling.ts';
import { goalOf, targetsOf } from './loads.ts';
import { orderPlaces } from './places.ts';
import { partitionsOf } from './preference-list.ts';

export type Change =
  | { readonly kind: 'join'; readonly candidate: Candidate }
  /** Hands over, and may come back. */
  | { readonly kind: 'leave'; readonly id: string }
  /** Is given up for ever. */
  | { readonly kind: 'remove'; readonly id: string }
  /** So is this one. The candidate takes its places, where weight, zone and few moves allow it. */
  | { readonly kind: 'replace'; readonly id: string; readonly candidate: Candidate }
  | { readonly kind: 'weight'; readonly id: string; readonly weight: number };

/** A move: `from` no longer owns it; undefined where the partition gains an owner. */
export interface Transfer {
  readonly partition: number;
  readonly from: string | undefined;
  readonly to: string;
}

export interface Plan {
  readonly moves: number;
  /** No table with these loads that keeps the rule of zones could move fewer. */
  readonly lowerBound: number;
  readonly transfers: readonly Transfer[];
}

type Row = readonly number[];

/**
 * All changes, one after another, as one step to the next version. `n`: how many replicas are
 * wanted. Throws a RangeError where they cannot be.
 */
export function nextLayout(previous: Layout, changes: readonly Change[], n: number): Layout {
  const crew = new Crew(previous);
  for (const change of changes) crew.apply(change);
  const members = crew.members();
  if (members.length === 0) throw new RangeError('the last member cannot go');
  const goal = goalOf(members, previous.partitions, n);
  const before = rowsBefore(previous, crew.heirs());
  const targets = targetsOf(goal, heldIn(before, members.length));
  const stayers = new Set(previous.members);
  const isStayer = members.map(({ id }) => stayers.has(id));
  const kept = before.map((row) => row.filter((owner) => isStayer[owner]));
  const heirs = before.map((row) => row.filter((owner) => !isStayer[owner]));
  const rows = new Levelling(goal, targets, kept, heirs).run();
  const layout = {
    version: previous.version + 1,
    n: goal.replicas,
    partitions: previous.partitions,
    members: members.map(({ id }) => id),
    weights: goal.weights,
    zones: members.map(({ zone }) => zone),
    removed: crew.removed(),
    owners: Uint16Array.from(orderPlaces(rows, goal, firstsOf(rows, before)).flat()),
  };
  const fault = faultOfLayout(layout);
  assert(fault === undefined, `a changed layout is sound: ${fault}`);
  return layout;
}

/** Owners in the order of places, by their new index; who has none is left out. */
function rowsBefore(previous: Layout, heirs: readonly (number | undefined)[]): readonly Row[] {
  return rowsOf(previous).map((row) => row.flatMap((owner) => heirs[owner] ?? []));
}

function rowsOf({ n, partitions, owners }: Layout): readonly Row[] {
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from(owners.subarray(partition * n, (partition + 1) * n)),
  );
}

function heldIn(rows: readonly Row[], membersCount: number): readonly number[] {
  const held = new Array<number>(membersCount).fill(0);
  for (const row of rows) for (const member of row) held[member] = (held[member] ?? 0) + 1;
  return held;
}

/** Whoever was given the first place's partition stands there; if the first went, the next does. */
function firstsOf(rows: readonly Row[], before: readonly Row[]): Row {
  return rows.map((row, partition) => {
    const owners = before[partition] ?? [];
    const first = owners[0];
    if (first !== undefined && row.includes(first)) return first;
    const taker = row.find((owner) => !owners.includes(owner));
    return taker ?? row[0] ?? 0;
  });
}

/** What the step from one layout to the next moves. */
export function planOf(previous: Layout, next: Layout): Plan {
  const indexes = indexesOf(next.members);
  const heirs = previous.members.map((id) => indexes.get(id));
  const nextRows = rowsOf(next);
  const transfers = rowsOf(previous).flatMap((owners, partition): readonly Transfer[] => {
    const row = nextRows[partition] ?? [];
    const left = owners.filter((owner) => !row.includes(heirs[owner] ?? -1));
    const came = row.filter((owner) => !owners.some((other) => heirs[other] === owner));
    return came.map((owner, index) => {
      const from = previous.members[left[index] ?? -1];
      return { partition, from, to: next.members[owner] ?? '' };
    });
  });
  const lowerBound = fewestMoves(rowsBefore(previous, heirs), next);
  return { moves: transfers.length, lowerBound, transfers };
}

function fewestMoves(before: readonly Row[], next: Layout): number {
  const { weights, zones, partitions, n } = next;
  const members = weights.map((weight, index) => ({ weight, zone: zones[index] ?? '' }));
  const goal = goalOf(members, partitions, n);
  const rows = new Levelling(goal, partitionsOf(next).owned, before, []).run();
  return rows.reduce((moves, row, partition) => {
    const owners = before[partition] ?? [];
    return moves + row.filter((owner) => !owners.includes(owner)).length;
  }, 0);
}

function indexesOf(ids: readonly string[]): ReadonlyMap<string, number> {
  return new Map(ids.map((id, index) => [id, index]));
}

/** Who is a member while changes are applied. */
class Crew {
  readonly #members = new Map<string, Candidate>();
  readonly #removed: Set<string>;
  /** Who has the places of each previous member, by its index. */
  readonly #heirs: string[];

  constructor(previous: Layout) {
    this.#removed = new Set(previous.removed);
    this.#heirs = [...previous.members];
    for (const [index, id] of previous.members.entries()) {
      const [weight = 1, zone = ''] = [previous.weights[index], previous.zones[index]];
      this.#members.set(id, { id, weight, zone });
    }
  }

  apply(change: Change): void {
    switch (change.kind) {
      case 'join':
        this.#add(change.candidate);
        break;
      case 'leave':
        this.#members.delete(this.#known(change.id).id);
        break;
      case 'remove':
        this.#remove(change.id);
        break;
      case 'replace':
        this.#remove(this.#known(change.id).id);
        this.#add(change.candidate);
        for (const [index, heir] of this.#heirs.entries()) {
          if (heir === change.id) this.#heirs[index] = change.candidate.id;
        }
        break;
      case 'weight':
        this.#put({ ...this.#known(change.id), weight: change.weight });
        break;
      default:
        change satisfies never;
    }
  }

  /** In the order of a layout. */
  members(): readonly Candidate[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  removed(): readonly string[] {
    return [...this.#removed].sort();
  }

  /** By previous index: the new one of whoever has these places now. */
  heirs(): readonly (number | undefined)[] {
    const indexes = indexesOf(this.members().map(({ id }) => id));
    return this.#heirs.map((id) => indexes.get(id));
  }

  #known(id: string): Candidate {
    const member = this.#members.get(id);
    if (member === undefined) throw new RangeError(`${id} is not a member`);
    return member;
  }

  #add({ id, weight, zone }: Candidate): void {
    if (this.#members.has(id)) throw new RangeError(`${id} is a member already`);
    if (this.#removed.has(id)) throw new RangeError(`${id} was removed and cannot come back`);
    this.#put({ id, weight, zone });
  }

  /** It may have been leaving, and be no member any more. */
  #remove(id: string): void {
    this.#members.delete(id);
    this.#removed.add(id);
  }

  #put(member: Candidate): void {
    const fault = faultOfMember(member.id, member.weight, member.zone);
    if (fault !== undefined) throw new RangeError(`a member ${fault}`);
    this.#members.set(member.id, member);
  }
}
