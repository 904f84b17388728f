/**
 * How this node judges one peer, by what it hears of it while a ping is under way (DESIGN 4,
 * Failures; the three thresholds of RELIABILITY 1.11). Silence is counted in ticks of this node's
 * own loop, not in its clock: while the loop stands still nothing can be heard, and no tick passes.
 *
 *   up       4 silent ticks -> suspect;  anything heard -> up
 *   any     16 silent ticks, or the link is lost -> down
 *   down     a ping is answered -> up
 */
import type { Verdict } from './member.ts';

export const tickMs = 50;
export const suspectTicks = 4;
export const downTicks = 16;

export class PeerHealthCore {
  #verdict: Verdict = 'down';
  #heard = 0;
  #silentTicks = 0;

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** `heard` grows with whatever arrives; `isAsked`: a ping was under way since the last tick. */
  tick(heard: number, isAsked: boolean): void {
    if (heard !== this.#heard) {
      this.#heard = heard;
      this.#silentTicks = 0;
      if (this.#verdict === 'suspect') this.#verdict = 'up';
      return;
    }
    if (!isAsked) return;
    this.#silentTicks += 1;
    if (this.#silentTicks >= downTicks) this.#verdict = 'down';
    else if (this.#silentTicks >= suspectTicks && this.#verdict === 'up') this.#verdict = 'suspect';
  }

  answered(): void {
    this.#silentTicks = 0;
    this.#verdict = 'up';
  }

  lost(): void {
    this.#silentTicks = 0;
    this.#verdict = 'down';
  }
}
