/**
 * The way back after a failed batch. LevelDB may have lost track of its own log then: what it
 * acknowledges from there on can vanish at the next start (400 of 1001 synced writes did,
 * RELIABILITY E3). Closing and opening it again loses nothing (E3b), but needs room on the disk
 * (E3c). So a *ballast* file keeps some, given up before opening. Writes are taken again once the
 * ballast has been made again and as much again is free: else the next write would fail like the
 * last one. Until then the map stays open for reads.
 */
import { StoreError } from '../base/errors.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { SmallFiles } from './storage.ts';

const ballastName = 'ballast';
const headroomName = 'headroom';
const backOffMinMs = 100;
const backOffMaxMs = 5000;

export interface FenceOptions {
  readonly ballastBytes: number;
  /** Closes the map, opens it and checks it; reads are possible when it returns. */
  reopen(): Promise<void>;
  /** Writes may go on. */
  onReady(): void;
}

export class Fence {
  readonly #files: SmallFiles;
  readonly #system: System;
  readonly #options: FenceOptions;
  #recovery: Promise<void> | undefined;
  #stopped = false;
  #pause: { readonly timer: Timer; end(): void } | undefined;

  constructor(files: SmallFiles, system: System, options: FenceOptions) {
    this.#files = files;
    this.#system = system;
    this.#options = options;
  }

  /** A disk too full for the ballast at the start still serves. */
  async makeFirstBallast(): Promise<void> {
    try {
      await this.#reserve(ballastName);
    } catch (error) {
      const { message } = known(error);
      this.#system.log.warning('no ballast file: a full disk may need help by hand', { message });
    }
  }

  begin(): void {
    this.#recovery ??= this.#recover().finally(() => {
      this.#recovery = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.end();
    await this.#recovery;
  }

  async #recover(): Promise<void> {
    await this.#untilDone('the storage cannot be opened again yet', async () => {
      await this.#files.remove(ballastName);
      await this.#options.reopen();
    });
    await this.#untilDone('the disk is still full', async () => {
      await this.#reserve(ballastName);
      await this.#reserve(headroomName);
      await this.#files.remove(headroomName);
    });
    if (!this.#stopped) this.#options.onReady();
  }

  #reserve(name: string): Promise<void> {
    return this.#files.reserve(name, this.#options.ballastBytes);
  }

  async #untilDone(complaint: string, step: () => Promise<void>): Promise<void> {
    for (let delayMs = backOffMinMs; !this.#stopped; ) {
      try {
        await step();
        return;
      } catch (error) {
        const { message } = known(error);
        this.#system.log.warning(complaint, { message, retryInMs: delayMs });
      }
      await this.#wait(delayMs);
      delayMs = Math.min(delayMs * 2, backOffMaxMs);
    }
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((end) => {
      if (this.#stopped) end();
      else this.#pause = { timer: this.#system.timers.after(delayMs, end), end };
    });
  }
}

function known(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  throw error;
}
