/**
 * Everything that it takes to speak for N members: who is there, who owns what, what goes to whom,
 * and what moves when that changes. In a ring of one the replica itself coordinates, which is
 * faster and the same to the commands above; the ring takes over the moment another member is let
 * in, and gives back when the last other has left.
 */
import { RedisError } from './base/errors.ts';
import type { Later } from './base/later.ts';
import type { StampClock } from './causal/stamp-clock.ts';
import type { Ring } from './commands/ports.ts';
import type { Config } from './config.ts';
import type { Coordinator } from './coordinator/coordinator.ts';
import { DelayLine } from './coordinator/delay-line.ts';
import { type Gated, GatedCoordinator } from './coordinator/gated-coordinator.ts';
import { Gates } from './coordinator/gates.ts';
import { LocalCoordinator } from './coordinator/local-coordinator.ts';
import { Movement } from './coordinator/movement.ts';
import type { OperationCounts } from './coordinator/operation-counts.ts';
import { keysInSlot, OwnSlots } from './coordinator/own-slots.ts';
import { OwnerOperations } from './coordinator/owner-operations.ts';
import type { Parts, RingSettings } from './coordinator/parts.ts';
import { peerKinds } from './coordinator/peer-kinds.ts';
import { PeerService } from './coordinator/peer-service.ts';
import { Pings } from './coordinator/pings.ts';
import { RingCoordinator } from './coordinator/ring-coordinator.ts';
import { RingView } from './coordinator/ring-view.ts';
import { SlotMaps } from './coordinator/slot-maps.ts';
import { Throttle } from './coordinator/throttle.ts';
import type { Belonging } from './membership/founding.ts';
import { Membership } from './membership/membership.ts';
import type { HintStore } from './replica/hint-store.ts';
import { Locator } from './replica/place.ts';
import type { Replica } from './replica/replica.ts';
import type { Scanner } from './replica/scanner.ts';
import type { SlotCounts } from './replica/slot-counts.ts';
import { followSettings, leastW } from './ring-settings.ts';
import { ringStatus } from './ring-status.ts';
import type { System, Timer } from './runtime/ports.ts';
import type { Store } from './storage/store.ts';
import { PeerError, type PeerId, type Transport } from './transport/transport.ts';

export interface Foundation {
  readonly system: System;
  readonly config: Config;
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: StampClock;
  readonly replica: Replica;
  readonly scanner: Scanner;
  readonly hints: HintStore;
  readonly operations: OperationCounts;
  readonly belonging: Belonging;
  /** Where the node shows itself as a Redis Cluster. */
  readonly slotCounts: SlotCounts | undefined;
}

/** Operations of clients under way at once at one node. */
const operationsMax = 512;
/** Milliseconds after which a healthy node has answered. */
const hedgeMs = 80;
/** Clients are served once the others have had so long to say that they are there. */
const firstVerdictsMs = 500;
const lookMs = 10;
const leavePeriodMs = 500;
/** Commands of one batch wait for each other where they touch one key. */
const roundsOfBatch = 4;

export class Coordination {
  readonly coordinator: GatedCoordinator;
  readonly membership: Membership;
  readonly slotMaps: SlotMaps;
  readonly #foundation: Foundation;
  readonly #parts: Parts;
  readonly #pings: Pings;
  readonly #service: PeerService;
  readonly #movement: Movement;
  readonly #ways: { readonly alone: Gated; readonly amongPeers: Gated };
  #isAlone: boolean;
  #timer: Timer | undefined;

  static async create(foundation: Foundation): Promise<Coordination> {
    const { belonging } = foundation;
    const view: { ring: RingView | undefined; pings: Pings | undefined } = {
      ring: undefined,
      pings: undefined,
    };
    const membership = await Membership.create(foundation, belonging, {
      ping: () => view.pings?.body() ?? Buffer.alloc(0),
      onPing: (member, body, sentAfterMs) => view.pings?.hear(member, body, sentAfterMs),
      numberOf: (id) => view.ring?.indexOf(id),
      stateChanged: () => view.ring?.changed(),
    });
    view.ring = new RingView(belonging.topology, {
      health: membership.health,
      takesWrites: () => foundation.store.state !== 'fenced',
      gossiped: (id) => membership.gossiped(id),
    });
    const { ring } = view;
    view.pings = new Pings(foundation.replica, foundation.system.clock, {
      bootNonce: foundation.store.bootNonce,
      databases: belonging.topology.identity.databases,
      trackers: () => belonging.topology.trackers,
      heard: (member, said) => membership.heard(ring.idOf(member), said),
    });
    return new Coordination(foundation, membership, ring, view.pings);
  }

