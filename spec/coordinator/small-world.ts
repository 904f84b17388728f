/**
 * A few nodes with storage, layouts and handlers, and a network that is nothing but calls: for what
 * moves records from one to another. Layouts are given to them; nobody gossips or votes.
 */
import { emptyBytes } from '../../lib/base/bytes.ts';
import { RedisError, StoreError } from '../../lib/base/errors.ts';
import { Deferred, outcomeOf } from '../../lib/base/later.ts';
import { emptyRecord, merge, type Record } from '../../lib/causal/record.ts';
import { DelayLine } from '../../lib/coordinator/delay-line.ts';
import { Filling } from '../../lib/coordinator/filling.ts';
import { Gates } from '../../lib/coordinator/gates.ts';
import { Handoff } from '../../lib/coordinator/handoff.ts';
import { Offload } from '../../lib/coordinator/offload.ts';
import { OperationCounts } from '../../lib/coordinator/operation-counts.ts';
import { OwnerOperations } from '../../lib/coordinator/owner-operations.ts';
import type { Parts, RingSettings } from '../../lib/coordinator/parts.ts';
import { PeerService } from '../../lib/coordinator/peer-service.ts';
import { RingView } from '../../lib/coordinator/ring-view.ts';
import { Throttle } from '../../lib/coordinator/throttle.ts';
import { Transfers } from '../../lib/coordinator/transfers.ts';
import type { Member } from '../../lib/membership/member.ts';
import { readMemory } from '../../lib/membership/ring-rows.ts';
import { Topology } from '../../lib/membership/topology.ts';
import { Locator, type Place } from '../../lib/replica/place.ts';
import { RecordPages } from '../../lib/replica/record-pages.ts';
import { type Change, nextLayout } from '../../lib/ring/changes.ts';
import { type Candidate, firstLayout } from '../../lib/ring/claim.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { slotCount } from '../../lib/ring/slots.ts';
import {
  type Handler,
  PeerError,
  type PeerId,
  type Request,
  type Transport,
} from '../../lib/transport/transport.ts';
import { ReplicaRig } from '../replica/replica-rig.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

const partitions = 16;
const ringKey = Buffer.alloc(32, 7);
const wayMs = 1;
const pingMs = 100;

/** The id of a node, whose name is one hex digit. */
export function idOf(name: string): PeerId {
  return name.repeat(40);
}

export function candidate(name: string): Candidate {
  return { id: idOf(name), weight: 1, zone: '' };
}

export const join = (name: string): Change => ({ kind: 'join', candidate: candidate(name) });

function memberOf(id: PeerId): Member {
  const address = { host: id.slice(0, 1), port: 1, peerPort: 1 };
  return { id, name: id.slice(0, 1), zone: '', weight: 1, ...address };
}

export class SmallWorld {
  readonly time: VirtualTime;
  readonly n: number;
  readonly w: number;
  readonly nodes = new Map<PeerId, SmallNode>();
  readonly down = new Set<PeerId>();
  /** Requests that were handled, by kind. */
  readonly handled: [from: PeerId, to: PeerId, kind: number][] = [];

