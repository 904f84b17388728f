/**
 * Which layouts are active at this node, and how one gives way to the next (RELIABILITY 1.9).
 *
 *   at rest      one layout, written to and read from
 *   adopted      [v, v+1]: writes go to the owners of both; reads still to those of v. A new owner
 *                fills the partitions it did not own before.
 *   complete     every member of v+1 has filled what it must: reads go to v+1
 *   retired      every member of either reads from v+1: v is forgotten, at rest again
 *
 * Members tell each other how far they are in every ping (`Trackers`), so each takes these steps by
 * itself, in an order that is safe: nobody reads from v+1 before all of it is there, and nobody
 * forgets v while somebody reads from it. A member that was given up (`removed`) is not waited for.
 *
 * Invariant: what was adopted is on the disk before anything else depends on it.
 */
import { after, type Deferred, type Later, nothing } from '../base/later.ts';
import type { Layout } from '../ring/layout.ts';
import { partitionsOwned } from '../ring/preference-list.ts';
import type { System } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import type { PeerId } from '../transport/transport.ts';
import type { Identity } from './identity.ts';
import type { Member } from './member.ts';
import {
  newestOf,
  type RingMembership,
  type RingTable,
  rememberMembers,
  rememberRing,
} from './ring-rows.ts';

/** How far a node is, as versions of layouts; each only grows. */
export interface Trackers {
  /** The newest that it writes to. */
  readonly adopted: number;
  /** The newest of which it holds all that it owns. */
  readonly complete: number;
  readonly reading: number;
  /** The oldest that it writes to. */
  readonly oldest: number;
}

const unknown: Trackers = { adopted: 0, complete: 0, reading: 0, oldest: 0 };

export class Topology {
  readonly identity: Identity;
  readonly selfId: PeerId;
  readonly #store: Store;
  readonly #system: System;
  readonly #peers = new Map<PeerId, Trackers>();
  readonly #listeners: (() => void)[] = [];
  /** In force. */
  #table: RingTable;
  /** What is written; ahead of the one in force by what has to be on the disk first. */
  #ahead: RingTable;
  /** The layout before the present one, if this process has seen it retire. */
  #retired: Layout | undefined;
  #adopting: Deferred<void> | undefined;

  constructor(store: Store, system: System, { identity, ring }: RingMembership) {
    this.#store = store;
    this.#system = system;
    this.identity = identity;
    this.selfId = identity.nodeId.toString('hex');
    this.#table = ring;
    this.#ahead = ring;
  }

  get table(): RingTable {
    return this.#table;
  }

  /** One, or two during a change, oldest first. */
  get layouts(): readonly Layout[] {
    return this.#table.layouts;
  }

  get newest(): Layout {
    return newestOf(this.#table);
  }

  get oldest(): Layout {
    return this.layouts[0] ?? this.newest;
  }

  get reading(): Layout {
    return this.layouts.find(({ version }) => version === this.#table.reading) ?? this.newest;
  }

  get isChanging(): boolean {
    return this.layouts.length > 1;
  }

  /** Partitions of the newest layout that this node has yet to fill. */
  get pending(): readonly number[] {
    return this.#table.pending;
  }

  get members(): readonly Member[] {
    return this.#table.members;
  }

  /** The one member of the ring. */
  get isAlone(): boolean {
    return !this.isChanging && this.newest.members.length === 1 && this.isActive(this.selfId);
  }

  /** Members of the active layouts; those that were given up are none any more. */
  isActive(id: PeerId): boolean {
    return this.layouts.some(({ members }) => members.includes(id)) && !this.isRemoved(id);
  }

  /** Members and those that are leaving, or have left a while ago. */
  isKnown(id: PeerId): boolean {
    return this.members.some((member) => member.id === id) && !this.isRemoved(id);
  }

  isRemoved(id: PeerId): boolean {
    return this.newest.removed.includes(id);
  }

  get trackers(): Trackers {
    const { pending, reading } = this.#table;
    const adopted = this.newest.version;
    const complete = pending.length === 0 ? adopted : Math.min(adopted - 1, this.oldest.version);
    return { adopted, complete, reading, oldest: this.oldest.version };
  }

  trackersOf(peer: PeerId): Trackers {
    return peer === this.selfId ? this.trackers : (this.#peers.get(peer) ?? unknown);
  }

  /** Layouts, members or how far somebody is. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whether somebody who is there may still write by the layout before. */
  isDisputed(isThere: (id: PeerId) => boolean): boolean {
    const before = this.#retired;
    if (before === undefined) return false;
    const { version } = this.oldest;
    return [...this.newest.members, ...before.members].some(
      (id) => id !== this.selfId && isThere(id) && this.trackersOf(id).oldest < version,
    );
  }

  /** A peer says how far it is. */
  heard(peer: PeerId, trackers: Trackers): void {
    const known = this.trackersOf(peer);
    if (isSame(known, trackers)) return;
    this.#peers.set(peer, trackers);
    this.#advance();
    this.#tell();
  }

  /**
   * Writes to the next layout from when this settles. One that is active or older is taken for
   * adopted; one that is not the next after the newest is how a node goes on that has missed some.
   */
  adopt(layout: Layout, members: readonly Member[]): Later<void> {
    if (layout.version <= this.newest.version) return undefined;
    if (this.#adopting !== undefined) {
      return this.#adopting.then(() => this.adopt(layout, members));
    }
    const before = this.newest;
    const isNext = layout.version === before.version + 1;
    const held = new Set(partitionsOwned(before, this.selfId));
    for (const partition of this.pending) held.delete(partition);
    const pending = partitionsOwned(layout, this.selfId).filter((one) => !held.has(one));
    const adopting = this.#saveFirst((table) => ({
      layouts: isNext ? [before, layout] : [layout],
      reading: isNext ? before.version : layout.version,
      pending,
      // A proposal may be older than what its members have said of themselves since.
      members: joined(members, table.members),
    })).then(() => {
      const { version } = layout;
      const facts = { version, members: layout.members.length, pending: pending.length };
      this.#system.log.notice('adopted a layout of the ring', facts);
    });
    const over = (): void => {
      this.#adopting = undefined;
    };
    adopting.listen(over, over);
    this.#adopting = adopting;
    return adopting;
  }

