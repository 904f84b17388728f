/**
 * How a node comes to its ring at start (DESIGN 2.1): it remembers one, or founds one of its own
 * where there are neither data nor seeds, or founds one with its seeds, or waits for theirs. A
 * directory that has data but no readable identity is refused, because founding anew would make all
 * its records unreachable.
 *
 *   remembers nothing, no seeds   a ring of one, whose layout is implied
 *   remembers nothing, seeds      an id of its own, synced; then `gathering.ts`
 *   remembers a ring of several   `keeper.ts`; seeds are only more addresses
 *   remembers a ring of one       refuses seeds: joining comes with a later version
 */
import { assert } from '../base/assert.ts';
import { nothing } from '../base/later.ts';
import { firstLayout } from '../ring/claim.ts';
import type { Layout } from '../ring/layout.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { OpenReport, Store } from '../storage/store.ts';
import type { PeerAddress, Transport } from '../transport/transport.ts';
import { Gathering } from './gathering.ts';
import {
  checkAgainst,
  type Identity,
  IdentityError,
  nodeIdBytes,
  type RingSettings,
  ringKeyBytes,
} from './identity.ts';
import { Introductions } from './introductions.ts';
import { Keeper } from './keeper.ts';
import type { Member } from './member.ts';
import type { MemberFacts } from './member-facts.ts';
import { type RingMembership, readMemory, rememberAlone, rememberNode } from './ring-rows.ts';

export interface FoundingOptions {
  readonly settings: RingSettings;
  readonly isGiven: (directive: string) => boolean;
  readonly seeds: readonly PeerAddress[];
  readonly bootstrap: boolean;
  /**
   * What this node says of itself. An empty name: the first digits of its id. An empty host: the
   * one by which others reach it. Peer port 0: the one that the transport listens on.
   */
  readonly facts: MemberFacts;
}

export interface FoundingDoors {
  readonly system: System;
  /** Needed by nodes that have seeds or are in a ring of several. */
  readonly transport: Transport | undefined;
}

/** The ring of this node. The arrays belong to the founding; entries of moved members change. */
export interface RingState {
  readonly identity: Identity;
  /** members[i].id === layout.members[i] */
  readonly members: readonly Member[];
  readonly layout: Layout;
  /** This node's index. */
  readonly self: number;
}

const tickMs = 1000;
const waitLogMs = 10_000;

/** From the opened store to the ring; then it keeps the members together until `stop`. */
export class Founding {
  readonly #store: Store;
  readonly #doors: FoundingDoors;
  readonly #options: FoundingOptions;
  readonly #timers: Timer[] = [];

  constructor(store: Store, doors: FoundingDoors, options: FoundingOptions) {
    this.#store = store;
    this.#doors = doors;
    this.#options = options;
  }

  /** Fails with an IdentityError where only the operator can help. May wait for other nodes. */
  async establish(report: OpenReport): Promise<RingState> {
    const { settings, seeds, isGiven } = this.#options;
    // The store's own first batch goes to the disk at once: an empty node that misses one after a
    // power cut could not tell whether that was all it had.
    this.#store.sync().listen(nothing, nothing);
    const { identity, ring, nodeId } = await readMemory(this.#store);
    if (identity !== undefined) {
      checkAgainst(identity, settings, isGiven);
      if (ring !== undefined) return this.#rejoin({ identity, ring });
      if (seeds.length === 0) return this.#alone(identity);
      throw new IdentityError(
        'this node has a ring of its own; joining the one of its seeds comes with a later version',
      );
    }
    if (this.#store.records > 0 || report.lost > 0 || ring !== undefined) {
      throw new IdentityError(
        'the data directory has records but no readable identity: restore it, or start empty',
      );
    }
    return seeds.length === 0 ? this.#foundAlone() : this.#gather(nodeId);
  }

  /** Idempotent. What waits for a ring waits in vain. */
  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  async #foundAlone(): Promise<RingState> {
    const { random, log } = this.#doors.system;
    const { settings } = this.#options;
    const nodeId = random.bytes(nodeIdBytes);
    const identity = { ...settings, nodeId, ringKey: random.bytes(ringKeyBytes) };
    await rememberAlone(this.#store, identity, this.#doors.system);
    log.notice('founded a ring', { ...settings, nodeId: nodeId.toString('hex') });
    return this.#alone(identity);
  }

  #alone(identity: Identity): RingState {
    const id = identity.nodeId.toString('hex');
    const { host, ...facts } = this.#factsOf(id);
    return {
      identity,
      members: [{ id, host: host || '127.0.0.1', ...facts }],
      layout: firstLayout([{ id, ...facts }], identity.partitions, 1),
      self: 0,
    };
  }

