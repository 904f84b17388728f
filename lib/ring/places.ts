/**
 * The order within each row of owners. The first place coordinates (and is the master that cluster
 * clients see), so first places are proportional to weight, as far as the owners allow it; the
 * second place takes over, so the second places behind one first owner spread over all others.
 *
 * First places are dealt out greedily, or stay with who has them; then they are levelled along
 * chains: a passes a first place on to b, b another one to c. When no chain is left nobody could be
 * nearer to its share.
 */
import { assert } from '../base/assert.ts';
import { type Goal, isWhole, poured } from './loads.ts';

/** Members by index. */
type Row = readonly number[];
type PerMember = readonly number[];

/** `rows` holds the owners of each partition; `begin`: who is the first, as far as it is fair. */
export function orderPlaces(
  rows: readonly Row[],
  { weights, loads }: Goal,
  begin?: readonly number[],
): readonly Row[] {
  const vessels = weights.map((weight, member) => ({ weight, max: loads[member] ?? 0 }));
  const shares = poured(vessels, rows.length);
  const firsts = new FirstPlaces(rows, begin ?? dealFirsts(rows, shares), shares);
  firsts.level();
  const followers = new Followers(loads);
  return rows.map((row, partition) => {
    const first = firsts.of(partition);
    const rest = row
      .filter((member) => member !== first)
      .sort((a, b) => followers.share(first, a) - followers.share(first, b));
    followers.add(first, rest[0]);
    return [first, ...rest];
  });
}

/** Whoever lacks first places most, with whoever stands least often behind it. */
function dealFirsts(rows: readonly Row[], shares: PerMember): number[] {
  const counts = new Array<number>(shares.length).fill(0);
  const followers = new Followers(shares);
  return rows.map((row) => {
    let first = row[0] ?? 0;
    let second = row[1];
    let least = Number.POSITIVE_INFINITY;
    for (const a of row) {
      const share = shares[a] ?? 1;
      for (const b of row) {
        if (a === b) continue;
        const pairs = followers.share(a, b) * rows.length;
        const had = ((counts[a] ?? 0) + pairs) / share;
        if (had >= least) continue;
        [first, second, least] = [a, b, had];
      }
    }
    counts[first] = (counts[first] ?? 0) + 1;
    followers.add(first, second);
    return first;
  });
}

/** How often each member stands directly behind each other one. */
class Followers {
  readonly #sizes: PerMember;
  readonly #counts: Uint32Array;

  /** Where a member is `sizes` times as big it should follow as many times as often. */
  constructor(sizes: PerMember) {
    this.#sizes = sizes;
    this.#counts = new Uint32Array(sizes.length ** 2);
  }

  add(first: number, second: number | undefined): void {
    if (second === undefined) return;
    const at = first * this.#sizes.length + second;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  share(first: number, second: number): number {
    const count = this.#counts[first * this.#sizes.length + second] ?? 0;
    return count / (this.#sizes[second] ?? 1);
  }
}

class FirstPlaces {
  readonly #rows: readonly Row[];
  readonly #firsts: number[];
  readonly #counts: number[];
  readonly #least: PerMember;
  readonly #most: PerMember;

  constructor(rows: readonly Row[], firsts: readonly number[], shares: PerMember) {
    this.#rows = rows;
    this.#firsts = [...firsts];
    this.#least = shares.map((share) => (isWhole(share) ? Math.round(share) : Math.floor(share)));
    this.#most = shares.map((share) => (isWhole(share) ? Math.round(share) : Math.ceil(share)));
    this.#counts = new Array<number>(shares.length).fill(0);
    for (const first of firsts) this.#counts[first] = (this.#counts[first] ?? 0) + 1;
  }

  of(partition: number): number {
    return this.#firsts[partition] ?? 0;
  }

  /** From those with too many to whoever can take one; then to those with too few. */
  level(): void {
    while (this.#passOn(this.#most));
    while (this.#passOn(this.#least));
  }

  /** One first place from a member above the bound, along a chain, to a member below it. */
  #passOn(bound: PerMember): boolean {
    const size = this.#counts.length;
    const steps = this.#steps();
    const cameFrom = new Int32Array(size).fill(-1);
    const queue: number[] = [];
    for (const [member, count] of this.#counts.entries()) {
      if (count <= (bound[member] ?? 0)) continue;
      cameFrom[member] = member;
      queue.push(member);
    }
    for (const giver of queue) {
      if ((this.#counts[giver] ?? 0) < (bound[giver] ?? 0)) {
        this.#follow(giver, cameFrom, steps);
        return true;
      }
      for (let taker = 0; taker < size; taker += 1) {
        if (cameFrom[taker] !== -1 || steps[giver * size + taker] === -1) continue;
        cameFrom[taker] = giver;
        queue.push(taker);
      }
    }
    return false;
  }

  /** steps[a * members + b]: a partition in which a is first and b an owner, or -1. */
  #steps(): Int32Array {
    const size = this.#counts.length;
    const steps = new Int32Array(size * size).fill(-1);
    for (const [partition, row] of this.#rows.entries()) {
      for (const member of row) steps[this.of(partition) * size + member] = partition;
    }
    return steps;
  }

  #follow(end: number, cameFrom: Int32Array, steps: Int32Array): void {
    const size = this.#counts.length;
    let taker = end;
    let giver = cameFrom[taker] ?? taker;
    this.#counts[end] = (this.#counts[end] ?? 0) + 1;
    while (giver !== taker) {
      const partition = steps[giver * size + taker] ?? -1;
      assert(partition >= 0, 'a chain is made of steps');
      this.#firsts[partition] = taker;
      taker = giver;
      giver = cameFrom[taker] ?? taker;
    }
    this.#counts[taker] = (this.#counts[taker] ?? 0) - 1;
  }
}