  private constructor(
    foundation: Foundation,
    membership: Membership,
    ring: RingView,
    pings: Pings,
  ) {
    const { topology } = foundation.belonging;
    this.#foundation = foundation;
    this.membership = membership;
    this.#pings = pings;
    this.#parts = partsOf(foundation, membership, ring);
    this.slotMaps = new SlotMaps(ring);
    const parts = this.#parts;
    const here = new OwnerOperations(parts);
    const gates = new Gates();
    this.#service = new PeerService(parts, here, gates, {
      refuse: (from, of) => this.#refuse(from, of),
    });
    this.#movement = new Movement(parts, topology, { leastW: () => leastW(foundation.config) });
    this.#ways = this.#makeWays(here);
    this.#isAlone = topology.isAlone;
    this.coordinator = new GatedCoordinator(gates, this.#way);
    topology.onChange(() => this.#follow());
  }

  /** Whether operations may take the time of a network. */
  get severalMembers(): boolean {
    return !this.#isAlone;
  }

  /** This node against its peers, ms. */
  get clockOffsetMs(): number {
    return this.#pings.clockOffsetMs;
  }

  get membersUp(): number {
    const { ring } = this.#parts;
    return ring.active.filter((member) => ring.verdict(member) === 'up').length;
  }

  /** As DYN.RING shows it. */
  ring(): Ring {
    const { topology } = this.#foundation.belonging;
    return ringStatus(this.#parts.ring, topology, this.membership.gossip);
  }

  /** What this node holds of a slot of database 0, for cluster clients. */
  keysInSlot(slot: number): Later<number> {
    const { slotCounts, scanner } = this.#foundation;
    return slotCounts === undefined ? 0 : keysInSlot(slotCounts, scanner, slot);
  }

  /**
   * Settles once somebody remembers the process that left a marker of a clean stop; one that is
   * alone vouches for itself.
   */
  vouchFor(bootNonce: number): Later<void> {
    if (this.#isAlone) return undefined;
    const others = [...this.membership.others().values()];
    return this.membership.nonces.remembers(bootNonce, others);
  }

  /** Runs a client's batch at the node that owns its keys (DESIGN 2.3). */
  delegate(peer: PeerId, body: Buffer): Later<Buffer> {
    const { transport, settings, counts } = this.#parts;
    counts.forwards += 1;
    return transport
      .call(peer, peerKinds.delegate, body, settings().timeoutMs * roundsOfBatch)
      .then(undefined, (error: unknown) => {
        if (!(error instanceof PeerError)) throw error;
        if (error.code === 'refused') throw new RedisError(error.message);
        const code = error.wasSent ? 'UNCERTAIN' : 'CLUSTERDOWN';
        throw new RedisError(`${code} the coordinator of these keys: ${error.message}`);
      });
  }

  /** Serves peers; settles once those that are there are known to be, or after a moment. */
  async start(serve: (batch: Buffer) => Later<Buffer>): Promise<void> {
    const { transport, system } = this.#foundation;
    const { ring, settings } = this.#parts;
    this.#service.start();
    transport.handle(peerKinds.delegate, ({ from, body }) => {
      this.#refuse(from, 'write');
      return serve(body);
    });
    this.membership.health.onUp((member) => {
      ring.changed();
      this.#movement.isBack(member);
    });
    this.membership.health.onDown(() => ring.changed());
    this.membership.start();
    this.#movement.start();
    this.#timer = system.timers.every(leavePeriodMs, () => this.#leaveWhenDone());
    this.#warnOfFewMembers(settings());
    await this.#firstVerdicts();
  }

  async stop(): Promise<void> {
    const { transport } = this.#foundation;
    this.#timer?.cancel();
    this.membership.stop();
    // What is under way to a silent peer ends with the links, not with its deadline.
    const ended = this.#movement.stop();
    await transport.stop();
    await ended;
  }

  get #way(): Gated {
    return this.#isAlone ? this.#ways.alone : this.#ways.amongPeers;
  }

  #makeWays(here: OwnerOperations): { readonly alone: Gated; readonly amongPeers: Gated } {
    const parts = this.#parts;
    const { replica, locator, settings } = parts;
    const { slotCounts } = this.#foundation;
    const { topology } = this.#foundation.belonging;
    const ownSlots = slotCounts && new OwnSlots(this.slotMaps, slotCounts);
    const local = new LocalCoordinator(replica, parts.scanner, parts.counts, {
      nodeName: () => parts.ring.nameOf(parts.ring.self),
      layout: () => parts.ring.version,
      partitions: topology.identity.partitions,
      locator,
      digest: parts.digest,
      tally: (index) => parts.store.tally(index),
      limits: () => settings().limits,
      isAlone: () => this.#isAlone,
    });
    const amongPeers = (repeats: boolean): Coordinator =>
      new RingCoordinator(parts, here, { repeats, ownSlots });
    return {
      alone: {
        inside: local,
        batched: local,
        settled: () => new Promise((settle) => replica.onIdle(() => settle())),
      },
      amongPeers: {
        inside: amongPeers(true),
        batched: amongPeers(false),
        settled: (db, keys) => here.settled(keys.map((key) => locator.locate(db, key))),
      },
    };
  }

  /** The layouts, or how far somebody is with them, are others now. */
  #follow(): void {
    const { topology } = this.#foundation.belonging;
    if (topology.isAlone === this.#isAlone) return;
    this.#isAlone = topology.isAlone;
    this.coordinator.turnTo(this.#way);
  }

  #refuse(from: PeerId, of: 'read' | 'write'): void {
    const { topology } = this.#foundation.belonging;
    const isMember = this.#parts.ring.indexOf(from) !== undefined && !topology.isRemoved(from);
    if (!isMember) throw new RedisError('ERR you are no member of this ring');
    if (this.membership.exchange.conflictsWith(from)) {
      throw new RedisError('CLUSTERDOWN this node goes by another layout of that version');
    }
    const { refusal } = this.membership.standing;
    if (refusal?.of === 'everything' || (refusal !== undefined && of === 'write')) {
      throw new RedisError(refusal.text);
    }
  }

  #leaveWhenDone(): void {
    const { topology } = this.#foundation.belonging;
    const isOut = !topology.isChanging && !topology.isActive(topology.selfId);
    if (isOut && !this.#movement.isPending) this.membership.left();
  }

  #firstVerdicts(): Promise<void> {
    const { ring } = this.#parts;
    const { system } = this.#foundation;
    const endAtMs = system.clock.monotonicMs() + firstVerdictsMs;
    return new Promise((settle) => {
      const look = (): void => {
        const isComplete = ring.active.every((member) => !ring.isDown(member));
        if (isComplete || system.clock.monotonicMs() >= endAtMs) settle();
        else system.timers.after(lookMs, look);
      };
      look();
    });
  }

  #warnOfFewMembers(settings: RingSettings): void {
    const { n, r, w } = settings.quorum(0);
    if (this.#parts.ring.active.length !== 2 || (r < n && w < n)) return;
    this.#foundation.system.log.warning(
      'with two members, R or W of 2 means that one death stops quorum requests; ' +
        "'quorum 2 1 1' goes on with one",
      { n, r, w },
    );
  }
}

function partsOf(foundation: Foundation, membership: Membership, ring: RingView): Parts {
  const { system, config, replica, operations, belonging } = foundation;
  const { ringKey } = belonging.topology.identity;
  const settings = followSettings(config, ring);
  return {
    ...foundation,
    ring,
    settings,
    counts: operations,
    locator: new Locator(ringKey),
    digest: (bytes) => system.hashes.hmacSha256(ringKey, bytes),
    clock: () => replica.peerStamps.credible,
    catchUp: (member) => membership.exchange.catchUp(ring.idOf(member)),
    throttle: new Throttle(operationsMax),
    hedge: new DelayLine(system, () => hedgeMs),
    deadline: new DelayLine(system, () => settings().timeoutMs),
  };
}