  private constructor(seed: number, quorum: { n: number; w: number }) {
    this.time = new VirtualTime(seed);
    this.n = quorum.n;
    this.w = quorum.w;
    this.time.timers().every(pingMs, () => this.#pingAll());
  }

  /** Members of the first layout, at rest. */
  static async of(seed: number, names: string, quorum = { n: 3, w: 2 }): Promise<SmallWorld> {
    const world = new SmallWorld(seed, quorum);
    const layout = firstLayout([...names].map(candidate), partitions, quorum.n);
    for (const name of names) await world.#add(name, layout);
    return world;
  }

  node(name: string): SmallNode {
    const node = this.nodes.get(idOf(name));
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** A node that knows the ring and owns nothing. */
  async come(name: string): Promise<void> {
    const [any] = this.nodes.values();
    if (any === undefined) throw new Error('the ring is empty');
    await this.#add(name, any.topology.newest);
  }

  next(...changes: readonly Change[]): Layout {
    const newest = [...this.nodes.values()].map(({ topology }) => topology.newest);
    newest.sort((a, b) => b.version - a.version);
    return nextLayout(newest[0] as Layout, changes, this.n);
  }

  /** These nodes hear that it was agreed; all of those that are there, if none is named. */
  async adopt(layout: Layout, names?: string): Promise<void> {
    const members = layout.members.map(memberOf);
    for (const node of this.nodes.values()) {
      if (names === undefined || names.includes(node.name)) {
        await this.time.run(node.topology.adopt(layout, members));
      }
    }
  }

  /** Until it is true; fails if that takes long. */
  async until(isSo: () => boolean, withinMs = 60_000): Promise<void> {
    for (let waitedMs = 0; !isSo(); waitedMs += pingMs) {
      if (waitedMs > withinMs) throw new Error('it has not come to be');
      await this.time.advance(pingMs);
    }
  }

  isAtRest(): boolean {
    return [...this.nodes.values()].every(
      ({ topology, offload }) => !topology.isChanging && !offload.pending,
    );
  }

  /** All that the nodes hold of a key, merged. */
  async wholeOf(place: Place): Promise<Record> {
    let whole = emptyRecord;
    for (const { rig } of this.nodes.values()) {
      whole = merge(whole, await this.time.run(rig.replica.readRecord(place)));
    }
    return whole;
  }

  async end(): Promise<void> {
    const { nodes, time } = this;
    for (const { filling, offload, handoff, rig } of nodes.values()) {
      await time.run(Promise.all([filling.stop(), offload.stop(), handoff.stop()]));
      await rig.end();
    }
  }

  async #add(name: string, layout: Layout): Promise<void> {
    const rig = await ReplicaRig.started(0, this.time);
    await this.time.run(readMemory(rig.store, this.time.system()));
    this.nodes.set(idOf(name), new SmallNode(this, name, rig, layout));
  }

  /** Everybody tells everybody how far it is. */
  #pingAll(): void {
    const there = [...this.nodes.values()].filter(({ id }) => !this.down.has(id));
    for (const { topology, id } of there) {
      for (const other of there) {
        if (other.id !== id) topology.heard(other.id, other.topology.trackers);
      }
    }
  }
}

export class SmallNode {
  readonly id: PeerId;
  readonly name: string;
  readonly rig: ReplicaRig;
  readonly topology: Topology;
  readonly parts: Parts;
  readonly filling: Filling;
  readonly offload: Offload;
  readonly handoff: Handoff;
  readonly handlers = new Map<number, Handler>();

  constructor(world: SmallWorld, name: string, rig: ReplicaRig, layout: Layout) {
    this.name = name;
    this.id = idOf(name);
    this.rig = rig;
    const system = world.time.system();
    const identity = {
      nodeId: Buffer.from(this.id, 'hex'),
      ringKey,
      clusterName: 'carts',
      partitions,
      databases: 3,
      n: world.n,
    };
    const members = layout.members.map(memberOf);
    const ring = { layouts: [layout], reading: layout.version, pending: [], members };
    const topology = new Topology(rig.store, system, { identity, ring });
    this.topology = topology;
    const view = new RingView(topology, {
      health: {
        verdict: (member) => (world.down.has(view.idOf(member)) ? 'down' : 'up'),
        latencyMs: () => 1,
      },
      takesWrites: () => true,
      gossiped: () => 'up',
    });
    const settings: RingSettings = {
      timeoutMs: 500,
      strict: false,
      limits: { stringBytesMax: 1e6, siblingLimit: 100 },
      quorum: () => ({ n: world.n, r: world.w, w: world.w }),
    };
    this.parts = {
      system,
      store: rig.store,
      transport: transportOf(world, this),
      ring: view,
      replica: rig.replica,
      hints: rig.hints,
      scanner: rig.scanner,
      locator: new Locator(ringKey),
      counts: new OperationCounts(),
      digest: (bytes) => system.hashes.hmacSha256(ringKey, bytes),
      clock: () => rig.clock.last,
      catchUp: () => undefined,
      settings: () => settings,
      throttle: new Throttle(100),
      hedge: new DelayLine(system, () => 80),
      deadline: new DelayLine(system, () => 500),
    };
    const old = () => topology.oldest;
    this.filling = new Filling(this.parts, {
      pending: () => topology.pending,
      filled: (filled) => topology.filled(filled),
      sourcesOf: (partition) => {
        const { n, members: ids, owners } = old();
        const row = Array.from(owners.subarray(partition * n, (partition + 1) * n));
        return row.map((owner) => view.indexOf(ids[owner] ?? '') ?? -1);
      },
      needed: () => old().n - world.w + 1,
    });
    this.offload = new Offload(this.parts, { mayDrop: () => !topology.isChanging });
    this.handoff = new Handoff(this.parts);
    const refuse = (): void => undefined;
    new PeerService(this.parts, new OwnerOperations(this.parts), new Gates(), { refuse }).start();
    new Transfers(this.parts, { databases: 3, barrier: () => undefined }).start();
    this.filling.start();
    this.offload.start();
    this.handoff.start();
  }

