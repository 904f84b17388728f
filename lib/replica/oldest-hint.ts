/**
 * Since when the oldest hint has been waiting, for operators. Hints come and go out of order, and
 * an index of their ages would cost each of them a row; so the oldest is looked for, behind whoever
 * asks, when it has gone or when it is one that an earlier process has left.
 */
import { StoreError } from '../base/errors.ts';
import type { Later } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import { hintsFrom } from '../storage/keys.ts';
import { bodyStart } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import { readStanding } from './stored-record.ts';

const lookPeriodMs = 10_000;
const lookRows = 256;

export class OldestHint {
  readonly #store: Store;
  readonly #system: System;
  readonly #newest: (key: Buffer) => Later<Buffer | undefined>;
  /** 0 = nothing known yet. */
  #sinceMs = 0;
  #isSure = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** `newest`: what there is in the place of a corrupt row. */
  constructor(store: Store, system: System, newest: (key: Buffer) => Later<Buffer | undefined>) {
    this.#store = store;
    this.#system = system;
    this.#newest = newest;
  }

  /** Asked while there are hints; wall clock. What has changed meanwhile shows a look later. */
  sinceMs(): number {
    const nowMs = this.#system.clock.monotonicMs();
    if (!this.#isSure && nowMs - this.#lookedAtMs >= lookPeriodMs) {
      this.#lookedAtMs = nowMs;
      this.#look();
    }
    return this.#sinceMs;
  }

  /** Among the hints is one since `atMs`. */
  kept(atMs: number): void {
    if (this.#sinceMs === 0 || atMs < this.#sinceMs) this.#sinceMs = atMs;
  }

  /** One since `atMs` (0: nobody knows) is gone, and so many are left. */
  removed(atMs: number, left: number): void {
    if (left === 0) this.#sinceMs = 0;
    else if (atMs === 0 || atMs === this.#sinceMs) this.#isSure = false;
  }

  #look(): void {
    this.#isSure = true;
    this.#find().then(
      (atMs) => {
        this.#sinceMs = atMs;
      },
      (error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
        this.#isSure = false;
      },
    );
  }

  async #find(): Promise<number> {
    const cursor = this.#store.cursor(hintsFrom());
    let oldestAtMs = 0;
    try {
      for (;;) {
        const rows = await cursor.next(lookRows);
        if (rows.length === 0) return oldestAtMs;
        for (const { key, value } of rows) {
          const row = this.#store.sound(key, value) ? value : await this.#newest(key);
          if (row === undefined) continue;
          const { agendaAtMs } = readStanding(row, bodyStart);
          if (oldestAtMs === 0 || agendaAtMs < oldestAtMs) oldestAtMs = agendaAtMs;
        }
      }
    } finally {
      await cursor.close();
    }
  }
}
