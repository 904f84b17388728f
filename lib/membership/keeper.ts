/**
 * A member of a ring that exists. It knows where the others are, dials them for ever, and hands
 * the ring to each member that comes up empty under its own id: one that its founder has not
 * reached yet, or that lost its ring before it had it for good. Any member does this, so a founder
 * that dies after its decision is not missed.
 *
 * Members say where they are whenever links come up; whoever moved is dialled at the new address.
 * Zone and weight belong to the layout and stay as they were when it was made.
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { type Deferred, type Later, nothing } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import {
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../transport/transport.ts';
import { encodeOffer, type Introduction, ringTagOf } from './introduction.ts';
import type { Phase } from './introductions.ts';
import type { Member } from './member.ts';
import type { MemberFacts } from './member-facts.ts';
import { membershipKinds } from './peer-kinds.ts';
import { type RingMembership, rememberMembers } from './ring-rows.ts';
import { nameOfAddress } from './seeds.ts';

export interface KeeperOptions {
  readonly self: number;
  /** Dialled whatever the members say. */
  readonly seeds: readonly PeerAddress[];
  facts(): MemberFacts;
  ask(peer: PeerId): Deferred<void>;
}

/** The other side writes to its disk before it answers. */
const offerTimeoutMs = 5000;

export class Keeper implements Phase {
  /** In the order of the layout; an entry is replaced when the member has moved. */
  readonly members: Member[];
  readonly #store: Store;
  readonly #system: System;
  readonly #transport: Transport;
  readonly #known: RingMembership;
  readonly #options: KeeperOptions;
  readonly #tag: Buffer;
  /** Members that said they are empty. */
  readonly #empty = new Set<PeerId>();
  readonly #offering = new Set<PeerId>();
  /** What was logged last of each peer; the same is not said twice. */
  readonly #complaints = new Map<PeerId, string>();

  constructor(
    store: Store,
    doors: { readonly system: System; readonly transport: Transport },
    known: RingMembership,
    options: KeeperOptions,
  ) {
    this.#store = store;
    this.#system = doors.system;
    this.#transport = doors.transport;
    this.#known = known;
    this.#options = options;
    this.#tag = ringTagOf(known.identity.ringKey, this.#system.hashes);
    this.members = [...known.ring.members];
  }

  get self(): number {
    return this.#options.self;
  }

  /** Once the transport has a port. */
  start(): void {
    this.#noteFacts(this.self, this.#options.facts(), undefined);
    for (const [index, { host, peerPort }] of this.members.entries()) {
      if (index !== this.self) this.#transport.dial({ host, port: peerPort });
    }
  }

