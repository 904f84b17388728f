/**
 * Many short waits that nearly always turn out to be needless: the hedge of every read, the second
 * look at every write. One timer serves them all, so a wait costs an entry in a queue; precision is
 * that of its tick. Entries come out in the order in which they went in.
 */
import { Fifo } from '../base/fifo.ts';
import type { System } from '../runtime/ports.ts';

interface Entry {
  readonly dueAtMs: number;
  readonly run: () => void;
}

const tickMs = 10;

export class DelayLine {
  readonly #system: System;
  readonly #delayMs: () => number;
  readonly #entries = new Fifo<Entry>();
  #head: Entry | undefined;
  #ticking = false;

  constructor(system: System, delayMs: () => number) {
    this.#system = system;
    this.#delayMs = delayMs;
  }

  add(run: () => void): void {
    const entry = { dueAtMs: this.#system.clock.monotonicMs() + this.#delayMs(), run };
    if (this.#head === undefined) this.#head = entry;
    else this.#entries.push(entry);
    if (!this.#ticking) this.#tick();
  }

  #tick(): void {
    this.#ticking = true;
    this.#system.timers.after(tickMs, () => this.#release());
  }

  #release(): void {
    const nowMs = this.#system.clock.monotonicMs();
    while (this.#head !== undefined && this.#head.dueAtMs <= nowMs) {
      const { run } = this.#head;
      this.#head = this.#entries.shift();
      run();
    }
    if (this.#head === undefined) this.#ticking = false;
    else this.#tick();
  }
}
