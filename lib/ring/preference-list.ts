/**
 * The preference list of a partition: its owners, first the one that coordinates, and then, as
 * fallbacks, all other members (Dynamo 4.3, 4.6). Fallbacks stand in an order that is random but
 * the same on every node, and another one for each partition: so the load of a member that is down
 * spreads over all others. It depends on ids, not on places in the table, so that it outlives a
 * change of the layout, and hints are found where they were left.
 *
 * Members are named by their index in the layout. The arrays are shared: nobody changes them.
 */
import type { Layout } from './layout.ts';

export class PreferenceLists {
  readonly #owners: readonly (readonly number[])[];
  /** Made when first asked for: most of them never are. */
  readonly #fallbacks: (readonly number[] | undefined)[];
  readonly #seeds: readonly number[];

  constructor({ n, partitions, members, owners }: Layout) {
    this.#owners = Array.from({ length: partitions }, (_, partition) =>
      Array.from(owners.subarray(partition * n, (partition + 1) * n)),
    );
    this.#fallbacks = new Array<undefined>(partitions).fill(undefined);
    this.#seeds = members.map((id) => Number.parseInt(id.slice(0, 8), 16));
  }

  owners(partition: number): readonly number[] {
    return this.#owners[partition] ?? nobody;
  }

  fallbacks(partition: number): readonly number[] {
    const known = this.#fallbacks[partition];
    if (known !== undefined) return known;
    const owners = this.owners(partition);
    const others = this.#seeds
      .map((seed, member) => ({ member, rank: mix(seed, partition) }))
      .filter(({ member }) => !owners.includes(member))
      .sort((a, b) => a.rank - b.rank || a.member - b.member)
      .map(({ member }) => member);
    this.#fallbacks[partition] = others;
    return others;
  }
}

const nobody: readonly number[] = [];

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
