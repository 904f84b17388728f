/**
 * Every write that any disk of the ring has ever been handed, by its dot: what it wrote, who wrote
 * it, and what it may rightly have superseded. The truth that records are checked against.
 *
 *   claims(write) = the context of a DYN.PUT; of every other write what its coordinator held, seen
 *                   when that hands the new row to its disk
 *
 * Where a coordinator died before that, its claims stay unknown, and what only they could explain
 * is let pass.
 */
import type { Dot, Sibling, Stamp, VersionVector } from '../../lib/causal/record.ts';
import { covered } from '../../lib/causal/version-vector.ts';

export interface KnownWrite {
  readonly dot: Dot;
  readonly order: Stamp;
  readonly expireAtMs: number;
  /** Everything that replicas must agree on. */
  readonly content: string;
  readonly text: string;
  /** Operations whose values or parts are in it; the last one made it, if it is new. */
  readonly operations: readonly number[];
  readonly foundAtMs: number;
  /** Whose process coordinated it, once its own disk has been handed it. */
  host: string | undefined;
  /** Its coordinator was a fallback, and wrote it into its hint. */
  madeInHint: boolean;
  claims: VersionVector | undefined;
}

export class KeyHistory {
  readonly writes: KnownWrite[] = [];
  readonly #byDot = new Map<string, KnownWrite>();
  /** Contexts of deletes that were sent to a node. */
  readonly removals: VersionVector[] = [];
  /** Operations that delete by contexts which clients don't see: what was there before they ended. */
  readonly removers: { readonly endedAtMs: number }[] = [];
  /** When a disk last gave up a row of it, a record or a hint. */
  vanishedAtMs = Number.NEGATIVE_INFINITY;

  find(dot: Dot): KnownWrite | undefined {
    return this.#byDot.get(dotName(dot));
  }

  add(sibling: Sibling, foundAtMs: number): KnownWrite {
    const text = sibling.bytes.toString('latin1');
    const write = {
      dot: sibling.dot,
      order: sibling.order,
      expireAtMs: sibling.expireAtMs,
      content: contentOf(sibling),
      text,
      operations: operationsIn(text),
      foundAtMs,
      host: undefined,
      madeInHint: false,
      claims: undefined,
    };
    this.#byDot.set(dotName(sibling.dot), write);
    this.writes.push(write);
    return write;
  }

  /** Writes that stem from an operation. */
  of(operation: number): KnownWrite[] {
    return this.writes.filter(({ operations }) => operations.includes(operation));
  }

  /** Whether somebody who has seen `vv` may rightly be without this write. */
  explains(write: KnownWrite, vv: VersionVector): boolean {
    if (this.removals.some((context) => covered(context, write.dot))) return true;
    if (this.removers.some(({ endedAtMs }) => write.foundAtMs <= endedAtMs)) return true;
    return this.writes.some((other) => {
      if (other === write || !covered(vv, other.dot)) return false;
      return other.claims === undefined || covered(other.claims, write.dot);
    });
  }

  /** The highest stamp of this actor that is known, below `stamp`. */
  before({ actor, stamp }: Dot): Dot | undefined {
    let latest: Dot | undefined;
    for (const { dot } of this.writes) {
      const earlier = dot.actor === actor && dot.stamp < stamp;
      if (earlier && dot.stamp > (latest?.stamp ?? 0)) latest = dot;
    }
    return latest;
  }
}

export function contentOf({ order, kind, expireAtMs, bytes }: Sibling): string {
  return `${order} ${kind} ${expireAtMs} ${bytes.toString('latin1')}`;
}

export function dotName({ actor, stamp }: Dot): string {
  return `${actor.toString(36)}.${stamp}`;
}

/** What clients write: `v12.` by SET and the like, `<34>` by APPEND. */
export function operationsIn(text: string): number[] {
  return [...text.matchAll(/v(\d+)\.|<(\d+)>/g)].map((match) => Number(match[1] ?? match[2]));
}
