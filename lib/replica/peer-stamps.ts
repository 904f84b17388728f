/**
 * The stamps that records bring with them from other nodes. They lift the own clock, so that what
 * has been seen sorts before what is written next; a wild one, more than a second ahead, does not
 * (DESIGN 3.1): the record is stored as it is, and people are told.
 */
import type { Stamp, VersionVector } from '../causal/record.ts';
import { type StampClock, stampOf, wallMsOf } from '../causal/stamp-clock.ts';
import type { System } from '../runtime/ports.ts';

const logPeriodMs = 60_000;
/** Of a clock that starts at its ceiling, and of the wall clocks of two nodes. */
const restartAheadMs = 15_000;

export class PeerStamps {
  readonly #system: System;
  readonly #clock: StampClock;
  #highestWild: Stamp = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  /** Records with a wild stamp, since start. */
  wild = 0;

  constructor(system: System, clock: StampClock) {
    this.#system = system;
    this.#clock = clock;
  }

  /** The highest stamp given out or seen, the wild ones included. */
  get newest(): Stamp {
    return Math.max(this.#clock.last, this.#highestWild);
  }

  /**
   * The same, but of wild ones only as much as a restart explains: a process that was killed begins
   * at a ceiling that lies up to ten seconds ahead. What a flush must be above (DESIGN 2.3).
   */
  get credible(): Stamp {
    const limit = stampOf(this.#system.clock.wallMs() + restartAheadMs);
    return Math.max(this.#clock.last, Math.min(this.#highestWild, limit));
  }

  observe(vv: VersionVector): void {
    const nowMs = this.#system.clock.wallMs();
    let wildest = 0;
    for (const { stamp } of vv) {
      if (!this.#clock.observe(stamp, nowMs)) wildest = Math.max(wildest, stamp);
    }
    if (wildest > 0) this.#note(wildest, nowMs);
  }

  #note(stamp: Stamp, nowMs: number): void {
    this.wild += 1;
    this.#highestWild = Math.max(this.#highestWild, stamp);
    const { clock, log } = this.#system;
    if (clock.monotonicMs() - this.#loggedAtMs < logPeriodMs) return;
    this.#loggedAtMs = clock.monotonicMs();
    log.warning('a record comes from a clock far ahead of this one', {
      aheadMs: wallMsOf(stamp) - nowMs,
      records: this.wild,
    });
  }
}
