/**
 * Which actor may write a key (DESIGN 3.3; the classic silent data loss is riak_kv #679). An actor
 * may be used only while this node remembers every write that the actor made to that key. So it
 * lies beside the record, under the epoch in which it was drawn; an epoch is valid until something
 * may have been lost: it is renewed at every start and when a commit fails. Only after a clean stop
 * whose marker and storage check hold does the epoch of the previous run become valid again.
 */
import type { Actor } from '../causal/record.ts';
import type { Random } from '../runtime/ports.ts';

export interface Mine {
  /** 0 = none. */
  readonly epoch: number;
  readonly actor: Actor;
}

export class ActorRule {
  readonly #random: Random;
  #newest: number;
  #earlier: number | undefined;
  /** Since start. */
  renewals = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#newest = this.#draw();
  }

  get epoch(): number {
    return this.#newest;
  }

  /** The actor for a write to the record that has `mine` beside it. */
  mineFor(mine: Mine): Mine {
    const valid = mine.epoch === this.#newest || mine.epoch === this.#earlier;
    return valid && mine.epoch !== 0 ? mine : this.fresh();
  }

  fresh(): Mine {
    return { epoch: this.#newest, actor: this.#draw() };
  }

  /** Something may have been lost: no actor used so far is used again. */
  renew(): void {
    this.renewals += 1;
    this.#newest = this.#draw();
    this.#earlier = undefined;
  }

  /** The epoch of the previous run, whose clean stop and whose storage have been found sound. */
  trust(epoch: number): void {
    this.#earlier = epoch;
  }

  #draw(): number {
    return this.#random.u48() || this.#draw();
  }
}
