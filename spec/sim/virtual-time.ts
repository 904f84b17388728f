/**
 * Time and chance that a seed decides. Events run in the order of their instant, then of their
 * making. Between two events all promises run dry: `setImmediate` comes after every microtask.
 */
import { crc32 } from 'node:zlib';
import type { Hashes, Log, Random, System, Timer, Timers } from '../../lib/runtime/ports.ts';

/** sfc32: small, fast, good enough for schedules. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    for (let round = 0; round < 12; round += 1) this.#u32();
  }

  u48(): number {
    return this.#u32() * 2 ** 16 + (this.#u32() >>> 16);
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#u32() & 255));
  }

  below(below: number): number {
    return Math.floor((this.#u32() / 2 ** 32) * below);
  }

  #u32(): number {
    const t = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class VirtualTime {
  readonly random: SeededRandom;
  #nowMs = 0;
  #wallOffsetMs = 1_700_000_000_000;
  #order = 0;
  #events: Event[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers that `kill` silences: those of one process. Without it they are the world's own. */
  timers(alive: () => boolean = () => true): Timers {
    const at = (atMs: number, run: () => void): Timer => {
      const event = this.#at(atMs, () => {
        if (alive()) run();
      });
      return {
        cancel: () => {
          event.cancelled = true;
        },
      };
    };
    return {
      after: (delayMs, run) => at(this.#nowMs + Math.max(0, delayMs), run),
      soon: (run) => void at(this.#nowMs, run),
      every: (periodMs, run) => {
        let next: Timer;
        const again = (): void => {
          next = at(this.#nowMs + periodMs, () => {
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
    const clock = {
      wallMs: () => this.#wallOffsetMs + Math.floor(this.#nowMs),
      monotonicMs: () => this.#nowMs,
    };
    return { clock, timers: this.timers(alive), random: this.random, log: silentLog, hashes };
  }

  /** The wall clock jumps; durations don't notice. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Runs events until `work` settles; fails if it never does. */
  async run<T>(work: PromiseLike<T> | T): Promise<T> {
    const settled = { done: false };
    const mark = (): void => {
      settled.done = true;
    };
    Promise.resolve(work).then(mark, mark);
    for (;;) {
      await drain();
      if (settled.done) return work;
      if (!this.#step()) throw new Error('nothing is left to happen, and the work has not ended');
    }
  }

  /** Runs everything that happens within so many milliseconds. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    for (;;) {
      await drain();
      const next = this.#events[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#step();
    }
    this.#nowMs = untilMs;
  }

  #at(atMs: number, run: () => void): Event {
    const event = { atMs, order: this.#order, run, cancelled: false };
    this.#order += 1;
    let at = this.#events.length;
    while (at > 0 && (this.#events[at - 1]?.atMs ?? 0) > atMs) at -= 1;
    this.#events.splice(at, 0, event);
    return event;
  }

  #step(): boolean {
    const event = this.#events.shift();
    if (event === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    if (!event.cancelled) event.run();
    return true;
  }
}

function drain(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

export const silentLog: Log = {
  debug: () => undefined,
  verbose: () => undefined,
  notice: () => undefined,
  warning: () => undefined,
};

const unused = (): never => {
  throw new Error('not needed in this simulation');
};

const hashes: Hashes = {
  crc32: (bytes, seed = 0) => crc32(bytes, seed),
  hmacSha256: unused,
  sha256: unused,
  equal: (a, b) => Buffer.compare(a, b) === 0,
};
