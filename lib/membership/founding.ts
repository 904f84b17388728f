/**
 * How a node comes to its ring at start (DESIGN 2.1): it remembers one, or founds one of its own
 * where there are neither data nor seeds, or founds one with its seeds, or joins theirs. A
 * directory that has data but no readable identity is refused, because founding anew would make all
 * its records unreachable.
 *
 *   remembers nothing, no seeds   a ring of one
 *   remembers nothing, seeds      an id of its own, synced; then `gathering.ts`
 *   remembers a ring              `keeper.ts`; seeds are only more addresses
 */
import { assert } from '../base/assert.ts';
import { RedisError } from '../base/errors.ts';
import { type Deferred, nothing } from '../base/later.ts';
import { firstLayout } from '../ring/claim.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { OpenReport, Store } from '../storage/store.ts';
import {
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../transport/transport.ts';
import { Gathering } from './gathering.ts';
import {
  checkAgainst,
  type Identity,
  IdentityError,
  nodeIdBytes,
  type RingSettings,
  ringDirectives,
  ringKeyBytes,
} from './identity.ts';
import { encodeJoin, type JoinRequest } from './introduction.ts';
import { Introductions } from './introductions.ts';
import { hostOfAlone, Keeper } from './keeper.ts';
import type { MemberFacts } from './member-facts.ts';
import { membershipKinds } from './peer-kinds.ts';
import {
  forgetRing,
  type Memory,
  type RingMembership,
  type RingTable,
  readMemory,
  rememberAlone,
  rememberNode,
} from './ring-rows.ts';
import { addressesOf, nameOfAddress } from './seeds.ts';
import { Topology } from './topology.ts';

export interface FoundingOptions {
  readonly settings: RingSettings;
  readonly isGiven: (directive: string) => boolean;
  readonly seeds: readonly PeerAddress[];
  readonly bootstrap: boolean;
  /** Name or id of the dead member whose place to take; empty: none. */
  readonly replace: string;
  /**
   * What this node says of itself. An empty name: the first digits of its id. An empty host: the
   * one by which others reach it. Peer port 0: the one that the transport listens on.
   */
  readonly facts: MemberFacts;
}

export interface FoundingDoors {
  readonly system: System;
  readonly transport: Transport;
}

/** The ring of this node, and who keeps it together. */
export interface Belonging {
  readonly topology: Topology;
  readonly keeper: Keeper;
}

const tickMs = 1000;
const waitLogMs = 10_000;
const joinTimeoutMs = 2000;

/** From the opened store to the ring; then it keeps the members together until `stop`. */
export class Founding {
  readonly #store: Store;
  readonly #doors: FoundingDoors;
  readonly #options: FoundingOptions;
  readonly #introductions: Introductions;
  readonly #timers: Timer[] = [];
  #belonging: Belonging | undefined;

  constructor(store: Store, doors: FoundingDoors, options: FoundingOptions) {
    this.#store = store;
    this.#doors = doors;
    this.#options = options;
    this.#introductions = new Introductions(doors.transport);
  }

  /** Fails with an IdentityError where only the operator can help. May wait for other nodes. */
  async establish(report: OpenReport): Promise<Belonging> {
    const { settings, isGiven } = this.#options;
    // The store's own first batch goes to the disk at once: an empty node that misses one after a
    // power cut could not tell whether that was all it had.
    this.#store.sync().listen(nothing, nothing);
    const memory = await readMemory(this.#store, this.#doors.system);
    const { identity, ring } = memory;
    if (identity !== undefined) {
      checkAgainst(identity, settings, isGiven);
      return this.#rejoin({ identity, ring: ring ?? (await this.#upgrade(identity)) });
    }
    if (this.#store.records > 0 || report.lost > 0 || ring !== undefined) {
      throw new IdentityError(
        'the data directory has records but no readable identity: restore it, or start empty',
      );
    }
    const seeds = [...this.#options.seeds, ...addressesOf(memory.joining ?? '')];
    if (seeds.length > 0) return this.#gather(memory, seeds);
    if (this.#options.replace === '') return this.#foundAlone();
    throw new IdentityError("'replace-node' needs seeds: members of the ring to join");
  }

  /**
   * Has this empty node ask the ring of which a member is at that address to let it in, and forgets
   * the ring of its own: the next process joins. Fails with a RedisError, and nothing has changed.
   */
  async joinAnother(address: PeerAddress): Promise<void> {
    const { topology } = this.#belonging ?? {};
    assert(topology !== undefined, 'a node that takes commands has a ring');
    if (!topology.isAlone) throw new RedisError('ERR this node is a member of a ring already');
    if (this.#store.records > 0) throw new RedisError('ERR node is not empty');
    const name = nameOfAddress(address);
    const isOwn = name === nameOfAddress({ host: this.#ownHost, port: this.#doors.transport.port });
    if (isOwn) throw new RedisError(`ERR ${name} is this node`);
    const peer = await this.#introductions.find(address, this.#doors.system);
    if (peer === undefined) throw new RedisError(`ERR no node of this cluster-name at ${name}`);
    const { settings, isGiven, replace } = this.#options;
    const given = ringDirectives.filter((directive) => isGiven(directive));
    const facts = this.#factsOf(topology.selfId);
    const request = { id: topology.selfId, facts, settings, given, replace };
    await this.#join(peer, request).then(undefined, (error: unknown) => {
      if (!(error instanceof PeerError)) throw error;
      throw new RedisError(error.code === 'refused' ? error.message : `ERR ${error.message}`);
    });
    await forgetRing(this.#store, name, this.#doors.system);
  }

  get #ownHost(): string {
    return this.#options.facts.host || hostOfAlone;
  }

  #join(peer: PeerId, request: JoinRequest): Deferred<unknown> {
    const body = encodeJoin(request);
    return this.#doors.transport.call(peer, membershipKinds.join, body, joinTimeoutMs);
  }

  /** Idempotent. What waits for a ring waits in vain. */
  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  async #foundAlone(): Promise<Belonging> {
    const { random, log } = this.#doors.system;
    const { settings } = this.#options;
    const nodeId = random.bytes(nodeIdBytes);
    const identity = { ...settings, nodeId, ringKey: random.bytes(ringKeyBytes) };
    const ring = await this.#upgrade(identity);
    log.notice('founded a ring', { ...settings, nodeId: nodeId.toString('hex') });
    return this.#rejoin({ identity, ring });
  }

  /** The first version left the table of a ring of one to be inferred. */
  async #upgrade(identity: Identity): Promise<RingTable> {
    const id = identity.nodeId.toString('hex');
    const { host, ...facts } = this.#factsOf(id);
    const layout = firstLayout([{ id, ...facts }], identity.partitions, 1);
    const members = [{ id, host: host || hostOfAlone, ...facts }];
    const ring = { layouts: [layout], reading: layout.version, pending: [], members };
    await rememberAlone(this.#store, { identity, ring }, this.#doors.system);
    return ring;
  }

  async #gather({ nodeId: known }: Memory, seeds: readonly PeerAddress[]): Promise<Belonging> {
    const { system } = this.#doors;
    const { settings, isGiven, bootstrap, replace } = this.#options;
    const nodeId = known ?? system.random.bytes(nodeIdBytes);
    if (known === undefined) await rememberNode(this.#store, nodeId, system);
    const introductions = this.#introductions;
    const gathering = new Gathering(this.#store, system, {
      nodeId,
      settings,
      isGiven,
      seeds,
      bootstrap,
      replace,
      facts: () => this.#factsOf(nodeId.toString('hex')),
      ask: (peer) => introductions.ask(peer),
      join: (peer, request) => this.#join(peer, request),
    });
    introductions.enter(gathering);
    await this.#open(nodeId, seeds);
    const say = (): void => {
      const waitingFor = gathering.waitingFor();
      system.log.notice('waiting for a ring', { waitingFor, bootstrap });
    };
    say();
    this.#every(waitLogMs, say);
    this.#every(tickMs, () => gathering.refresh());
    const offer = await gathering.done;
    this.stop();
    return this.#keep(offer);
  }

  async #rejoin(membership: RingMembership): Promise<Belonging> {
    const belonging = this.#belong(membership);
    this.#introductions.enter(belonging.keeper);
    await this.#open(membership.identity.nodeId, this.#options.seeds);
    return this.#start(belonging);
  }

  #keep(membership: RingMembership): Belonging {
    const belonging = this.#start(this.#belong(membership));
    this.#introductions.enter(belonging.keeper);
    return belonging;
  }

  async #open(nodeId: Buffer, seeds: readonly PeerAddress[]): Promise<void> {
    const { transport } = this.#doors;
    this.#introductions.listen();
    await transport.start(nodeId);
    for (const seed of seeds) transport.dial(seed);
  }

  #belong(membership: RingMembership): Belonging {
    const { system } = this.#doors;
    const { seeds } = this.#options;
    const topology = new Topology(this.#store, system, membership);
    assert(
      topology.members.some(({ id }) => id === topology.selfId),
      'a node is a member of its ring',
    );
    const keeper = new Keeper(this.#doors, topology, {
      seeds,
      facts: () => this.#factsOf(topology.selfId),
      ask: (peer) => this.#introductions.ask(peer),
    });
    return { topology, keeper };
  }

  #start(belonging: Belonging): Belonging {
    belonging.keeper.start();
    this.#belonging = belonging;
    this.#every(tickMs, () => belonging.keeper.refresh());
    return belonging;
  }

  #factsOf(id: string): MemberFacts {
    const { facts } = this.#options;
    return {
      ...facts,
      name: facts.name || id.slice(0, 8),
      peerPort: facts.peerPort || this.#doors.transport.port,
    };
  }

  #every(periodMs: number, run: () => void): void {
    this.#timers.push(this.#doors.system.timers.every(periodMs, run));
  }
}
