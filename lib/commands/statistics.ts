/**
 * What INFO counts of commands: calls and time per command, errors by their first word, keys found
 * and missed, and the rate of the last moments. One object per node; CONFIG RESETSTAT clears it.
 */
import type { ErrorReply } from '../protocol/reply.ts';

/** Of one command (`get`, `client|list`). */
export class CommandCounters {
  calls = 0;
  /** Time in which a call kept the process busy; not the wait for the disk or for others. */
  busyMs = 0;
  /** Refused before they ran: arity, NOAUTH, a refused queueing. */
  rejected = 0;
  /** Ran, and answered an error. */
  failed = 0;

  reset(): void {
    this.calls = 0;
    this.busyMs = 0;
    this.rejected = 0;
    this.failed = 0;
  }
}

/** The rate is that of the last 16 tenths of a second, as in Redis. */
const bucketMs = 100;
const bucketCount = 16;

/** First words beyond this many are counted together: clients can make up words (Redis: 128). */
const errorCodesMax = 128;

export class Statistics {
  keyspaceHits = 0;
  keyspaceMisses = 0;
  commands = 0;
  errors = 0;
  readonly #errorsByCode = new Map<string, number>();
  readonly #buckets: number[] = new Array<number>(bucketCount).fill(0);
  #tick = 0;

  /** A reader found its key. */
  hit(): void {
    this.keyspaceHits += 1;
  }

  miss(): void {
    this.keyspaceMisses += 1;
  }

  /** A command begins to run. */
  started(nowMs: number): void {
    this.commands += 1;
    const tick = this.#turn(nowMs) % bucketCount;
    this.#buckets[tick] = (this.#buckets[tick] ?? 0) + 1;
  }

  answeredError(reply: ErrorReply): void {
    this.errors += 1;
    const space = reply.text.indexOf(' ');
    const word = space < 0 ? reply.text : reply.text.slice(0, space);
    const known = this.#errorsByCode.has(word) || this.#errorsByCode.size < errorCodesMax;
    const code = known ? word : 'ERR';
    this.#errorsByCode.set(code, (this.#errorsByCode.get(code) ?? 0) + 1);
  }

  /** Sorted by code. */
  errorsByCode(): readonly (readonly [code: string, count: number])[] {
    return [...this.#errorsByCode].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  operationsPerSecond(nowMs: number): number {
    this.#turn(nowMs);
    const recent = this.#buckets.reduce((sum, count) => sum + count, 0);
    return Math.round((recent * 1000) / (bucketMs * bucketCount));
  }

  reset(): void {
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.commands = 0;
    this.errors = 0;
    this.#errorsByCode.clear();
    this.#buckets.fill(0);
  }

  /** Clears the buckets that time has passed over; the current one's number. */
  #turn(nowMs: number): number {
    const now = Math.floor(nowMs / bucketMs);
    const passed = Math.min(now - this.#tick, bucketCount);
    for (let step = 0; step < passed; step += 1) this.#buckets[(now - step) % bucketCount] = 0;
    if (passed > 0) this.#tick = now;
    return this.#tick;
  }
}
