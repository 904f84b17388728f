/**
 * The hybrid logical clock that numbers writes (DESIGN 3.1). A stamp is one safe integer:
 *
 *   stamp = (ms since 2020-01-01) * 4096 + counter          below 2^53 until the year 2089
 *
 * Invariant: `tick` strictly increases over the life of the clock, whatever the wall clock does. A
 * burst of more than 4096 ticks in one millisecond carries into the next; a wall clock that steps
 * back leaves the stamps counting on from where they were. Over restarts the invariant holds
 * because the owner of the clock starts it at a ceiling that it synced ahead of use.
 *
 * Stamps of others lift the clock, so that what was seen sorts before what is written next; but
 * only up to a second ahead of the own wall clock, else one node with a bad clock would drag all
 * the others with it. Source: Kulkarni et al. 2014, "Logical Physical Clocks".
 */
import { assert } from '../base/assert.ts';
import type { Stamp } from './record.ts';

/** 2020-01-01T00:00:00Z in ms since 1970. */
const epochAtMs = 1_577_836_800_000;
const ticksPerMs = 4096;
/** Furthest ahead of the own wall clock that a foreign stamp may lift us. */
const aheadMsMax = 1000;

/** The first stamp of a millisecond; 0 for an instant before 2020. */
export function stampOf(wallMs: number): Stamp {
  return Math.max(0, (wallMs - epochAtMs) * ticksPerMs);
}

/** ms since 1970, for people. */
export function wallMsOf(stamp: Stamp): number {
  return epochAtMs + Math.floor(stamp / ticksPerMs);
}

export class StampClock {
  #last: Stamp;

  /** No stamp up to `atLeast` will be given out. */
  constructor(atLeast: Stamp) {
    assert(Number.isSafeInteger(atLeast) && atLeast >= 0, 'a clock starts at a stamp');
    this.#last = atLeast;
  }

  /** The highest stamp given out or taken over. */
  get last(): Stamp {
    return this.#last;
  }

  tick(wallMs: number): Stamp {
    this.#last = Math.max(this.#last + 1, stampOf(wallMs));
    assert(Number.isSafeInteger(this.#last), 'the clock has run out of stamps');
    return this.#last;
  }

  /** False: the stamp is wild, more than a second ahead; it did not lift the clock. */
  observe(stamp: Stamp, wallMs: number): boolean {
    if (stamp <= this.#last) return true;
    if (stamp > stampOf(wallMs + aheadMsMax)) return false;
    this.#last = stamp;
    return true;
  }

  /** Lifts the clock without a limit: a flush, whose stamp every later write must exceed. */
  lift(stamp: Stamp): void {
    assert(Number.isSafeInteger(stamp), 'a stamp is a safe integer');
    if (stamp > this.#last) this.#last = stamp;
  }
}
