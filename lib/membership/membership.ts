/**
 * What a member does all the time to be one: it hears who is there (`peer-health.ts`, for routing;
 * `gossip.ts`, for operators), how far each is with the layouts (`topology.ts`), agrees with the
 * others on the next (`ballots.ts`, `ring-changes.ts`), and notices when something is wrong with
 * its own place among them (`standing.ts`).
 */
import { RedisError } from '../base/errors.ts';
import { nothing } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import type { PeerId, Transport } from '../transport/transport.ts';
import { Ballots } from './ballots.ts';
import type { Belonging } from './founding.ts';
import { Gossip } from './gossip.ts';
import { LayoutExchange } from './layout-exchange.ts';
import type { Member, Verdict } from './member.ts';
import type { Entry } from './member-entry.ts';
import { Nonces } from './nonces.ts';
import { PeerHealth } from './peer-health.ts';
import { RingChanges } from './ring-changes.ts';
import { nextBootEpoch, rememberBootEpoch } from './ring-rows.ts';
import { Standing } from './standing.ts';
import type { Trackers } from './topology.ts';
import { Twins } from './twins.ts';

export interface MembershipDoors {
  readonly store: Store;
  readonly system: System;
  readonly transport: Transport;
}

export interface MembershipOptions {
  /** What this node says in every ping. */
  ping(): Buffer;
  /** What was said in one; to be told to `heard`. */
  onPing(member: number, body: Buffer, sentAfterMs: number): void;
  numberOf(id: PeerId): number | undefined;
  /** What gossip says of a member is another thing now. */
  stateChanged(): void;
}

/** What a ping says of its sender. */
export interface Said {
  readonly nonce: number;
  readonly trackers: Trackers;
  /** It was certainly sent after this moment of the own clock. */
  readonly sentAfterMs: number;
}

/** Incarnations of one process. */
const incarnationsOfBoot = 2 ** 20;
const twinRefusal = 'TWIN another process runs under your id';

export class Membership {
  readonly health: PeerHealth;
  readonly nonces: Nonces;
  readonly gossip: Gossip;
  readonly exchange: LayoutExchange;
  readonly changes: RingChanges;
  readonly standing = new Standing();
  readonly #ballots: Ballots;
  readonly #doors: MembershipDoors;
  readonly #belonging: Belonging;
  readonly #options: MembershipOptions;
  readonly #twins = new Twins();
  /** Nonces of processes that were found to run beside another one of their id. */
  readonly #twinNonces = new Set<number>();
  #bootEpoch: number;

  static async create(
    doors: MembershipDoors,
    belonging: Belonging,
    options: MembershipOptions,
  ): Promise<Membership> {
    const bootEpoch = await nextBootEpoch(doors.store, doors.system);
    const membership = new Membership(doors, belonging, options, bootEpoch);
    await membership.#ballots.restore();
    return membership;
  }

