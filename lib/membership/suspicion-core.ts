/**
 * How long a suspected member has to answer for itself (Lifeguard: Dadgar, Phillips, Currey 2018).
 * One accuser may be the one who is ill, so he alone waits long; each further one who says the same
 * of his own shortens it, as the logarithm of their number, down to what a refutation needs to get
 * around:
 *
 *   min = 4 * max(1, log10 n) * probe period        max = 6 * min
 *   t   = max - (max - min) * log(c + 1) / log(k + 1)
 *
 * c confirmers beside the first, k = 2 are enough. Where there are not k others to confirm, nobody
 * waits for them.
 */
export const confirmersEnough = 2;
/** The first and those who confirm: more make no difference. */
export const accusersMax = 1 + confirmersEnough;

const minFactor = 4;
const maxFactor = 6;

/** `presentCount`: members taken for being there, the suspect and this node among them. */
export function suspicionMs(accusers: number, presentCount: number, periodMs: number): number {
  const minMs = minFactor * Math.max(1, Math.log10(presentCount)) * periodMs;
  if (presentCount - 2 < confirmersEnough) return minMs;
  const maxMs = maxFactor * minMs;
  const confirmers = Math.min(accusers - 1, confirmersEnough);
  const share = Math.log(confirmers + 1) / Math.log(confirmersEnough + 1);
  return maxMs - (maxMs - minMs) * share;
}
