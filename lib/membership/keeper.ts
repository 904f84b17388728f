/**
 * A member of a ring that exists. It knows where the others are, dials them for ever, hands the
 * ring to each member that comes up empty under its own id (one that its founder has not reached
 * yet, or that has just been let in), and takes the requests of nodes that want to join. Any member
 * does this, so whoever decided something and died is not missed.
 *
 * Members say where they are whenever links come up; whoever moved is dialled at the new address.
 * Zone and weight belong to the layout and stay as they were when it was made.
 *
 * Two rings never merge. A node of another ring where a member should be is told so: if it is a
 * founder that never had a second member, it has lost its disk (DESIGN 2.1).
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { type Deferred, type Later, nothing } from '../base/later.ts';
import { partitionsOwned } from '../ring/preference-list.ts';
import type { System } from '../runtime/ports.ts';
import {
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../transport/transport.ts';
import { encodeOffer, type Introduction, type JoinRequest, ringTagOf } from './introduction.ts';
import type { Phase } from './introductions.ts';
import type { Member } from './member.ts';
import type { MemberFacts } from './member-facts.ts';
import { membershipKinds } from './peer-kinds.ts';
import { nameOfAddress } from './seeds.ts';
import type { Topology } from './topology.ts';

export interface KeeperOptions {
  /** Dialled whatever the members say. */
  readonly seeds: readonly PeerAddress[];
  facts(): MemberFacts;
  ask(peer: PeerId): Deferred<void>;
}

/** What a ring finds out about this node. */
export interface KeeperEvents {
  joins(request: JoinRequest, from: PeerId, fromHost: string): Later<Buffer>;
  /** The members have given this node up. */
  removed(): void;
  /** This founder of a ring of one is where another ring has its member of that name. */
  lostDisk(name: string): void;
}

/** The other side writes to its disk before it answers. */
const offerTimeoutMs = 5000;

export class Keeper implements Phase {
  readonly #system: System;
  readonly #transport: Transport;
  readonly #topology: Topology;
  readonly #options: KeeperOptions;
  readonly #tag: Buffer;
  #events: KeeperEvents | undefined;
  /** What was found out before anybody listened. */
  readonly #untold: ((events: KeeperEvents) => void)[] = [];
  /** Members that said they are empty. */
  readonly #empty = new Set<PeerId>();
  readonly #offering = new Set<PeerId>();
  readonly #distrusted = new Set<PeerId>();
  /** By id: where each member is dialled. */
  readonly #dialled = new Map<PeerId, PeerAddress>();
  /** What was logged last of each peer; the same is not said twice. */
  readonly #complaints = new Map<PeerId, string>();

  constructor(
    doors: { readonly system: System; readonly transport: Transport },
    topology: Topology,
    options: KeeperOptions,
  ) {
    this.#system = doors.system;
    this.#transport = doors.transport;
    this.#topology = topology;
    this.#options = options;
    this.#tag = ringTagOf(topology.identity.ringKey, this.#system.hashes);
  }

  /** Once the transport has a port. */
  start(): void {
    this.#noteFacts(this.#topology.selfId, this.#options.facts(), undefined);
    this.#dialAll();
    this.#topology.onChange(() => this.#dialAll());
  }

