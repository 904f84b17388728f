/**
 * Whether this node may serve its clients at all. There are states that only the operator can end;
 * until then a clear refusal is better than an answer that may be wrong (DESIGN 2.1).
 */
export interface Refusal {
  readonly of: 'everything' | 'writes';
  /** A whole RESP error text. */
  readonly text: string;
}

export class Standing {
  #refusal: Refusal | undefined;

  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Another ring has its member of that name where this node is, which founded its own. */
  lostDisk(name: string): void {
    this.#refuse(
      'everything',
      `this node has lost its data: it is ${name} of a ring that exists; start it empty with ` +
        `seeds and --replace-node ${name}`,
    );
  }

  removed(): void {
    this.#refuse('everything', 'this node was removed from its ring: start it empty');
  }

  left(): void {
    this.#refuse('everything', 'this node has left its ring: start it empty to join again');
  }

  /** Two processes run under this node's id. */
  twin(): void {
    this.#refuse(
      'writes',
      'two processes run as this node, on copies of one data directory: stop both, empty one ' +
        'directory, start again',
    );
  }

  #refuse(of: Refusal['of'], reason: string): void {
    if (this.#refusal?.of === 'everything') return;
    this.#refusal = { of, text: `CLUSTERDOWN ${reason}` };
  }
}
