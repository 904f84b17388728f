/**
 * Who owns what after a change, with the fewest moves. It begins with the rows as they were, as far
 * as they are still legal, and lets those who hold too much pass partitions on to those who hold
 * too little: a gives p to b, b gives q to c. A place that is free is held by nobody, who should
 * hold none, so that filling is the same as levelling.
 *
 * This is a flow of least cost (Garage's layout, there by cycles): a partition costs something at a
 * member that did not hold it before, and a trifle less where that member inherits it. Rows as they
 * were cost nothing, and each unit goes by a cheapest chain, so no table with these targets costs
 * less (successive shortest paths). As in the primal-dual method a round finds the distances of all
 * members from those with too much, and then uses all chains of that length. `prices` are the
 * potentials; with them no step is below 0:
 *
 *   cost(p, b) - cost(p, a) + price(a) - price(b) >= 0    where p may go from a to b
 *
 * Of the cheapest chains the shortest are used: they need no partition twice. Where partitions cost
 * the same, it is the one whose other owners the taker has met least often: so what a member holds
 * stays spread over all others, as the first layout deals it.
 *
 * Invariant: owners of a row are distinct, at most zoneMax of one zone.
 */
import { assert } from '../base/assert.ts';
import type { Goal } from './loads.ts';

/** By partition: members, in no particular order. */
type Rows = readonly (readonly number[])[];

const goldenRatio = 0.618;
/** What a partition is to a member; indexes the costs. */
const held = 0;
const inherited = 1;
const foreign = 2;
const far = Number.POSITIVE_INFINITY;
/** More hardly make a better choice. */
const comparedMax = 256;

export class Levelling {
  readonly #partitions: number;
  readonly #replicas: number;
  readonly #zoneMax: number;
  readonly #zonesCount: number;
  /** How many members there are; also the index of nobody. */
  readonly #nobody: number;
  readonly #zoneOf: Int32Array;
  /** owners[partition * replicas + place]. */
  readonly #owners: Int32Array;
  /** By partition, then member: 1 where it holds the partition; and what that is to it. */
  readonly #holds: Uint8Array;
  readonly #kinds: Uint8Array;
  readonly #costs: readonly number[];
  /** By partition, then zone: how many owners lie in it. */
  readonly #inZone: Uint8Array;
  /** By member: what it holds above its target. */
  readonly #surplus: Int32Array;
  readonly #targets: readonly number[];
  /** By member, then member: how many partitions both hold. */
  readonly #met: Int32Array;
  readonly #prices: Float64Array;
  /** For one round: steps from those with too much, and what is yet to be tried. */
  readonly #steps: Float64Array;
  readonly #tried: Int32Array;
  #holdings: readonly number[][] = [];

  /** Rows of who held what, and of who should rather take it than others that did not. */
  constructor(goal: Goal, targets: readonly number[], before: Rows, heirs: Rows) {
    const { partitions, replicas, zones, zoneMax } = goal;
    const members = targets.length;
    this.#partitions = partitions;
    this.#replicas = replicas;
    this.#zoneMax = zoneMax;
    this.#zonesCount = zones.length;
    this.#nobody = members;
    this.#zoneOf = new Int32Array(members + 1).fill(-1);
    for (const [zone, inside] of zones.entries()) {
      for (const member of inside) this.#zoneOf[member] = zone;
    }
    this.#owners = new Int32Array(partitions * replicas).fill(members);
    this.#holds = new Uint8Array(partitions * members);
    this.#kinds = new Uint8Array(partitions * members).fill(foreign);
    // All that is inherited together counts less than one move.
    const move = partitions * replicas + 1;
    this.#costs = [0, move - 1, move];
    this.#inZone = new Uint8Array(partitions * zones.length);
    this.#targets = targets;
    this.#met = new Int32Array(members * members);
    this.#surplus = new Int32Array(members + 1);
    for (const [member, target] of targets.entries()) this.#surplus[member] = -target;
    this.#surplus[members] = partitions * replicas;
    this.#prices = new Float64Array(members + 1);
    this.#steps = new Float64Array(members + 1);
    this.#tried = new Int32Array(members + 1);
    for (const [partition, row] of heirs.entries()) {
      for (const member of row) this.#kinds[partition * members + member] = inherited;
    }
    for (const [partition, row] of before.entries()) this.#keep(partition, row);
  }

