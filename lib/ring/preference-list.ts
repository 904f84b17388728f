/**
 * The preference list of a partition: its owners, first the one that coordinates, and then, as
 * fallbacks, all other members (Dynamo 4.3, 4.6). Fallbacks stand in an order that is random but
 * the same on every node, and another one for each partition: so the load of a member that is down
 * spreads over all others. It depends on ids, not on places in the table, so that it outlives a
 * change of the layout, and hints are found where they were left.
 *
 * While a layout is being changed there are two: one is read from, both are written to, and nobody
 * is a fallback for a partition that he owns in either. The arrays are shared: nobody changes them.
 */
import type { Layout } from './layout.ts';

type Members = readonly number[];

export interface ActiveLayouts {
  /** One or two of equal partitions, oldest first. */
  readonly layouts: readonly Layout[];
  /** The one that is read from. */
  readonly reading: Layout;
}

export class PreferenceLists {
  readonly #reading: readonly Members[];
  /** One per layout. */
  readonly #writing: readonly (readonly Members[])[];
  /** Made when first asked for: most of them never are. */
  readonly #sets: (readonly Members[] | undefined)[] = [];
  readonly #fallbacks: (Members | undefined)[] = [];
  readonly #members: readonly { readonly number: number; readonly seed: number }[];

  /** `numberOf`: how the members of all layouts are named here. */
  constructor({ layouts, reading }: ActiveLayouts, numberOf: (id: string) => number) {
    this.#writing = layouts.map((layout) => rowsOf(layout, numberOf));
    this.#reading = this.#writing[layouts.indexOf(reading)] ?? [];
    const ids = new Set(layouts.flatMap(({ members }) => members));
    this.#members = [...ids].map((id) => ({
      number: numberOf(id),
      seed: Number.parseInt(id.slice(0, 8), 16),
    }));
  }

  /** In the layout that is read from. */
  owners(partition: number): Members {
    return this.#reading[partition] ?? nobody;
  }

  /** In the oldest layout. */
  coordinators(partition: number): Members {
    return this.#writing[0]?.[partition] ?? nobody;
  }

  /** In each layout that is written to; one set where all name the same owners. */
  sets(partition: number): readonly Members[] {
    const known = this.#sets[partition];
    if (known !== undefined) return known;
    const sets: Members[] = [];
    for (const rows of this.#writing) {
      const owners = rows[partition] ?? nobody;
      if (!sets.some((set) => isSameSet(set, owners))) sets.push(owners);
    }
    this.#sets[partition] = sets;
    return sets;
  }

  fallbacks(partition: number): Members {
    const known = this.#fallbacks[partition];
    if (known !== undefined) return known;
    const owners = new Set(this.sets(partition).flat());
    const others = this.#members
      .filter(({ number }) => !owners.has(number))
      .map(({ number, seed }) => ({ number, rank: mix(seed, partition) }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ number }) => number);
    this.#fallbacks[partition] = others;
    return others;
  }
}

const nobody: Members = [];

function rowsOf({ partitions, n, members, owners }: Layout, numberOf: (id: string) => number) {
  const numbers = members.map(numberOf);
  return Array.from(
    { length: partitions },
    (_, partition): Members =>
      Array.from(
        owners.subarray(partition * n, (partition + 1) * n),
        (index) => numbers[index] ?? -1,
      ),
  );
}

function isSameSet(a: Members, b: Members): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}

/** A hash of both, 0..2^32-1: the finalizer of MurmurHash3. */
function mix(seed: number, partition: number): number {
  let hash = seed ^ Math.imul(partition + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** How many partitions each member holds, and for how many it is the first. */
export interface PartitionCounts {
  readonly owned: readonly number[];
  readonly first: readonly number[];
}

export function partitionsOf({ n, members, owners }: Layout): PartitionCounts {
  const owned = new Array<number>(members.length).fill(0);
  const first = new Array<number>(members.length).fill(0);
  for (const [index, owner] of owners.entries()) {
    owned[owner] = (owned[owner] ?? 0) + 1;
    if (index % n === 0) first[owner] = (first[owner] ?? 0) + 1;
  }
  return { owned, first };
}

/** Partitions that a member owns, ascending; none if it is no member. */
export function partitionsOwned({ n, members, owners }: Layout, id: string): readonly number[] {
  const self = members.indexOf(id);
  const owned: number[] = [];
  for (const [index, owner] of owners.entries()) {
    if (owner === self) owned.push(Math.floor(index / n));
  }
  return owned;
}