  /** Until then nobody is let in. */
  serve(events: KeeperEvents): void {
    this.#events = events;
    for (const tell of this.#untold.splice(0)) tell(events);
  }

  /** Two nodes speak as this member: what either says of itself changes nothing. */
  distrust(peer: PeerId): void {
    this.#distrusted.add(peer);
  }

  trust(peer: PeerId): void {
    this.#distrusted.delete(peer);
  }

  trusts(peer: PeerId): boolean {
    return !this.#distrusted.has(peer);
  }

  /** Once more to those who could not take the ring. */
  refresh(): void {
    for (const peer of this.#empty) {
      if (this.#transport.isConnected(peer)) this.#options.ask(peer).listen(nothing, nothing);
    }
  }

  introduction(to: PeerId, address?: PeerAddress): Introduction {
    const topology = this.#topology;
    const listsYou = topology.isActive(to);
    const ring = { tag: this.#tag, listsYou, removedYou: topology.isRemoved(to) };
    const foundAt = listsYou ? '' : (this.#memberAt(address)?.name ?? '');
    const yourHost = address?.host ?? '';
    return { facts: this.#options.facts(), bootstrap: false, ring, foundAt, yourHost };
  }

  heard(peer: PeerId, said: Introduction, address: PeerAddress | undefined): void {
    const { facts, ring } = said;
    this.#noteOwnHost(said.yourHost);
    if (ring?.tag.equals(this.#tag) === true && ring.removedYou)
      this.#tell((events) => events.removed());
    if (!this.#topology.isActive(peer)) {
      this.#hearStranger(peer, said, address);
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
    this.#noteFacts(peer, facts, address);
  }

  gone(): void {}

  ownAddress(): void {}

  /** Asked again by whoever has not heard our answer. */
  offered(_from: PeerId, { identity }: { readonly identity: { readonly ringKey: Buffer } }) {
    if (!ringTagOf(identity.ringKey, this.#system.hashes).equals(this.#tag)) {
      throw new RedisError('ERR this node belongs to another ring');
    }
    return emptyBytes;
  }

  joins(request: JoinRequest, from: PeerId, fromHost: string): Later<Buffer> {
    if (this.#events === undefined) throw new RedisError('BUSY this node is just starting');
    return this.#events.joins(request, from, fromHost);
  }

  #memberOf(id: PeerId): Member | undefined {
    return this.#topology.members.find((member) => member.id === id);
  }

  #memberAt(address: PeerAddress | undefined): Member | undefined {
    const where = address && nameOfAddress(address);
    return this.#topology.members.find(
      ({ host, peerPort }) => nameOfAddress({ host, port: peerPort }) === where,
    );
  }

  #dialAll(): void {
    const { members, selfId } = this.#topology;
    for (const member of members) {
      const { id, host, peerPort } = member;
      if (id === selfId || !this.#topology.isKnown(id)) continue;
      const known = this.#dialled.get(id);
      const now = { host, port: peerPort };
      if (known !== undefined && nameOfAddress(known) === nameOfAddress(now)) continue;
      this.#dialled.set(id, now);
      this.#transport.dial(now);
      if (known !== undefined) this.#redialled(member, known);
    }
    for (const [id, address] of this.#dialled) {
      if (this.#topology.isKnown(id)) continue;
      this.#dialled.delete(id);
      this.#forget(address);
    }
  }

  #redialled({ name, host, peerPort }: Member, before: PeerAddress): void {
    this.#system.log.notice('a member has moved', { member: name, host, peerPort });
    this.#forget(before);
  }

  #forget(address: PeerAddress): void {
    const where = nameOfAddress(address);
    const isNeeded =
      this.#options.seeds.some((seed) => nameOfAddress(seed) === where) ||
      [...this.#dialled.values()].some((other) => nameOfAddress(other) === where);
    if (!isNeeded) this.#transport.forget(address);
  }

  #hand(peer: PeerId): void {
    if (this.#offering.has(peer) || !this.#transport.isConnected(peer)) return;
    this.#offering.add(peer);
    const { identity, table, layouts, newest } = this.#topology;
    const [older] = layouts;
    const held = new Set(
      older === newest || older === undefined ? [] : partitionsOwned(older, peer),
    );
    const owned = older === newest ? [] : partitionsOwned(newest, peer);
    const body = encodeOffer({
      identity: { ...identity, nodeId: Buffer.from(peer, 'hex') },
      ring: { ...table, pending: owned.filter((partition) => !held.has(partition)) },
    });
    const member = this.#memberOf(peer)?.name ?? peer;
    this.#transport.call(peer, membershipKinds.offer, body, offerTimeoutMs).listen(
      () => {
        this.#offering.delete(peer);
        this.#empty.delete(peer);
        this.#system.log.notice('a member has taken the ring', { member });
      },
      (error) => {
        this.#offering.delete(peer);
        if (!(error instanceof PeerError) || error.code !== 'refused') return;
        const reason = error.message;
        this.#complain(peer, 'a member refuses the ring', { member, reason });
      },
    );
  }

  #hearStranger(
    id: PeerId,
    { facts: { name }, ring, foundAt }: Introduction,
    address: PeerAddress | undefined,
  ): void {
    const where = address && nameOfAddress(address);
    const member = this.#memberAt(address);
    const isForeign = ring !== undefined && !ring.tag.equals(this.#tag);
    if (isForeign && foundAt !== '' && this.#isAlone) {
      this.#tell((events) => events.lostDisk(foundAt));
    } else if (isForeign) {
      this.#complain(id, 'a node of another ring is where a peer should be', { id, name, where });
    } else if (this.#topology.isRemoved(id)) {
      this.#complain(id, 'a node that was given up has come back: it is refused', { id, name });
    } else if (ring === undefined && member !== undefined) {
      this.#complain(id, 'a member came back empty, as another node: it lost its data', {
        member: member.name,
        id,
        where,
      });
    }
  }

  /** A founder that never had a second member. */
  get #isAlone(): boolean {
    const { newest } = this.#topology;
    return newest.version === 1 && newest.members.length === 1;
  }

  #tell(tell: (events: KeeperEvents) => void): void {
    if (this.#events === undefined) this.#untold.push(tell);
    else tell(this.#events);
  }

  #complain(peer: PeerId, message: string, fields: object): void {
    const text = message + JSON.stringify(fields);
    if (this.#complaints.get(peer) === text) return;
    if (this.#complaints.size >= complaintsMax) this.#complaints.clear();
    this.#complaints.set(peer, text);
    this.#system.log.warning(message, fields);
  }

  #noteFacts(id: PeerId, facts: MemberFacts, address: PeerAddress | undefined): void {
    const known = this.#memberOf(id);
    if (known === undefined || !this.trusts(id)) return;
    const { name, port, peerPort } = facts;
    const host = facts.host || (address?.host ?? known.host);
    if (id === this.#topology.selfId) this.#warnOfLayoutFacts(known, facts);
    const isSame = host === known.host && peerPort === known.peerPort;
    if (isSame && name === known.name && port === known.port) return;
    this.#topology.noteMember({ ...known, name, host, port, peerPort });
  }

  /** A founder that was alone does not know how others find it, until one of them does. */
  #noteOwnHost(host: string): void {
    const self = this.#memberOf(this.#topology.selfId);
    if (self === undefined || host === '' || this.#options.facts().host !== '') return;
    if (self.host === hostOfAlone && host !== hostOfAlone) {
      this.#topology.noteMember({ ...self, host });
    }
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
}

const complaintsMax = 1000;
/** What a node calls its own host until somebody else finds it. */
export const hostOfAlone = '127.0.0.1';
