/**
 * When a write is done: W distinct nodes hold it durably (DESIGN 2.5). One attempt per node that
 * was asked, as owner or as fallback with a hint; two answers of one node are one copy, and a
 * courtesy hint or, under `quorum-strict`, any hint is none. What no attempt can reach any more
 * fails at once, without waiting for the deadline.
 */
export type PutState = 'waiting' | 'reached' | 'short';

export class PutCore {
  readonly needed: number;
  readonly #holders: number[] = [];
  #open = 0;

  constructor(needed: number) {
    this.needed = needed;
  }

  /** Nodes that hold it. */
  get acknowledged(): number {
    return this.#holders.length;
  }

  get state(): PutState {
    if (this.#holders.length >= this.needed) return 'reached';
    return this.#open > 0 ? 'waiting' : 'short';
  }

  attempt(): void {
    this.#open += 1;
  }

  /** An attempt ended: that node holds it. */
  held(member: number): void {
    this.#open -= 1;
    if (!this.#holders.includes(member)) this.#holders.push(member);
  }

  /** An attempt ended without a copy that counts. */
  missed(): void {
    this.#open -= 1;
  }
}
