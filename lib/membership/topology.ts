/**
 * Which layouts are active at this node, and how one gives way to the next (RELIABILITY 1.9).
 *
 *   at rest      one layout, written to and read from
 *   adopted      [v, v+1]: writes go to the owners of both; reads still to those of v. A new owner
 *                fills the partitions it did not own before.
 *   complete     every member of v+1 has filled what it must: reads go to v+1
 *   retired      every member of either reads from v+1: v is forgotten, at rest again
 *
 * A member that dies in between holds up what waits for it, until it is back or a further change
 * gives it up: [v, v+1, v+2], of which v+1 may never be read from.
 *
 * Members tell each other how far they are in every ping (`Trackers`), so each takes these steps by
 * itself, in an order that is safe: nobody reads from a layout before all of it is there, and
 * nobody forgets one while somebody reads from it. A member that was given up (`removed`) is not
 * waited for.
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
  /** The newest layout of which this node held everything before the present newest one. */
  #completeBefore: number;
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
    this.#completeBefore = Math.min(this.oldest.version, this.newest.version - 1);
  }

  get table(): RingTable {
    return this.#table;
  }

  /** One, or more during a change, oldest first. */
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

  /** Members of the newest layout that were none before. */
  get newcomers(): readonly PeerId[] {
    const { newest, oldest } = this;
    return newest.members.filter((id) => !oldest.members.includes(id));
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
    const complete = pending.length === 0 ? adopted : this.#completeBefore;
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
    const isNext = layout.version === this.newest.version + 1;
    const held = new Set(isNext ? this.#held() : []);
    const pending = partitionsOwned(layout, this.selfId).filter((one) => !held.has(one));
    const { complete } = this.trackers;
    const isBefore = ({ version }: Layout): boolean => version < layout.version;
    const adopting = this.#saveFirst(
      (table) => ({
        // The disk may have failed an earlier attempt, which is in the table ahead.
        layouts: isNext ? [...table.layouts.filter(isBefore), layout] : [layout],
        reading: isNext ? table.reading : layout.version,
        pending,
        // A proposal may be older than what its members have said of themselves since.
        members: joined(members, table.members),
      }),
      () => {
        this.#completeBefore = complete;
      },
    ).then(() => {
      const { version } = layout;
      const facts = { version, members: layout.members.length, pending: pending.length };
      this.#system.log.notice('adopted a layout of the ring', facts);
    });
    const over = (): void => {
      this.#adopting = undefined;
    };
    this.#adopting = adopting;
    adopting.listen(over, over);
    return adopting;
  }

  /**
   * What another member goes by. Settles once this node is as far. A layout that the other one has
   * retired is retired here too: it has heard that nobody reads from it.
   */
  take({ layouts, members }: Pick<RingTable, 'layouts' | 'members'>): Later<void> {
    const next = layouts.find(({ version }) => version > this.newest.version);
    if (next !== undefined) {
      return after(this.adopt(next, members), () => this.take({ layouts, members }));
    }
    const theirOldest = layouts[0]?.version ?? 0;
    if (theirOldest > this.oldest.version && theirOldest <= this.reading.version) {
      this.#retireBelow(theirOldest);
      this.#tell();
    }
    return undefined;
  }

  /** Partitions of which this node holds all that was written. */
  #held(): readonly number[] {
    const owned = this.layouts.flatMap((layout) => partitionsOwned(layout, this.selfId));
    return owned.filter((partition) => !this.pending.includes(partition));
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
    if (!this.isChanging) {
      if (!this.isDisputed(() => true)) this.#retired = undefined;
      return;
    }
    const isComplete = ({ version, members }: Layout): boolean =>
      members.every((id) => this.trackersOf(id).complete >= version);
    const best = this.layouts.findLast(isComplete);
    if (best !== undefined && best.version > this.reading.version) {
      const { version } = best;
      this.#save((table) => ({ ...table, reading: Math.max(table.reading, version) }));
      this.#system.log.notice('reads from the layout', { version });
    }
    const everybody = this.layouts.flatMap(({ members }) => members);
    const waitedFor = everybody.filter((id) => !this.isRemoved(id));
    const isRead = Math.min(...waitedFor.map((id) => this.trackersOf(id).reading));
    if (isRead > this.oldest.version) this.#retireBelow(isRead);
  }

  /** Nobody reads from what is older. */
  #retireBelow(version: number): void {
    const isOld = (layout: Layout): boolean => layout.version < version;
    this.#retired = this.layouts.findLast(isOld);
    this.#save((table) => ({ ...table, layouts: table.layouts.filter((one) => !isOld(one)) }));
    this.#system.log.notice('retired the layouts before', { version });
  }

  /** In force at once, and beside what is being adopted meanwhile. */
  #save(change: (table: RingTable) => RingTable): void {
    this.#table = change(this.#table);
    this.#ahead = change(this.#ahead);
    rememberMembers(this.#store, this.#ahead, this.#system).listen(nothing, nothing);
  }

  /** In force once it is on the disk. */
  #saveFirst(
    change: (table: RingTable) => RingTable,
    inForce: () => void = nothing,
  ): Deferred<void> {
    this.#ahead = change(this.#ahead);
    const membership = { identity: this.identity, ring: this.#ahead };
    return rememberRing(this.#store, membership, this.#system).then(() => {
      this.#table = change(this.#table);
      inForce();
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
