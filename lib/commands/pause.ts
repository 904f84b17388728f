/**
 * CLIENT PAUSE: commands that reach a paused node wait, and start in their order when the pause
 * ends by itself or by CLIENT UNPAUSE. Pausing again while paused can only widen it: the stronger
 * mode and the later end hold, as in Redis.
 */
import { Deferred } from '../base/later.ts';
import type { Timer, Timers } from '../runtime/ports.ts';
import type { Session } from './session.ts';

export class Pause {
  readonly #timers: Timers;
  /** What waits: nothing, commands that may write, or everything. */
  #mode: 'none' | 'write' | 'all' = 'none';
  #endAtMs = 0;
  #timer: Timer | undefined;
  #over = new Deferred<void>();
  /** Whoever waits already: what they send next stays behind it. */
  readonly #waiting = new Set<Session>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Settled when the present pause ends. */
  get over(): Deferred<void> {
    return this.#over;
  }

  /** Whether this command has to wait for `over`. */
  holds(session: Session, mayWrite: boolean): boolean {
    if (this.#mode === 'none') return false;
    const held = this.#mode === 'all' || mayWrite || this.#waiting.has(session);
    if (held) this.#waiting.add(session);
    return held;
  }

  begin(mode: 'write' | 'all', durationMs: number, nowMonotonicMs: number): void {
    if (this.#mode !== 'all') this.#mode = mode;
    this.#endAtMs = Math.max(this.#endAtMs, nowMonotonicMs + durationMs);
    this.#timer?.cancel();
    this.#timer = this.#timers.after(this.#endAtMs - nowMonotonicMs, () => this.end());
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#mode = 'none';
    this.#endAtMs = 0;
    this.#waiting.clear();
    const ended = this.#over;
    this.#over = new Deferred<void>();
    ended.settle();
  }
}
