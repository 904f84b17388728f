/**
 * The ring as a coordinator sees it at this moment: who owns a key, who would stand in for them,
 * and whom it is worth asking. Members are named by numbers, given in the order of first sight and
 * never again, so that what is under way outlives a change of the layout.
 */
import { Deferred } from '../base/later.ts';
import type { Member, Verdict } from '../membership/member.ts';
import type { Topology } from '../membership/topology.ts';
import type { Layout } from '../ring/layout.ts';
import { type ActiveLayouts, PreferenceLists } from '../ring/preference-list.ts';
import { partitionOf } from '../ring/slots.ts';

/** What routing asks of `membership/peer-health.ts`. */
export interface Health {
  verdict(member: number): Verdict;
  /** Smoothed round trip. */
  latencyMs(member: number): number;
}

/** How operators see a member. */
export type MemberState = 'up' | 'suspect' | 'down' | 'joining' | 'leaving';

export interface RingViewDoors {
  readonly health: Health;
  /** Whether this node's own disk takes writes. */
  takesWrites(): boolean;
  /** What the members have agreed on, by gossip. */
  gossiped(id: string): Verdict;
}

export class RingView {
  readonly self: number;
  readonly #topology: Topology;
  readonly #doors: RingViewDoors;
  readonly #members: Member[] = [];
  readonly #idBytes: Buffer[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #listeners: (() => void)[] = [];
  #lists: PreferenceLists;
  /** What the lists were made of. */
  #shown: Partial<ActiveLayouts> = {};
  #active: readonly number[] = [];
  #next: Deferred<void> | undefined;
  #version = 0;
  #oldest = 0;

  constructor(topology: Topology, doors: RingViewDoors) {
    this.#topology = topology;
    this.#doors = doors;
    this.self = this.#numberOf(topology.selfId);
    this.#lists = this.#makeLists();
    this.#look();
    topology.onChange(() => {
      this.#look();
      this.changed();
    });
  }

  /** By number; those that have left are among them. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Members of the active layouts. */
  get active(): readonly number[] {
    return this.#active;
  }

  /** One, or more during a change, oldest first. */
  get layouts(): readonly Layout[] {
    return this.#topology.layouts;
  }

  get reading(): Layout {
    return this.#topology.reading;
  }

  /** Of the newest layout: what data messages are stamped with. */
  get version(): number {
    return this.#version;
  }

  /** Of the oldest active layout: who coordinates read-modify-writes goes by it. */
  get oldest(): number {
    return this.#oldest;
  }

  get n(): number {
    return this.reading.n;
  }