  /** As many of the row as are legal. */
  #keep(partition: number, row: readonly number[]): void {
    let free = this.#replicas;
    for (const member of row) {
      this.#kinds[partition * this.#nobody + member] = held;
      if (free === 0 || !this.#mayGo(partition, this.#nobody, member)) continue;
      this.#move(partition, this.#nobody, member);
      free -= 1;
    }
  }

  /** The owners of each partition. */
  run(): Rows {
    while (this.#surplus.some((units) => units > 0)) this.#round();
    return Array.from({ length: this.#partitions }, (_, partition) =>
      Array.from(this.#row(partition)),
    );
  }

  #row(partition: number): Int32Array {
    return this.#owners.subarray(partition * this.#replicas, (partition + 1) * this.#replicas);
  }

  /** All chains that are as cheap, and then as short, as any. */
  #round(): void {
    this.#measure();
    this.#holdings = this.#listHoldings();
    this.#tried.fill(0);
    let moved = false;
    let givers = [...this.#surplus.keys()];
    while (givers.length > 0) {
      givers = givers.filter((giver) => (this.#surplus[giver] ?? 0) > 0 && this.#passOn(giver));
      if (givers.length > 0) moved = true;
    }
    assert(moved, 'targets can be met');
  }

  /** By member: its partitions, in an order that has nothing to do with who lies beside whom. */
  #listHoldings(): readonly number[][] {
    const holdings = Array.from(this.#surplus, (): number[] => []);
    const stride = Math.floor(this.#partitions * goldenRatio) | 1;
    for (let turn = 0; turn < this.#partitions; turn += 1) {
      // Every partition once: their number is a power of two, and the stride is odd.
      const partition = (turn * stride) % this.#partitions;
      for (const owner of this.#row(partition)) holdings[owner]?.push(partition);
    }
    return holdings;
  }

  /** One unit from the giver along a chain; false if it leads to nobody who needs it. */
  #passOn(giver: number): boolean {
    for (let taker = this.#tried[giver] ?? 0; taker < this.#nobody; taker += 1) {
      this.#tried[giver] = taker;
      for (;;) {
        if (this.#steps[taker] !== (this.#steps[giver] ?? 0) + 1) break;
        const partition = this.#best(giver, taker);
        if (partition === undefined) break;
        if ((this.#surplus[taker] ?? 0) >= 0 && !this.#passOn(taker)) break;
        // What was passed on may have been of the same partition.
        if (!this.#mayGo(partition, giver, taker)) continue;
        this.#move(partition, giver, taker);
        this.#strike(partition, giver);
        return true;
      }
    }
    this.#tried[giver] = this.#nobody;
    return false;
  }

  #strike(partition: number, giver: number): void {
    const holdings = this.#holdings[giver] ?? [];
    const last = holdings.pop() ?? partition;
    if (last !== partition) holdings[holdings.indexOf(partition)] = last;
  }

  /** Of the partitions that may take this step: where the taker has met the other owners least. */
  #best(giver: number, taker: number): number | undefined {
    let best: number | undefined;
    let least = far;
    let compared = 0;
    for (const partition of this.#holdings[giver] ?? []) {
      if (compared === comparedMax) break;
      if (!this.#leadsOn(partition, giver, taker)) continue;
      compared += 1;
      let familiarity = 0;
      for (const other of this.#row(partition)) {
        if (other === giver) continue;
        familiarity += this.#familiarity(taker, other) - this.#familiarity(giver, other);
      }
      if (familiarity < least) [best, least] = [partition, familiarity];
    }
    return best;
  }

  /** Their meetings, as a share of what either should hold. */
  #familiarity(one: number, other: number): number {
    const targets = (this.#targets[one] ?? 0) * (this.#targets[other] ?? 0);
    return targets === 0 ? 0 : (this.#met[one * this.#nobody + other] ?? 0) / targets;
  }

  #leadsOn(partition: number, giver: number, taker: number): boolean {
    if (!this.#mayGo(partition, giver, taker)) return false;
    const cost = this.#cost(partition, taker) - this.#cost(partition, giver);
    return cost + (this.#prices[giver] ?? 0) === this.#prices[taker];
  }

  #cost(partition: number, member: number): number {
    if (member === this.#nobody) return 0;
    return this.#costs[this.#kinds[partition * this.#nobody + member] ?? held] ?? 0;
  }

  #mayGo(partition: number, giver: number, taker: number): boolean {
    if (this.#holds[partition * this.#nobody + taker] === 1) return false;
    const zone = this.#zoneOf[taker] ?? 0;
    const isFull = (this.#inZone[partition * this.#zonesCount + zone] ?? 0) >= this.#zoneMax;
    if (isFull && this.#zoneOf[giver] !== zone) return false;
    return this.#row(partition).includes(giver);
  }

  #move(partition: number, giver: number, taker: number): void {
    const row = this.#row(partition);
    const place = row.indexOf(giver);
    row[place] = this.#nobody;
    this.#enter(partition, giver, -1);
    this.#enter(partition, taker, 1);
    row[place] = taker;
  }

  /** Or leaves it; the row holds the others. */
  #enter(partition: number, member: number, change: 1 | -1): void {
    const members = this.#nobody;
    this.#surplus[member] = (this.#surplus[member] ?? 0) + change;
    if (member === members) return;
    this.#holds[partition * members + member] = change === 1 ? 1 : 0;
    const at = partition * this.#zonesCount + (this.#zoneOf[member] ?? 0);
    this.#inZone[at] = (this.#inZone[at] ?? 0) + change;
    for (const other of this.#row(partition)) {
      if (other === members) continue;
      for (const pair of [member * members + other, other * members + member]) {
        this.#met[pair] = (this.#met[pair] ?? 0) + change;
      }
    }
  }

  /** Dijkstra over the members, from all with too much; sets the steps and raises the prices. */
  #measure(): void {
    const size = this.#nobody + 1;
    const cheapest = this.#cheapestSteps();
    const distances = Float64Array.from(this.#surplus, (units) => (units > 0 ? 0 : far));
    const isDone = new Uint8Array(size);
    let farthest = 0;
    for (;;) {
      let from = -1;
      for (let at = 0; at < size; at += 1) {
        if (isDone[at] === 1 || distances[at] === far) continue;
        if (from === -1 || (distances[at] ?? 0) < (distances[from] ?? 0)) from = at;
      }
      if (from === -1) break;
      isDone[from] = 1;
      farthest = distances[from] ?? 0;
      for (let to = 0; to < size; to += 1) {
        const cost = cheapest[from * size + to] ?? far;
        const price = cost + (this.#prices[from] ?? 0) - (this.#prices[to] ?? 0);
        // A chain has fewer steps than there are members: they count less than any price.
        const distance = farthest + price * size + 1;
        if (distance < (distances[to] ?? 0)) distances[to] = distance;
      }
    }
    for (const [member, distance] of distances.entries()) {
      const raise = Math.floor(Math.min(distance, farthest) / size);
      this.#prices[member] = (this.#prices[member] ?? 0) + raise;
      this.#steps[member] = distance === far ? far : distance % size;
    }
  }

  /** By giver, then taker: the least cost of a step. */
  #cheapestSteps(): Float64Array {
    const size = this.#nobody + 1;
    const cheapest = new Float64Array(size * size).fill(far);
    for (let partition = 0; partition < this.#partitions; partition += 1) {
      const row = this.#row(partition);
      for (let taker = 0; taker < this.#nobody; taker += 1) {
        const at = partition * this.#nobody + taker;
        if (this.#holds[at] === 1) continue;
        const zone = this.#zoneOf[taker] ?? 0;
        const isFull = (this.#inZone[partition * this.#zonesCount + zone] ?? 0) >= this.#zoneMax;
        for (const giver of row) {
          if (isFull && this.#zoneOf[giver] !== zone) continue;
          const cost = this.#cost(partition, taker) - this.#cost(partition, giver);
          const step = giver * size + taker;
          if (cost < (cheapest[step] ?? far)) cheapest[step] = cost;
        }
      }
    }
    return cheapest;
  }
}