  /**
   * What another member goes by. Settles once this node is as far. A layout that the other one has
   * retired is retired here too: it has heard that nobody reads from it.
   */
  take({ layouts, reading, members }: RingTable): Later<void> {
    const [theirOldest] = layouts;
    const theirs = layouts.at(-1);
    if (theirOldest === undefined || theirs === undefined) return undefined;
    if (theirs.version > this.newest.version) {
      const isNext = theirs.version === this.newest.version + 1;
      if (isNext || layouts.length === 1) return this.adopt(theirs, members);
      return after(this.adopt(theirOldest, members), () => this.adopt(theirs, members));
    }
    const isRetired = theirOldest.version === this.newest.version && this.isChanging;
    if (isRetired && reading === this.newest.version && this.reading === this.newest) {
      this.#retire();
      this.#tell();
    }
    return undefined;
  }

  /** These are filled, and what they hold is on the disk. */
  filled(partitions: readonly number[]): Later<void> {
    const { version } = this.newest;
    const isStill = (table: RingTable): boolean => table.layouts.at(-1)?.version === version;
    return this.#saveFirst((table) => {
      if (!isStill(table)) return table;
      return { ...table, pending: table.pending.filter((one) => !partitions.includes(one)) };
    }).then(() => {
      if (this.pending.length > 0) return;
      this.#system.log.notice('holds all that it owns in the layout', { version });
    });
  }

  /** Where somebody is now, or how it is called. */
  noteMember(member: Member): void {
    this.#save((table) => ({ ...table, members: joined(table.members, [member]) }));
    this.#tell();
  }

  /** It has left for good, or has been given up; as soon as no active layout lists it. */
  forget(id: PeerId): void {
    const isListed = this.layouts.some(({ members }) => members.includes(id));
    if (isListed || id === this.selfId) return;
    if (!this.members.some((member) => member.id === id)) return;
    this.#save((table) => ({
      ...table,
      members: table.members.filter((member) => member.id !== id),
    }));
    this.#tell();
  }

  #advance(): void {
    const [older, newest] = this.layouts;
    if (older === undefined || newest === undefined) {
      if (!this.isDisputed(() => true)) this.#retired = undefined;
      return;
    }
    const { version } = newest;
    const hasCome = (to: keyof Trackers) => (id: PeerId) => this.trackersOf(id)[to] >= version;
    if (this.reading !== newest && newest.members.every(hasCome('complete'))) {
      this.#save((table) => ({ ...table, reading: Math.max(table.reading, version) }));
      this.#system.log.notice('reads from the layout', { version });
    }
    const everybody = [...older.members, ...newest.members].filter((id) => !this.isRemoved(id));
    if (this.reading === newest && everybody.every(hasCome('reading'))) {
      this.#retire();
    }
  }

  #retire(): void {
    const { newest, oldest } = this;
    this.#retired = oldest;
    this.#save((table) => ({
      ...table,
      layouts: table.layouts.filter(({ version }) => version >= newest.version),
    }));
    this.#system.log.notice('retired the layout before', { version: oldest.version });
  }

  /** In force at once, and beside what is being adopted meanwhile. */
  #save(change: (table: RingTable) => RingTable): void {
    this.#table = change(this.#table);
    this.#ahead = change(this.#ahead);
    rememberMembers(this.#store, this.#ahead, this.#system).listen(nothing, nothing);
  }

  /** In force once it is on the disk. */
  #saveFirst(change: (table: RingTable) => RingTable): Deferred<void> {
    this.#ahead = change(this.#ahead);
    const membership = { identity: this.identity, ring: this.#ahead };
    return rememberRing(this.#store, membership, this.#system).then(() => {
      this.#table = change(this.#table);
      this.#advance();
      this.#tell();
    });
  }

  #tell(): void {
    for (const tell of this.#listeners) tell();
  }
}

function isSame(a: Trackers, b: Trackers): boolean {
  return (
    a.adopted === b.adopted &&
    a.complete === b.complete &&
    a.reading === b.reading &&
    a.oldest === b.oldest
  );
}

/** The second knows better. */
function joined(known: readonly Member[], news: readonly Member[]): readonly Member[] {
  const byId = new Map([...known, ...news].map((member) => [member.id, member]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