  private constructor(
    doors: MembershipDoors,
    belonging: Belonging,
    options: MembershipOptions,
    bootEpoch: number,
  ) {
    const { store, system, transport } = doors;
    const { topology } = belonging;
    this.#doors = doors;
    this.#belonging = belonging;
    this.#options = options;
    this.#bootEpoch = bootEpoch;
    const isKnown = (id: PeerId): boolean => topology.isKnown(id);
    this.nonces = new Nonces(transport, store.bootNonce, isKnown);
    this.health = new PeerHealth(transport, system, {
      ping: () => options.ping(),
      onPing: (member, body, sentAfterMs) => options.onPing(member, body, sentAfterMs),
      onRefused: (reason) => this.#pingRefused(reason),
    });
    this.exchange = new LayoutExchange(transport, system, topology);
    this.gossip = new Gossip(transport, system, {
      self: this.#entryOf(this.#self, bootEpoch * incarnationsOfBoot, store.bootNonce),
      known: topology.members
        .filter(({ id }) => id !== topology.selfId)
        .map((member) => this.#entryOf(member, 0, 0)),
      rememberIncarnation: (incarnation) => this.#rememberIncarnation(incarnation),
      fingerprint: () => this.exchange.fingerprint(),
      layoutsDiffer: (peer) => this.#lookAt(peer),
      changed: (entry, before) => this.#gossiped(entry, before),
      isMember: isKnown,
    });
    this.#ballots = new Ballots(store, transport, system, {
      self: topology.selfId,
      current: () => ({ layout: topology.newest, busy: this.changes.isBusy }),
      decided: ({ layout, members }) => topology.adopt(layout, members),
      behind: (peer) => this.#lookAt(peer),
      ahead: () => this.health.pingAll(),
    });
    this.changes = new RingChanges({
      system,
      transport,
      topology,
      ballots: this.#ballots,
      verdict: (id) => this.verdict(id),
      gossiped: (id) => this.gossiped(id),
    });
  }

  /** From now on this node answers pings, and so is up to others. */
  start(): void {
    const { topology, keeper } = this.#belonging;
    this.exchange.start();
    this.nonces.start();
    this.#ballots.start();
    this.changes.start();
    keeper.serve({
      joins: (request, from, fromHost) => this.changes.joins(request, from, fromHost),
      removed: () => this.standing.removed(),
      lostDisk: (name) => this.#lostDisk(name),
    });
    this.health.onDown((_, id) => this.gossip.suspectNow(id));
    this.health.watch(this.others());
    this.health.start();
    this.gossip.start();
    let before = topology.trackers;
    topology.onChange(() => {
      this.#meet();
      this.health.watch(this.others());
      const now = topology.trackers;
      const isSame = now.adopted === before.adopted && now.complete === before.complete;
      if (isSame && now.reading === before.reading && now.oldest === before.oldest) return;
      before = now;
      this.health.pingAll();
    });
  }

  stop(): void {
    this.health.stop();
    this.gossip.stop();
    this.changes.stop();
    this.#ballots.stop();
  }

  /** Members that are dialled and pinged, by number, without this node. */
  others(): ReadonlyMap<number, PeerId> {
    const { topology } = this.#belonging;
    const others = new Map<number, PeerId>();
    for (const { id } of topology.members) {
      const number = this.#options.numberOf(id);
      const isOther = id !== topology.selfId && topology.isKnown(id);
      if (number !== undefined && isOther) others.set(number, id);
    }
    return others;
  }

  /** As this node hears it. */
  verdict(id: PeerId): Verdict {
    if (id === this.#belonging.topology.selfId) return 'up';
    return this.health.verdict(this.#options.numberOf(id) ?? -1);
  }

  /** As the members have agreed. */
  gossiped(id: PeerId): Verdict {
    const state = this.gossip.entry(id)?.state;
    if (state === 'suspect') return state;
    return state === 'alive' || id === this.#belonging.topology.selfId ? 'up' : 'down';
  }

  /** A member has said so in a ping. Throws a RedisError if it is one of two under its id. */
  heard(peer: PeerId, { nonce, trackers, sentAfterMs }: Said): void {
    const { topology, keeper } = this.#belonging;
    const nowMs = this.#doors.system.clock.monotonicMs();
    const pair = this.#twins.heard(peer, nonce, sentAfterMs, nowMs);
    if (pair !== undefined) {
      for (const one of pair) this.#twinNonces.add(one);
      this.#doors.system.log.warning('two processes run under one node id', { peer });
    }
    if (this.#twinNonces.has(nonce)) {
      keeper.distrust(peer);
      throw new RedisError(twinRefusal);
    }
    if (!keeper.trusts(peer)) keeper.trust(peer);
    this.nonces.note(peer, nonce);
    topology.heard(peer, trackers);
    if (trackers.adopted > topology.newest.version) this.#lookAt(peer);
  }

  /** There is something to learn of that peer's layouts. */
  #lookAt(peer: PeerId): void {
    this.exchange.catchUp(peer).listen(nothing, nothing);
  }

  /** All that this node had has been handed over. */
  left(): void {
    if (this.standing.refusal !== undefined) return;
    this.gossip.leave();
    this.standing.left();
    this.#doors.system.log.notice('this node has left its ring');
  }

  get #self(): Member {
    const { members, selfId } = this.#belonging.topology;
    return members.find(({ id }) => id === selfId) ?? { ...nobody, id: selfId };
  }

  #entryOf({ id, ...facts }: Member, incarnation: number, nonce: number): Entry {
    return { id, incarnation, state: 'alive', facts, nonce, twins: [] };
  }

  /** Members that gossip does not know yet; those given up, whom it need not look for. */
  #meet(): void {
    const { topology } = this.#belonging;
    for (const member of topology.members) {
      const entry = this.gossip.entry(member.id);
      if (entry === undefined) this.gossip.learn(this.#entryOf(member, 0, 0));
      else if (entry.state === 'left') topology.forget(member.id);
      else if (topology.isRemoved(member.id)) this.gossip.learn({ ...entry, state: 'left' });
    }
    const { id, ...facts } = this.#self;
    const own = this.gossip.entry(id);
    if (own !== undefined && !isSameFacts(own.facts, facts)) this.gossip.say({ facts });
  }

  #gossiped(entry: Entry, before: Entry | undefined): void {
    const { topology, keeper } = this.#belonging;
    const { id, facts, state, twins } = entry;
    for (const nonce of twins) this.#twinNonces.add(nonce);
    if (id === topology.selfId) {
      if (twins.includes(this.#doors.store.bootNonce)) this.#isTwin();
    } else {
      const known = topology.members.find((member) => member.id === id);
      const isNews = entry.incarnation > 0 && known !== undefined && !isSameFacts(known, facts);
      if (isNews && keeper.trusts(id))
        topology.noteMember({ ...facts, id, zone: known.zone, weight: known.weight });
    }
    if (state === 'left') topology.forget(id);
    if (state !== before?.state) this.#options.stateChanged();
  }

  /** Two acceptors of one name could make two layouts of one version. */
  #isTwin(): void {
    this.standing.twin();
    this.#ballots.stop();
  }

  #pingRefused(reason: string): void {
    if (reason !== twinRefusal || this.standing.refusal !== undefined) return;
    this.#isTwin();
    this.gossip.stop();
    this.#doors.system.log.warning('another process runs under this id: writes are refused');
  }

  #lostDisk(name: string): void {
    if (this.standing.refusal !== undefined) return;
    this.standing.lostDisk(name);
    this.#doors.system.log.warning('this node has lost its data: another ring lists its address', {
      name,
    });
  }

  #rememberIncarnation(incarnation: number): void {
    const bootEpoch = Math.floor(incarnation / incarnationsOfBoot);
    if (bootEpoch <= this.#bootEpoch) return;
    this.#bootEpoch = bootEpoch;
    const { store, system } = this.#doors;
    rememberBootEpoch(store, bootEpoch, system).listen(nothing, nothing);
  }
}

const nobody = { name: '', host: '', port: 0, peerPort: 0, zone: '', weight: 1 } as const;

/** Zone and weight are the layout's. */
function isSameFacts(a: Omit<Member, 'id'>, b: Omit<Member, 'id'>): boolean {
  return a.name === b.name && a.host === b.host && a.port === b.port && a.peerPort === b.peerPort;
}
