/**
 * When a write is done: W distinct nodes hold it durably, each for another owner (DESIGN 2.5). One
 * attempt per node that was asked, as owner or as fallback with a hint. Two answers of one node are
 * one copy. So are the hint for an owner and that owner's own answer, should it come after all: the
 * hint goes away once it is handed over. What no attempt can reach any more fails at once, without
 * waiting for the deadline.
 */
export type PutState = 'waiting' | 'reached' | 'short';

export class PutCore {
  readonly needed: number;
  readonly #holders: number[] = [];
  /** Owners whose share is held, by themselves or as a hint. */
  readonly #shares: number[] = [];
  #open = 0;

  constructor(needed: number) {
    this.needed = needed;
  }

  /** Copies that count. */
  get acknowledged(): number {
    return this.#shares.length;
  }

  get state(): PutState {
    if (this.#shares.length >= this.needed) return 'reached';
    return this.#open > 0 ? 'waiting' : 'short';
  }

  attempt(): void {
    this.#open += 1;
  }

  /** An attempt ended: that node holds the share of that owner. */
  held(member: number, owner: number): void {
    this.#open -= 1;
    if (this.#holders.includes(member) || this.#shares.includes(owner)) return;
    this.#holders.push(member);
    this.#shares.push(owner);
  }

  /** An attempt ended without a copy that counts. */
  missed(): void {
    this.#open -= 1;
  }
}
