/**
 * Log lines that others can cause. The same about the same host comes once in ten minutes, or again
 * after things were well in between; so a stranger who hammers cannot fill the log, and an operator
 * who is about to fix something sees each change.
 */
import type { System } from '../runtime/ports.ts';
import { complaintPeriodMs, complaintsMax } from './limits.ts';

export type ComplaintLevel = 'verbose' | 'warning';

export class Complaints {
  readonly #system: System;
  /** Host -> reason -> when it was logged. */
  readonly #loggedAtMs = new Map<string, Map<string, number>>();

  constructor(system: System) {
    this.#system = system;
  }

  complain(level: ComplaintLevel, host: string, reason: string, fields: object = {}): void {
    const nowMs = this.#system.clock.monotonicMs();
    const known = this.#reasonsOf(host, nowMs);
    const atMs = known?.get(reason) ?? Number.NEGATIVE_INFINITY;
    if (known === undefined || nowMs - atMs < complaintPeriodMs) return;
    known.set(reason, nowMs);
    this.#system.log[level](reason, { host, ...fields });
  }

  /** All is well with this host: what goes wrong from now on is news. */
  clear(host: string): void {
    this.#loggedAtMs.delete(host);
  }

  /** Undefined: too many hosts have given cause; nothing is said until some are forgotten. */
  #reasonsOf(host: string, nowMs: number): Map<string, number> | undefined {
    const known = this.#loggedAtMs.get(host);
    if (known !== undefined) return known;
    if (this.#loggedAtMs.size >= complaintsMax) this.#forgetOld(nowMs);
    if (this.#loggedAtMs.size >= complaintsMax) return undefined;
    const reasons = new Map<string, number>();
    this.#loggedAtMs.set(host, reasons);
    return reasons;
  }

  #forgetOld(nowMs: number): void {
    for (const [host, reasons] of this.#loggedAtMs) {
      const lastAtMs = Math.max(...reasons.values());
      if (nowMs - lastAtMs >= complaintPeriodMs) this.#loggedAtMs.delete(host);
    }
  }
}