  owns(place: Place): boolean {
    return this.parts.ring.isOwner(place.slot);
  }

  read(place: Place): Promise<Record> {
    return this.rig.run(this.rig.replica.readRecord(place));
  }

  absorb(place: Place, record: Record): Promise<Record> {
    return this.rig.run(this.rig.replica.absorb(place, record));
  }

  /** Keys of all that is stored. */
  async stored(): Promise<readonly Buffer[]> {
    const pages = new RecordPages(this.rig.replica, this.rig.store);
    const slots = { from: 0, to: slotCount };
    const page = await this.rig.run(pages.page(undefined, slots, { bytes: 1e9, rows: 1e9 }));
    return page.records.map(({ place }) => place.storageKey);
  }
}

/** Calls that take a moment each way, and fail where one of the two is down. */
function transportOf(world: SmallWorld, node: SmallNode): Transport {
  const timers = world.time.timers();
  const isCut = (peer: PeerId): boolean => world.down.has(node.id) || world.down.has(peer);
  const call = (peer: PeerId, kind: number, body: Buffer): Deferred<Buffer> => {
    const answer = new Deferred<Buffer>();
    const handler = world.nodes.get(peer)?.handlers.get(kind);
    if (handler === undefined || isCut(peer)) {
      answer.fail(new PeerError('unreachable'));
      return answer;
    }
    const back = (tell: () => void): void => {
      timers.after(wayMs, () => (isCut(peer) ? answer.fail(new PeerError('lost')) : tell()));
    };
    const request = { from: node.id, fromHost: node.name, ageMs: 0 };
    timers.after(wayMs, () => {
      if (isCut(peer)) {
        answer.fail(new PeerError('lost'));
        return;
      }
      world.handled.push([node.id, peer, kind]);
      outcomeOf(
        () => served(handler, { ...request, body: Buffer.from(body) }),
        (bytes) => back(() => answer.settle(bytes)),
        (error) => back(() => answer.fail(refusal(error))),
      );
    });
    return answer;
  };
  return {
    port: 1,
    start: async () => undefined,
    stop: async () => undefined,
    handle: (kind, handler) => node.handlers.set(kind, handler),
    dial: () => undefined,
    forget: () => undefined,
    call,
    isConnected: (peer) => !isCut(peer),
    heard: () => 0,
    onConnected: () => undefined,
    onDisconnected: () => undefined,
    onOwnAddress: () => undefined,
  };
}

/** The request's bytes are borrowed for the turn. */
function served(handler: Handler, request: Request): ReturnType<Handler> {
  const answer = handler(request);
  request.body.fill(0xdd);
  return answer ?? emptyBytes;
}

function refusal(error: unknown): unknown {
  if (error instanceof RedisError) return new PeerError('refused', error.message);
  if (error instanceof StoreError) return new PeerError('refused', `STORE ${error.code}`);
  return error;
}
