/**
 * What moves between members: hints on their way home (`handoff.ts`), and, when the layout changes,
 * partitions. A new owner fills itself from the old ones (`filling.ts`, `transfers.ts`); what an
 * old owner has left is given up when all new ones hold it (`offload.ts`).
 */
import { isLater, type Later, nothing } from '../base/later.ts';
import type { Topology } from '../membership/topology.ts';
import { slotCount } from '../ring/slots.ts';
import { Filling } from './filling.ts';
import { Handoff } from './handoff.ts';
import { Offload } from './offload.ts';
import type { Parts } from './parts.ts';
import { Transfers } from './transfers.ts';

export interface MovementOptions {
  /** Of so many owners each acknowledged write is held. */
  leastW(): number;
}

export class Movement {
  readonly #parts: Parts;
  readonly #topology: Topology;
  readonly #options: MovementOptions;
  readonly #handoff: Handoff;
  readonly #transfers: Transfers;
  readonly #filling: Filling;
  readonly #offload: Offload;
  /** Settles once all writes are committed that began under an older layout. */
  #barrier: Later<void> = undefined;
  #version: number;

  constructor(parts: Parts, topology: Topology, options: MovementOptions) {
    const { ring } = parts;
    this.#parts = parts;
    this.#topology = topology;
    this.#options = options;
    this.#version = ring.version;
    this.#handoff = new Handoff(parts);
    this.#transfers = new Transfers(parts, {
      databases: topology.identity.databases,
      barrier: () => this.#barrier,
    });
    this.#filling = new Filling(parts, {
      pending: () => topology.pending,
      filled: (partitions) => topology.filled(partitions),
      sourcesOf: (partition) => this.#sourcesOf(partition),
      needed: (partition) => this.#sourcesNeeded(partition),
    });
    this.#offload = new Offload(parts, {
      mayDrop: () => !topology.isChanging && !ring.isDisputed,
    });
    ring.onChange(() => this.#follow());
  }

  start(): void {
    this.#transfers.start();
    this.#handoff.start();
    this.#filling.start();
    this.#offload.start();
  }

  /** What is under way ends with the links. */
  async stop(): Promise<void> {
    await Promise.all([this.#handoff.stop(), this.#filling.stop(), this.#offload.stop()]);
  }

  /** This member answers again. */
  isBack(member: number): void {
    this.#handoff.isBack(member);
  }

  /** Whether this node still holds what others should have. */
  get isPending(): boolean {
    return this.#offload.pending || this.#parts.hints.pending > 0;
  }

  #follow(): void {
    const { ring, replica } = this.#parts;
    if (ring.version === this.#version) return;
    this.#version = ring.version;
    const settled = replica.rows.settled();
    // What fails with the disk was never acknowledged.
    this.#barrier = isLater(settled) ? settled.then(undefined, nothing) : settled;
  }

  /** Old owners, from whom a new one fills. */
  #sourcesOf(partition: number): readonly number[] {
    const { ring } = this.#parts;
    const slot = (partition * slotCount) / ring.reading.partitions;
    return ring
      .coordinatorsOf(slot)
      .filter((owner) => owner !== ring.self && !this.#topology.isRemoved(ring.idOf(owner)));
  }

  /** N - W + 1, so that one of them holds each acknowledged write; or all that have not gone. */
  #sourcesNeeded(partition: number): number {
    const { n } = this.#topology.oldest;
    const wanted = n - Math.min(this.#options.leastW(), n) + 1;
    return Math.min(wanted, this.#sourcesOf(partition).length);
  }
}
