/**
 * The ring as a coordinator sees it at this moment: who owns a key, who would stand in for them,
 * and whom it is worth asking. Members are named by their index in the layout.
 */

import type { RingState } from '../membership/founding.ts';
import type { Member, Verdict } from '../membership/member.ts';
import type { Layout } from '../ring/layout.ts';
import { PreferenceLists } from '../ring/preference-list.ts';
import { partitionOf } from '../ring/slots.ts';

/** What routing asks of `membership/peer-health.ts`. */
export interface Health {
  verdict(member: number): Verdict;
  /** Smoothed round trip. */
  latencyMs(member: number): number;
}

export class RingView {
  readonly self: number;
  readonly members: readonly Member[];
  readonly layout: Layout;
  readonly #lists: PreferenceLists;
  readonly #health: Health;
  readonly #selfTakesWrites: () => boolean;
  readonly #idBytes: readonly Buffer[];
  readonly #indexes: ReadonlyMap<string, number>;

  constructor(state: RingState, health: Health, selfTakesWrites: () => boolean) {
    this.self = state.self;
    this.members = state.members;
    this.layout = state.layout;
    this.#lists = new PreferenceLists(state.layout);
    this.#health = health;
    this.#selfTakesWrites = selfTakesWrites;
    this.#idBytes = state.members.map(({ id }) => Buffer.from(id, 'hex'));
    this.#indexes = new Map(state.members.map(({ id }, index) => [id, index]));
  }

  get n(): number {
    return this.layout.n;
  }

  partitionOf(slot: number): number {
    return partitionOf(slot, this.layout.partitions);
  }

  /** In preference order. */
  ownersOf(slot: number): readonly number[] {
    return this.#lists.owners(this.partitionOf(slot));
  }

  /** Everybody else, in the order in which they stand in. */
  fallbacksOf(slot: number): readonly number[] {
    return this.#lists.fallbacks(this.partitionOf(slot));
  }

  isOwner(slot: number): boolean {
    return this.ownersOf(slot).includes(this.self);
  }

  verdict(member: number): Verdict {
    return member === this.self ? 'up' : this.#health.verdict(member);
  }

  isDown(member: number): boolean {
    return this.verdict(member) === 'down';
  }

  /** Whether a write may be coordinated or kept there; its own disk may refuse. */
  takesWrites(member: number): boolean {
    return member === this.self ? this.#selfTakesWrites() : !this.isDown(member);
  }

  /** Slower than can be put down to how busy it is: worth asking somebody else. */
  isOverdue(member: number, waitedMs: number): boolean {
    if (member === this.self) return waitedMs > overdueFactor * latencyUsualMs;
    if (this.verdict(member) !== 'up') return true;
    return waitedMs > overdueFactor * this.#health.latencyMs(member);
  }

  /** The order in which to ask for a read: oneself, then the fastest, the silent last. */
  byNearness(members: readonly number[]): readonly number[] {
    return [...members].sort((a, b) => this.#distance(a) - this.#distance(b));
  }

  #distance(member: number): number {
    if (member === this.self) return -1;
    const silentMs = this.verdict(member) === 'up' ? 0 : 1e9;
    return silentMs + this.#health.latencyMs(member);
  }

  idOf(member: number): string {
    return this.members[member]?.id ?? '';
  }

  idBytesOf(member: number): Buffer {
    return this.#idBytes[member] ?? noId;
  }

  nameOf(member: number): string {
    return this.members[member]?.name ?? '';
  }

  indexOf(id: string): number | undefined {
    return this.#indexes.get(id);
  }
}

/** In units of the smoothed round trip. */
const overdueFactor = 10;
/** Of this node to itself: its disk, if need be. */
const latencyUsualMs = 20;

const noId: Buffer = Buffer.alloc(20);
