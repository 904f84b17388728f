/**
 * What one client may cost. The operator's limits follow CONFIG SET; the others are ours, because
 * Redis' own defaults let one slow reader, or one stranger, fill the memory.
 */
import type { Settings } from '../commands/ports.ts';

/** Requests of one connection started in one turn of the event loop; then others get theirs. */
export const requestsPerTurnMax = 128;
/** The same in time, looked at every few requests: an MSET costs as much as many GETs. */
export const turnMs = 0.5;
export const requestsPerTimeCheck = 4;
/**
 * What the turns of all connections may take in one iteration of the event loop, which accepts one
 * new connection. The disk and the replies of as many writes take twice as long again, so that 150
 * are let in per second under any load. (With 5 ms it was half of that, with no more throughput.)
 */
export const iterationMs = 2;

/**
 * A connection with so much output that its socket has not taken starts nothing and reads nothing.
 */
export const outputPauseBytes = 1024 * 1024;
/** The same for one that has not authenticated (CVE-2025-21605). */
export const strangerOutputPauseBytes = 64 * 1024;
/** Replies that are not ready; more requests wait unread. */
export const placesMax = 10_000;
/** Input that may pile up behind a request that waits for its turn. */
export const inputPauseBytes = 256 * 1024;

/** A client of a server with a password has so long to give it. */
export const authenticationMs = 10_000;
/** A closing connection whose peer takes nothing for so long is cut. */
export const stuckMs = 10_000;
/** How often the clocks of this page are looked at. */
export const sweepPeriodMs = 1000;

/** The directives that bound a client, as numbers; always those in force. */
export class ClientLimits {
  bulkBytesMax = 0;
  queryBytesMax = 0;
  /** Bytes that close at once, bytes that close after a while, and that while. Infinity: none. */
  outputHardBytes = 0;
  outputSoftBytes = 0;
  outputSoftMs = 0;
  idleMs = 0;

  constructor(settings: Settings) {
    const read = () => this.#read(settings);
    for (const name of [
      'proto-max-bulk-len',
      'client-query-buffer-limit',
      'client-output-buffer-limit',
      'timeout',
    ]) {
      settings.onChange(name, read);
    }
    read();
  }

  #read(settings: Settings): void {
    this.bulkBytesMax = settings.number('proto-max-bulk-len');
    this.queryBytesMax = settings.number('client-query-buffer-limit');
    const words = settings.text('client-output-buffer-limit').split(' ');
    const normal = words.indexOf('normal');
    this.outputHardBytes = orNone(words[normal + 1]);
    this.outputSoftBytes = orNone(words[normal + 2]);
    this.outputSoftMs = Number(words[normal + 3]) * 1000;
    this.idleMs = orNone(settings.text('timeout')) * 1000;
  }
}

/** In redis.conf 0 means no limit. */
function orNone(text: string | undefined): number {
  const value = Number(text);
  return value > 0 ? value : Number.POSITIVE_INFINITY;
}
