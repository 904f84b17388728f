/**
 * Which actor may write a key (DESIGN 3.3; the classic silent data loss is riak_kv #679). An actor
 * may be used only while this node remembers every write that the actor made to that key. So the
 * actors lie beside the record, under the epoch in which they were drawn; an epoch is valid until
 * something may have been lost: it is renewed at every start and when a commit fails. Only after a
 * clean stop whose marker and storage check hold does the epoch of the previous run become valid
 * again.
 *
 * A second rule makes the context that a write answers exact: join(context, its dot) also covers
 * every earlier write of the same actor, so an actor is not used while it has a sibling that the
 * write has not seen. Else a client could overwrite, with the context of its own put, what nobody
 * ever showed it. A key therefore has as many actors of this node as it had siblings at once, one
 * as a rule, and they are used again.
 */
import { assert } from '../base/assert.ts';
import type { Actor, Record, VersionVector } from '../causal/record.ts';
import { covered } from '../causal/version-vector.ts';
import type { Random } from '../runtime/ports.ts';

export interface Mine {
  /** 0 = none. */
  readonly epoch: number;
  readonly actors: readonly Actor[];
}

/** What one byte of a row can count; more siblings of one node than that draw anew and forget. */
export const actorsMax = 255;

export const nobody: Mine = { epoch: 0, actors: [] };

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

  /**
   * The actor for a write at `stamp` that has seen `context`, and what lies beside the record from
   * then on. A stamp that somebody claims to have seen already is not used again.
   */
  choose(
    mine: Mine,
    held: { readonly vv: VersionVector; readonly record: Record },
    context: VersionVector,
    stamp: number,
  ): { readonly actor: Actor; readonly mine: Mine } {
    const known = this.#isValid(mine) ? mine : { epoch: this.#newest, actors: [] };
    for (const actor of known.actors) {
      const dot = { actor, stamp };
      const used = covered(held.vv, dot) || covered(context, dot);
      const seen = context === held.vv || !hasUnseen(held.record, actor, context);
      if (!used && seen) return { actor, mine: known };
    }
    const actor = this.#draw();
    const kept = known.actors.slice(Math.max(0, known.actors.length + 1 - actorsMax));
    return { actor, mine: { epoch: known.epoch, actors: [...kept, actor] } };
  }

  /** Something may have been lost: no actor used so far is used again. */
  renew(): void {
    this.renewals += 1;
    this.#newest = this.#draw();
    this.#earlier = undefined;
  }

  /** The epoch of the previous run, whose clean stop and whose storage have been found sound. */
  trust(epoch: number): void {
    assert(epoch !== 0, 'an epoch is not 0');
    this.#earlier = epoch;
  }

  #isValid({ epoch }: Mine): boolean {
    return epoch === this.#newest || (epoch === this.#earlier && epoch !== 0);
  }

  #draw(): number {
    return this.#random.u48() || this.#draw();
  }
}

function hasUnseen({ siblings }: Record, actor: Actor, context: VersionVector): boolean {
  return siblings.some(({ dot }) => dot.actor === actor && !covered(context, dot));
}
