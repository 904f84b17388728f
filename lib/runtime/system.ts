/** The real doors: Node's clock, timers, random numbers and hashes. Only `main.ts` opens them. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { crc32 } from 'node:zlib';
import type { Clock, Hashes, Log, Random, System, Timer, Timers } from './ports.ts';

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

const timers: Timers = {
  after: (delayMs, run) => timer(setTimeout(run, delayMs), clearTimeout),
  every: (periodMs, run) => timer(setInterval(run, periodMs), clearInterval),
  soon: (run) => void setImmediate(run),
};

function timer<T>(handle: T, clear: (handle: T) => void): Timer {
  return { cancel: () => clear(handle) };
}

/** Draws from the operating system by the page: a call for every actor would cost 2 us each. */
class SystemRandom implements Random {
  readonly #pageBytes = 4096;
  #page = Buffer.alloc(0);
  #at = 0;

  u48(): number {
    return this.#take(6).readUIntBE(0, 6);
  }

  bytes(count: number): Buffer {
    return count > this.#pageBytes / 4 ? randomBytes(count) : Buffer.from(this.#take(count));
  }

  /** 48 random bits against at most 31: the bias is below 2^-17. */
  below(below: number): number {
    return this.u48() % below;
  }

  #take(count: number): Buffer {
    if (this.#at + count > this.#page.length) {
      this.#page = randomBytes(this.#pageBytes);
      this.#at = 0;
    }
    this.#at += count;
    return this.#page.subarray(this.#at - count, this.#at);
  }
}

const hashes: Hashes = {
  hmacSha256: (key, ...parts) => {
    const mac = createHmac('sha256', key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  crc32: (bytes, seed = 0) => crc32(bytes, seed),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

export function realSystem(log: Log): System {
  return { clock, timers, random: new SystemRandom(), log, hashes };
}
