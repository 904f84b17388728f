/**
 * The suspicions that run at this node: who accuses whom, and until when the accused may answer.
 * What is silent until then is down. A deadline that this node slept through is set anew, because
 * the answer may lie unread in a socket.
 */
import type { System, Timer } from '../runtime/ports.ts';
import type { PeerId } from '../transport/transport.ts';
import type { Awareness } from './awareness-core.ts';
import { accusersMax, suspicionMs } from './suspicion-core.ts';

export interface SuspicionsOptions {
  readonly periodMs: number;
  /** Members taken for being there. */
  presentCount(): number;
  /** Nobody spoke for this member in time. */
  expired(id: PeerId): void;
}

interface Suspicion {
  readonly id: PeerId;
  readonly incarnation: number;
  readonly accusers: PeerId[];
  startedAtMs: number;
  dueAtMs: number;
  timer: Timer | undefined;
}

const none: readonly PeerId[] = [];

export class Suspicions {
  readonly #system: System;
  readonly #awareness: Awareness;
  readonly #options: SuspicionsOptions;
  readonly #byId = new Map<PeerId, Suspicion>();

  constructor(system: System, awareness: Awareness, options: SuspicionsOptions) {
    this.#system = system;
    this.#awareness = awareness;
    this.#options = options;
  }

  accusersOf(id: PeerId): readonly PeerId[] {
    return this.#byId.get(id)?.accusers ?? none;
  }

  /** True if one of the accusers is new and counts. */
  accuse(id: PeerId, incarnation: number, accusers: readonly PeerId[]): boolean {
    const suspicion = this.#of(id, incarnation);
    const before = suspicion.accusers.length;
    for (const accuser of accusers) {
      const isKnown = suspicion.accusers.includes(accuser);
      if (!isKnown && suspicion.accusers.length < accusersMax) suspicion.accusers.push(accuser);
    }
    if (suspicion.accusers.length === before) return false;
    this.#arm(suspicion);
    return true;
  }

  clear(id: PeerId): void {
    this.#byId.get(id)?.timer?.cancel();
    this.#byId.delete(id);
  }

  stop(): void {
    for (const { timer } of this.#byId.values()) timer?.cancel();
    this.#byId.clear();
  }

  #of(id: PeerId, incarnation: number): Suspicion {
    const known = this.#byId.get(id);
    if (known?.incarnation === incarnation) return known;
    known?.timer?.cancel();
    const startedAtMs = this.#system.clock.monotonicMs();
    const suspicion: Suspicion = {
      id,
      incarnation,
      accusers: [],
      startedAtMs,
      dueAtMs: startedAtMs,
      timer: undefined,
    };
    this.#byId.set(id, suspicion);
    return suspicion;
  }

  #arm(suspicion: Suspicion): void {
    const { clock, timers } = this.#system;
    const { periodMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const waitMs = suspicionMs(suspicion.accusers.length, this.#options.presentCount(), periodMs);
    suspicion.dueAtMs = Math.max(nowMs, suspicion.startedAtMs + waitMs);
    suspicion.timer?.cancel();
    suspicion.timer = timers.after(suspicion.dueAtMs - nowMs, () => this.#end(suspicion));
  }

  #end(suspicion: Suspicion): void {
    const nowMs = this.#system.clock.monotonicMs();
    if (this.#awareness.noticeLate(suspicion.dueAtMs, nowMs)) {
      suspicion.startedAtMs = nowMs;
      this.#arm(suspicion);
    } else this.#options.expired(suspicion.id);
  }
}
