/**
 * Time and chance that a seed decides. Events run in the order of their instant; between two of
 * them all promises run dry. Node does that between two `setImmediate` callbacks, so each event runs
 * in one of its own; they are set by the batch, which makes 5 million turns a second instead of one.
 */
import type { Clock, Log, Random, System, Timer, Timers } from '../../lib/runtime/ports.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { type Event, EventHeap } from './event-heap.ts';
import { SeededRandom, stream } from './seeded-random.ts';

export interface VirtualTimeOptions {
  /** Events of one instant run in any order, instead of in that of their making. */
  readonly shuffled?: boolean;
}

/** How the timers of a process differ from those of the world. */
export interface TimersOptions {
  /** How an event gets into the process: at once, later (a pause), or never (it has died). */
  readonly enter?: (run: () => void) => void;
  /** Of its monotonic clock against the world's: 1 is exact. */
  readonly speed?: number;
}

/** Turns that are set at once. */
const turnsABatch = 32;

export class VirtualTime {
  readonly random: SeededRandom;
  /** Events that ran so far. */
  eventsRun = 0;
  readonly #seed: number;
  readonly #ties: SeededRandom | undefined;
  readonly #events = new EventHeap();
  #nowMs = 0;
  #wallOffsetMs = 1_700_000_000_000;
  #order = 0;

  constructor(seed: number, options: VirtualTimeOptions = {}) {
    this.#seed = seed;
    this.random = new SeededRandom(seed);
    this.#ties = options.shuffled === true ? this.stream('ties') : undefined;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Of the world; clocks of nodes differ from it. */
  get wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  get eventsPending(): number {
    return this.#events.pending;
  }

  /** The same name gives the same sequence from its start. */
  stream(name: string): SeededRandom {
    return stream(this.#seed, name);
  }

  /** Timers that `alive` silences: those of one process. Without it they are the world's own. */
  timers(alive?: () => boolean): Timers {
    if (alive === undefined) return this.timersOf({});
    return this.timersOf({
      enter: (run) => {
        if (alive()) run();
      },
    });
  }

  timersOf({ enter = runNow, speed = 1 }: TimersOptions): Timers {
    const at = (atMs: number, run: () => void): Timer => {
      const timer = {
        cancelled: false,
        cancel(): void {
          timer.cancelled = true;
          event.cancelled = true;
        },
      };
      // It may have been cancelled while it waited to enter.
      const event = this.#at(atMs, () =>
        enter(() => {
          if (!timer.cancelled) run();
        }),
      );
      return timer;
    };
    const turns: (() => void)[] = [];
    const nextTurn = (): void => enter(() => turns.shift()?.());
    return {
      after: (delayMs, run) => at(this.#nowMs + Math.max(0, delayMs) / speed, run),
      // Among themselves they keep their order, as setImmediate does.
      soon: (run) => {
        turns.push(run);
        this.#at(this.#nowMs, nextTurn);
      },
      every: (periodMs, run) => {
        let next: Timer;
        const again = (): void => {
          next = at(this.#nowMs + periodMs / speed, () => {
            again();
            run();
          });
        };
        again();
        return { cancel: () => next.cancel() };
      },
    };
  }

  /** Everything a process is given; `alive` is asked before each of its timers runs. */
  system(alive?: () => boolean): System {
    const clock: Clock = {
      wallMs: () => this.#wallOffsetMs + Math.floor(this.#nowMs),
      monotonicMs: () => this.#nowMs,
    };
    const random: Random = this.random;
    return { clock, timers: this.timers(alive), random, log: silentLog, hashes };
  }

  /** The wall clock jumps; durations don't notice. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Now, in this order, before everything else of this instant. */
  runFirst(runs: readonly (() => void)[]): void {
    for (const run of runs) this.#push(this.#nowMs, -1, run);
  }

  /** Runs events until `work` settles; fails if it never does. */
  async run<T>(work: PromiseLike<T> | T): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    Promise.resolve(work).then(mark, mark);
    await this.#turns(() => {
      if (settled) return true;
      if (this.#step()) return false;
      throw new Error('nothing is left to happen, and the work has not ended');
    });
    return work;
  }

  /** Runs everything that happens within so many milliseconds. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await this.#turns(() => {
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) return true;
      this.#step();
      return false;
    });
    this.#nowMs = untilMs;
  }

  /** Takes turns until `turn` says that it is over; promises run dry before each. */
  #turns(turn: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      let left = 0;
      const one = (): void => {
        left -= 1;
        if (over) return;
        try {
          over = turn();
        } catch (error) {
          over = true;
          reject(error);
        }
        if (over) resolve();
        else if (left === 0) batch();
      };
      const batch = (): void => {
        left = turnsABatch;
        for (let count = 0; count < turnsABatch; count += 1) setImmediate(one);
      };
      batch();
    });
  }

  #at(atMs: number, run: () => void): Event {
    return this.#push(atMs, this.#ties?.u32() ?? 0, run);
  }

  #push(atMs: number, tie: number, run: () => void): Event {
    const event = { atMs, tie, order: this.#order, run, cancelled: false };
    this.#order += 1;
    this.#events.push(event);
    return event;
  }

  #step(): boolean {
    if (this.#next() === undefined) return false;
    const event = this.#events.shift() as Event;
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    this.eventsRun += 1;
    event.run();
    return true;
  }

  /** Cancelled ones leave without taking a turn. */
  #next(): Event | undefined {
    while (this.#events.first?.cancelled === true) this.#events.shift();
    return this.#events.first;
  }
}

function runNow(run: () => void): void {
  run();
}

export const silentLog: Log = {
  debug: () => undefined,
  verbose: () => undefined,
  notice: () => undefined,
  warning: () => undefined,
};

const { hashes } = realSystem(silentLog);
