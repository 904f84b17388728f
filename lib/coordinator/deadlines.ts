/**
 * How long a request may take: `request-timeout-ms`, and longer for a value that takes long to send
 * and to store.
 */
import type { Parts } from './parts.ts';

/** What every link and every disk should manage. */
const bytesPerMs = 10_000;
/** Shares of time below it are not worth a timer of their own. */
const negligibleMs = 10;

export function timeoutFor({ settings }: Parts, valueBytes: number): number {
  return settings().timeoutMs + Math.floor(valueBytes / bytesPerMs);
}

/** Runs once the time for a value of this size is over. */
export function atDeadline(parts: Parts, valueBytes: number, run: () => void): void {
  if (valueBytes < negligibleMs * bytesPerMs) parts.deadline.add(run);
  else parts.system.timers.after(timeoutFor(parts, valueBytes), run);
}
