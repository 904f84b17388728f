/**
 * Finds a data directory that was copied: two processes that live at once under one node id. Every
 * process draws a boot nonce and says it in every ping and answer (`nonces.ts`).
 *
 *   A is heard, then B in an answer to a ping sent after that   A has restarted, for all one knows
 *   then A again, in an answer to a ping sent after B was heard  both live: twins
 *
 * A lived before B's answer was asked for and after it was heard. So no process of a node that runs
 * one after the other is ever taken for a twin, however late its answers come. An answer to a ping
 * sent before the present nonce was first heard says nothing.
 */
import type { PeerId } from '../transport/transport.ts';

interface Known {
  current: number;
  /** When it was first heard, since the one before. */
  sinceMs: number;
  /** Those before it, oldest first. */
  readonly before: number[];
  /** What has been told. */
  readonly pairs: (readonly [number, number])[];
}

/** More clones than that show as fewer. */
const rememberedMax = 8;
const pairsMax = 8;

export class Twins {
  readonly #peers = new Map<PeerId, Known>();

  /**
   * A peer has said its nonce. `sentAtMs`: when this node sent the ping that this answers; of a
   * ping of the peer's, an instant at which it had certainly not been sent yet. Answers the nonces
   * of two processes that live at once, in the order in which they came, once for each pair.
   */
  heard(
    peer: PeerId,
    nonce: number,
    sentAtMs: number,
    nowMs: number,
  ): readonly [number, number] | undefined {
    const known = this.#peers.get(peer);
    if (known === undefined) {
      this.#peers.set(peer, { current: nonce, sinceMs: nowMs, before: [], pairs: [] });
      return undefined;
    }
    const { current } = known;
    if (nonce === current || sentAtMs <= known.sinceMs) return undefined;
    const at = known.before.indexOf(nonce);
    if (at >= 0) known.before.splice(at, 1);
    known.before.push(current);
    if (known.before.length > rememberedMax) known.before.shift();
    known.current = nonce;
    known.sinceMs = nowMs;
    return at >= 0 ? news(known, nonce, current) : undefined;
  }

  /** It is a peer no more. */
  forget(peer: PeerId): void {
    this.#peers.delete(peer);
  }
}

function news(
  { pairs }: Known,
  older: number,
  newer: number,
): readonly [number, number] | undefined {
  const isTold = pairs.some((pair) => pair.includes(older) && pair.includes(newer));
  if (isTold || pairs.length >= pairsMax) return undefined;
  const pair = [older, newer] as const;
  pairs.push(pair);
  return pair;
}
