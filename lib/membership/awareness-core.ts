/**
 * What a node thinks of its own health, for whoever is slow finds everybody else slow (Lifeguard).
 * A score of 0..7: probes become as many times rarer and more patient. And after a standstill, as
 * after the start, its verdicts count for nothing until links had the time to come back.
 *
 *   a probe was answered               -1
 *   a helper did not even say nay      +1 each
 *   had to refute, or stood still      +1
 */
export const scoreMax = 7;
/** A timer that runs so late says that the process stood still. */
export const lateMs = 250;
/** A link that broke in silence is noticed after 5 s at most, and dialled every second. */
export const graceMs = 5000;
/** At the start there are no old links to be noticed. */
export const startGraceMs = 2000;

export class Awareness {
  #score = 0;
  #trustedAtMs: number;

  constructor(nowMs: number) {
    this.#trustedAtMs = nowMs + startGraceMs;
  }

  get score(): number {
    return this.#score;
  }

  /** How many times as long everything takes. */
  get factor(): number {
    return this.#score + 1;
  }

  /** What this node finds of others is worth telling. */
  isTrusted(nowMs: number): boolean {
    return nowMs >= this.#trustedAtMs;
  }

  change(by: number): void {
    this.#score = Math.min(scoreMax, Math.max(0, this.#score + by));
  }

  /** Something due at that moment happens now; true if that is because of a standstill. */
  noticeLate(dueAtMs: number, nowMs: number): boolean {
    if (nowMs - dueAtMs <= lateMs) return false;
    if (this.isTrusted(nowMs)) this.change(1);
    this.#trustedAtMs = nowMs + graceMs;
    return true;
  }
}