  /** Once more to those who could not take the ring. */
  refresh(): void {
    for (const peer of this.#empty) {
      if (this.#transport.isConnected(peer)) this.#options.ask(peer).listen(nothing, nothing);
    }
  }

  introduction(to: PeerId): Introduction {
    const ring = { tag: this.#tag, listsYou: this.#indexOf(to) >= 0 };
    return { facts: this.#options.facts(), bootstrap: false, ring };
  }

  heard(peer: PeerId, { facts, ring }: Introduction, address: PeerAddress | undefined): void {
    const member = this.#indexOf(peer);
    if (member < 0) {
      this.#complainOfStranger(peer, facts, ring !== undefined, address);
      return;
    }
    this.#empty.delete(peer);
    if (ring === undefined) {
      this.#empty.add(peer);
      this.#hand(peer);
    } else if (!ring.tag.equals(this.#tag)) {
      this.#complain(peer, 'a member belongs to another ring', { name: facts.name });
      return;
    }
    this.#noteFacts(member, facts, address);
  }

  gone(): void {}

  ownAddress(): void {}

  /** Asked again by whoever has not heard our answer. */
  offered(_from: PeerId, { identity }: RingMembership): Later<Buffer> {
    if (!ringTagOf(identity.ringKey, this.#system.hashes).equals(this.#tag)) {
      throw new RedisError('ERR this node belongs to another ring');
    }
    return emptyBytes;
  }

  #indexOf(peer: PeerId): number {
    return this.#known.ring.layout.members.indexOf(peer);
  }

  #hand(peer: PeerId): void {
    if (this.#offering.has(peer) || !this.#transport.isConnected(peer)) return;
    this.#offering.add(peer);
    const { identity, ring } = this.#known;
    const body = encodeOffer({
      identity: { ...identity, nodeId: Buffer.from(peer, 'hex') },
      ring: { ...ring, members: this.members },
    });
    this.#transport.call(peer, membershipKinds.offer, body, offerTimeoutMs).listen(
      () => {
        this.#offering.delete(peer);
        this.#empty.delete(peer);
        this.#system.log.notice('a member has taken the ring', { member: this.#nameOf(peer) });
      },
      (error) => {
        this.#offering.delete(peer);
        if (!(error instanceof PeerError) || error.code !== 'refused') return;
        const member = this.#nameOf(peer);
        this.#complain(peer, 'a member refuses the ring', { member, reason: error.message });
      },
    );
  }

  #complainOfStranger(
    id: PeerId,
    { name }: MemberFacts,
    isInRing: boolean,
    address: PeerAddress | undefined,
  ): void {
    const where = address && nameOfAddress(address);
    const wiped = this.members.find(
      ({ host, peerPort }) => nameOfAddress({ host, port: peerPort }) === where,
    );
    if (isInRing) {
      this.#complain(id, 'a node of another ring is where a peer should be', { id, name, where });
    } else if (wiped !== undefined) {
      this.#complain(id, 'a member came back empty, as another node: it lost its data', {
        member: wiped.name,
        id,
        where,
      });
    } else {
      this.#complain(id, 'an empty node is no member: joining comes with a later version', {
        id,
        name,
        where,
      });
    }
  }

  #complain(peer: PeerId, message: string, fields: object): void {
    const text = message + JSON.stringify(fields);
    if (this.#complaints.get(peer) === text) return;
    if (this.#complaints.size >= complaintsMax) this.#complaints.clear();
    this.#complaints.set(peer, text);
    this.#system.log.warning(message, fields);
  }

  #noteFacts(member: number, facts: MemberFacts, address: PeerAddress | undefined): void {
    const known = this.members[member];
    if (known === undefined) return;
    const { name, port, peerPort } = facts;
    const host = facts.host || (address?.host ?? known.host);
    const now = { ...known, name, host, port, peerPort };
    if (member === this.self) this.#warnOfLayoutFacts(known, facts);
    const hasMoved = now.host !== known.host || now.peerPort !== known.peerPort;
    if (!hasMoved && now.name === known.name && now.port === known.port) return;
    this.members[member] = now;
    if (hasMoved && member !== this.self) this.#redial(known, now);
    const { layout } = this.#known.ring;
    const ring = { members: this.members, layout };
    rememberMembers(this.#store, ring, this.#system).listen(nothing, nothing);
  }

  #redial(before: Member, now: Member): void {
    this.#system.log.notice('a member has moved', {
      member: now.name,
      host: now.host,
      peerPort: now.peerPort,
    });
    this.#transport.dial({ host: now.host, port: now.peerPort });
    const old = { host: before.host, port: before.peerPort };
    const isNeeded =
      this.#options.seeds.some((seed) => nameOfAddress(seed) === nameOfAddress(old)) ||
      this.members.some(({ host, peerPort }) => host === old.host && peerPort === old.port);
    if (!isNeeded) this.#transport.forget(old);
  }

  #warnOfLayoutFacts(known: Member, facts: MemberFacts): void {
    for (const name of ['zone', 'weight'] as const) {
      if (known[name] === facts[name]) continue;
      this.#system.log.warning(`${name} belongs to the layout and is not changed by a restart`, {
        ring: known[name],
        configured: facts[name],
      });
    }
  }

  #nameOf(peer: PeerId): string {
    return this.members[this.#indexOf(peer)]?.name ?? peer;
  }
}

const complaintsMax = 1000;
