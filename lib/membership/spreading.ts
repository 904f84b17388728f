/**
 * How news gets around: a changed entry goes to three others by the end of the turn and to three
 * more every 200 ms, and rides on every other message of members, until it was told often enough.
 * At rest there is nothing to tell, and no timer runs.
 */
import type { System, Timer } from '../runtime/ports.ts';
import type { PeerId } from '../transport/transport.ts';
import { Rumours, tellingsFor } from './rumours-core.ts';

export interface SpreadingOptions {
  membersCount(): number;
  /** Some who are there, at random. */
  pick(count: number): readonly PeerId[];
  /** Sends it what `take` gives. */
  send(peer: PeerId, timeoutMs: number): void;
}

const periodMs = 200;
const peersCount = 3;
/** Of one message; more rumours wait for the next. */
const bytesMax = 8192;

export class Spreading {
  readonly #system: System;
  readonly #options: SpreadingOptions;
  readonly #rumours = new Rumours();
  #isRunning = false;
  #isAwake = false;
  #timer: Timer | undefined;

  constructor(system: System, options: SpreadingOptions) {
    this.#system = system;
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
  }

  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
  }

  /** Something is still being told. */
  get isHot(): boolean {
    return this.#rumours.count > 0;
  }

  tell(id: PeerId, rumour: Buffer): void {
    this.#rumours.add(id, rumour);
    if (this.#isAwake || !this.#isRunning) return;
    this.#isAwake = true;
    this.#system.timers.soon(() => this.#round());
  }

  /** What to tell in a message that leaves now. */
  take(): readonly Buffer[] {
    if (!this.isHot) return [];
    return this.#rumours.take(bytesMax, tellingsFor(this.#options.membersCount()));
  }

  #round(): void {
    this.#isAwake = this.#isRunning && this.isHot;
    if (!this.#isAwake) return;
    for (const peer of this.#options.pick(peersCount)) this.#options.send(peer, periodMs);
    this.#timer = this.#system.timers.after(periodMs, () => this.#round());
  }
}