  partitionOf(slot: number): number {
    return partitionOf(slot, this.#topology.identity.partitions);
  }

  /** In preference order, by the layout that is read from. */
  ownersOf(slot: number): readonly number[] {
    return this.#lists.owners(this.partitionOf(slot));
  }

  /** By the oldest active layout. */
  coordinatorsOf(slot: number): readonly number[] {
    return this.#lists.coordinators(this.partitionOf(slot));
  }

  /** By each active layout; one where all name the same. W must hold a write in each. */
  ownerSets(slot: number): readonly (readonly number[])[] {
    return this.#lists.sets(this.partitionOf(slot));
  }

  /** Everybody else, in the order in which they stand in. */
  fallbacksOf(slot: number): readonly number[] {
    return this.#lists.fallbacks(this.partitionOf(slot));
  }

  /** Whether this node owns it in any active layout. */
  isOwner(slot: number): boolean {
    for (const set of this.ownerSets(slot)) if (set.includes(this.self)) return true;
    return false;
  }

  /** Whether this node owns it in that layout, which is active. */
  owns(version: number, slot: number): boolean {
    const { layouts, selfId } = this.#topology;
    const layout = layouts.find((one) => one.version === version);
    if (layout === undefined) return false;
    const { n, members, owners } = layout;
    const at = this.partitionOf(slot) * n;
    for (let place = 0; place < n; place += 1) {
      if (members[owners[at + place] ?? -1] === selfId) return true;
    }
    return false;
  }

  /** Whether somebody who has been let in, and is not known to be dead, has not come up yet. */
  get awaitsNewcomers(): boolean {
    return this.#topology.newcomers.some((id) => {
      const member = this.#numberOf(id);
      return this.isDown(member) && this.stateOf(member) !== 'down';
    });
  }

  /** Whether two who are there may name different first owners, because a layout has just gone. */
  get isDisputed(): boolean {
    return this.#topology.isDisputed((id) => !this.isDown(this.#numberOf(id)));
  }

  verdict(member: number): Verdict {
    return member === this.self ? 'up' : this.#doors.health.verdict(member);
  }

  isDown(member: number): boolean {
    return this.verdict(member) === 'down';
  }

  /** Whether a write may be coordinated or kept there; its own disk may refuse. */
  takesWrites(member: number): boolean {
    return member === this.self ? this.#doors.takesWrites() : !this.isDown(member);
  }

  /** Slower than can be put down to how busy it is: worth asking somebody else. */
  isOverdue(member: number, waitedMs: number): boolean {
    if (member === this.self) return waitedMs > overdueFactor * latencyUsualMs;
    if (this.verdict(member) !== 'up') return true;
    return waitedMs > overdueFactor * this.#doors.health.latencyMs(member);
  }

  /** The order in which to ask for a read: oneself, then the fastest, the silent last. */
  byNearness(members: readonly number[]): readonly number[] {
    return [...members].sort((a, b) => this.#distance(a) - this.#distance(b));
  }

  /** For operators: down by gossip, else whether it comes or goes, else what gossip says. */
  stateOf(member: number): MemberState {
    const id = this.idOf(member);
    const { reading, newest } = this.#topology;
    const gossiped = member === this.self ? 'up' : this.#doors.gossiped(id);
    if (gossiped === 'down') return gossiped;
    if (!newest.members.includes(id)) return 'leaving';
    if (!reading.members.includes(id)) return 'joining';
    return gossiped;
  }

  idOf(member: number): string {
    return this.#members[member]?.id ?? '';
  }

  idBytesOf(member: number): Buffer {
    return this.#idBytes[member] ?? noId;
  }

  nameOf(member: number): string {
    return this.#members[member]?.name ?? '';
  }

  indexOf(id: string): number | undefined {
    return this.#numbers.get(id);
  }

  /** Layouts, members or what gossip says of one. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Settles with the next change. */
  nextChange(): Deferred<void> {
    this.#next ??= new Deferred();
    return this.#next;
  }

  changed(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.settle();
    for (const tell of this.#listeners) tell();
  }

  #look(): void {
    const topology = this.#topology;
    for (const member of topology.members) this.#members[this.#numberOf(member.id)] = member;
    this.#version = topology.newest.version;
    this.#oldest = topology.oldest.version;
    if (this.#shown.layouts === topology.layouts && this.#shown.reading === topology.reading)
      return;
    this.#shown = { layouts: topology.layouts, reading: topology.reading };
    const ids = new Set(topology.layouts.flatMap(({ members }) => members));
    this.#active = [...ids].map((id) => this.#numberOf(id));
    this.#lists = this.#makeLists();
  }

  #makeLists(): PreferenceLists {
    return new PreferenceLists(this.#topology, (id) => this.#numberOf(id));
  }

  #numberOf(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const number = this.#members.length;
    this.#numbers.set(id, number);
    this.#members.push({ ...nobody, id });
    this.#idBytes.push(Buffer.from(id, 'hex'));
    return number;
  }

  #distance(member: number): number {
    if (member === this.self) return -1;
    const silentMs = this.verdict(member) === 'up' ? 0 : 1e9;
    return silentMs + this.#doors.health.latencyMs(member);
  }
}

/** In units of the smoothed round trip. */
const overdueFactor = 10;
/** Of this node to itself: its disk, if need be. */
const latencyUsualMs = 20;

const noId: Buffer = Buffer.alloc(20);
const nobody = { name: '', host: '', port: 0, peerPort: 0, zone: '', weight: 1 } as const;
