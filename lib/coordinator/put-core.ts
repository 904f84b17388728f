/**
 * When a write is done: W distinct nodes hold it durably, each for another owner (DESIGN 2.5), in
 * each set of owners that it goes to: one, or two while a layout is being changed (RELIABILITY 1.9,
 * W1). One attempt per node that was asked, as owner or as fallback with a hint. Two answers of one
 * node are one copy. So are the hint for an owner and that owner's own answer, should it come after
 * all: the hint goes away once it is handed over. What no attempt can reach any more fails at once,
 * without waiting for the deadline.
 */
export type PutState = 'waiting' | 'reached' | 'short';

/** Of one set of owners. */
interface Tally {
  readonly owners: readonly number[];
  readonly needed: number;
  readonly holders: number[];
  /** Owners whose share is held, by themselves or as a hint. */
  readonly shares: number[];
}

export class PutCore {
  /** W; a set of fewer owners needs all of them. */
  readonly needed: number;
  readonly #tallies: Tally[] = [];
  /** Every copy so far, for sets that are added later. */
  readonly #copies: [member: number, owner: number][] = [];
  #open = 0;

  constructor(needed: number, sets: readonly (readonly number[])[]) {
    this.needed = needed;
    for (const owners of sets) this.add(owners);
  }

  /** One more set of owners that must hold it. */
  add(owners: readonly number[]): void {
    const needed = Math.min(this.needed, owners.length);
    const tally: Tally = { owners, needed, holders: [], shares: [] };
    this.#tallies.push(tally);
    for (const [member, owner] of this.#copies) count(tally, member, owner);
  }

  /** Copies that count, in the set that has fewest. */
  get acknowledged(): number {
    return this.#tallies.reduce(
      (least, { shares }) => Math.min(least, shares.length),
      Number.POSITIVE_INFINITY,
    );
  }

  get state(): PutState {
    for (const { shares, needed } of this.#tallies) {
      if (shares.length < needed) return this.#open > 0 ? 'waiting' : 'short';
    }
    return 'reached';
  }

  attempt(): void {
    this.#open += 1;
  }

  /** An attempt ended: that node holds the share of that owner. */
  held(member: number, owner: number): void {
    this.#open -= 1;
    this.#copies.push([member, owner]);
    for (const tally of this.#tallies) count(tally, member, owner);
  }

  /** An attempt ended without a copy that counts. */
  missed(): void {
    this.#open -= 1;
  }
}

function count({ owners, holders, shares }: Tally, member: number, owner: number): void {
  if (!owners.includes(owner) || holders.includes(member) || shares.includes(owner)) return;
  holders.push(member);
  shares.push(owner);
}