  async #gather(known: Buffer | undefined): Promise<RingState> {
    const { system } = this.#doors;
    const { settings, isGiven, seeds, bootstrap } = this.#options;
    const nodeId = known ?? system.random.bytes(nodeIdBytes);
    if (known === undefined) await rememberNode(this.#store, nodeId, system);
    const introductions = new Introductions(this.#transport);
    const gathering = new Gathering(this.#store, system, {
      nodeId,
      settings,
      isGiven,
      seeds,
      bootstrap,
      facts: () => this.#factsOf(nodeId.toString('hex')),
      ask: (peer) => introductions.ask(peer),
    });
    introductions.enter(gathering);
    await this.#open(introductions, nodeId);
    const say = (): void => {
      const waitingFor = gathering.waitingFor();
      system.log.notice('waiting for a ring to be founded', { waitingFor, bootstrap });
    };
    say();
    this.#every(waitLogMs, say);
    this.#every(tickMs, () => gathering.refresh());
    const offer = await gathering.done;
    this.stop();
    return this.#keep(this.#keeperOf(offer, introductions), offer, introductions);
  }

  async #rejoin(offer: RingMembership): Promise<RingState> {
    const introductions = new Introductions(this.#transport);
    const keeper = this.#keeperOf(offer, introductions);
    introductions.enter(keeper);
    await this.#open(introductions, offer.identity.nodeId);
    return this.#keep(keeper, offer, introductions);
  }

  async #open(introductions: Introductions, nodeId: Buffer): Promise<void> {
    introductions.listen();
    await this.#transport.start(nodeId);
    for (const seed of this.#options.seeds) this.#transport.dial(seed);
  }

  #keeperOf(offer: RingMembership, introductions: Introductions): Keeper {
    const { seeds } = this.#options;
    const id = offer.identity.nodeId.toString('hex');
    const self = offer.ring.layout.members.indexOf(id);
    assert(self >= 0, 'a node is a member of its ring');
    const doors = { system: this.#doors.system, transport: this.#transport };
    return new Keeper(this.#store, doors, offer, {
      self,
      seeds,
      facts: () => this.#factsOf(id),
      ask: (peer) => introductions.ask(peer),
    });
  }

  #keep(
    keeper: Keeper,
    { identity, ring }: RingMembership,
    introductions: Introductions,
  ): RingState {
    keeper.start();
    introductions.enter(keeper);
    this.#every(tickMs, () => keeper.refresh());
    return { identity, members: keeper.members, layout: ring.layout, self: keeper.self };
  }

  #factsOf(id: string): MemberFacts {
    const { facts } = this.#options;
    return {
      ...facts,
      name: facts.name || id.slice(0, 8),
      peerPort: facts.peerPort || (this.#doors.transport?.port ?? 0),
    };
  }

  #every(periodMs: number, run: () => void): void {
    this.#timers.push(this.#doors.system.timers.every(periodMs, run));
  }

  get #transport(): Transport {
    const { transport } = this.#doors;
    assert(transport !== undefined, 'a ring of several needs a transport');
    return transport;
  }
}
