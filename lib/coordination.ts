/**
 * Who coordinates: in a ring of one member the replica itself, in a ring of several everything that
 * it takes to speak for N of them. Both are the same to the commands above.
 */
import { RedisError } from './base/errors.ts';
import type { Later } from './base/later.ts';
import type { StampClock } from './causal/stamp-clock.ts';
import type { MemberView, Ports, Ring } from './commands/ports.ts';
import { type Config, databaseQuorums } from './config.ts';
import type { Coordinator } from './coordinator/coordinator.ts';
import { DelayLine } from './coordinator/delay-line.ts';
import { GatedCoordinator } from './coordinator/gated-coordinator.ts';
import { Gates } from './coordinator/gates.ts';
import { Handoff } from './coordinator/handoff.ts';
import { LocalCoordinator } from './coordinator/local-coordinator.ts';
import type { OperationCounts } from './coordinator/operation-counts.ts';
import { OwnerOperations } from './coordinator/owner-operations.ts';
import type { Parts, Quorum, RingSettings } from './coordinator/parts.ts';
import { peerKinds } from './coordinator/peer-kinds.ts';
import { PeerService } from './coordinator/peer-service.ts';
import { Pings } from './coordinator/pings.ts';
import { RingCoordinator } from './coordinator/ring-coordinator.ts';
import { RingView } from './coordinator/ring-view.ts';
import { Throttle } from './coordinator/throttle.ts';
import type { RingState } from './membership/founding.ts';
import { Nonces } from './membership/nonces.ts';
import { PeerHealth } from './membership/peer-health.ts';
import type { HintStore } from './replica/hint-store.ts';
import { Locator } from './replica/place.ts';
import type { Replica } from './replica/replica.ts';
import type { Scanner } from './replica/scanner.ts';
import { partitionsOf } from './ring/preference-list.ts';
import type { System } from './runtime/ports.ts';
import type { Store } from './storage/store.ts';
import { PeerError, type Transport } from './transport/transport.ts';

/** What both kinds are made of. */
export interface Foundation {
  readonly system: System;
  readonly config: Config;
  readonly store: Store;
  readonly clock: StampClock;
  readonly replica: Replica;
  readonly scanner: Scanner;
  readonly hints: HintStore;
  readonly operations: OperationCounts;
  readonly state: RingState;
}

export interface Coordination {
  readonly coordinator: Coordinator;
  readonly ports: Pick<Ports, 'ring' | 'severalMembers' | 'delegate'>;
  /** This node against its peers, ms. */
  clockOffsetMs(): number;
  membersUp(): number;
  /**
   * Settles once somebody remembers the process that left a marker of a clean stop; one that is
   * alone vouches for itself.
   */
  vouchFor(bootNonce: number): Later<void>;
  /** Serves peers; settles once those that are there are known to be, or after a moment. */
  start(serve: (batch: Buffer) => Later<Buffer>): Promise<void>;
  stop(): Promise<void>;
}

export function coordinate(foundation: Foundation, transport: Transport | undefined): Coordination {
  const isAlone = foundation.state.members.length === 1 || transport === undefined;
  return isAlone ? alone(foundation) : amongPeers(foundation, transport);
}

function alone(foundation: Foundation): Coordination {
  const { system, config, store, replica, scanner, operations, state } = foundation;
  const { ringKey, partitions } = state.identity;
  const settings = followSettings(config, state);
  const local = new LocalCoordinator(replica, scanner, operations, {
    nodeName: state.members[state.self]?.name ?? '',
    partitions,
    locator: new Locator(ringKey),
    digest: (bytes) => system.hashes.hmacSha256(ringKey, bytes),
    tally: (index) => store.tally(index),
    limits: () => settings().limits,
  });
  const coordinator = new GatedCoordinator(local, new Gates(), {
    batched: local,
    settled: () => new Promise((settle) => replica.onIdle(() => settle())),
  });
  return {
    coordinator,
    ports: {
      ring: () => ringOf(state, () => 'up'),
      severalMembers: false,
      delegate: () => {
        throw new RedisError('CLUSTERDOWN this ring has no other member');
      },
    },
    clockOffsetMs: () => 0,
    membersUp: () => 1,
    vouchFor: () => undefined,
    start: async () => undefined,
    stop: async () => undefined,
  };
}

/** Operations of clients under way at once at one node. */
const operationsMax = 512;
/** Milliseconds after which a healthy node has answered. */
const hedgeMs = 80;

function amongPeers(foundation: Foundation, transport: Transport): Coordination {
  const { system, config, store, clock, replica, state } = foundation;
  const { identity, self, members } = state;
  const settings = followSettings(config, state);
  const ids = members.map(({ id }) => id);
  const nonces = new Nonces(transport, store.bootNonce, ids);
  const pings = new Pings(replica, system.clock, {
    bootNonce: store.bootNonce,
    databases: identity.databases,
    heardNonce: (member, nonce) => nonces.note(ids[member] ?? '', nonce),
  });
  const health = new PeerHealth(transport, system, ids, {
    self,
    ping: () => pings.body(),
    onPing: (member, body) => pings.hear(member, body),
  });
  const ring = new RingView(state, health, () => store.state !== 'fenced');
  const parts: Parts = {
    ...foundation,
    transport,
    ring,
    settings,
    counts: foundation.operations,
    locator: new Locator(identity.ringKey),
    digest: (bytes) => system.hashes.hmacSha256(identity.ringKey, bytes),
    clock: () => clock.last,
    throttle: new Throttle(operationsMax),
    hedge: new DelayLine(system, () => hedgeMs),
    deadline: new DelayLine(system, () => settings().timeoutMs),
  };
  const here = new OwnerOperations(parts);
  const gates = new Gates();
  const service = new PeerService(parts, here, gates);
  const handoff = new Handoff(parts);
  const coordinator = new GatedCoordinator(
    new RingCoordinator(parts, here, { repeats: true }),
    gates,
    {
      batched: new RingCoordinator(parts, here, { repeats: false }),
      settled: (db, keys) => here.settled(keys.map((key) => parts.locator.locate(db, key))),
    },
  );
  return {
    coordinator,
    ports: {
      ring: () => ringOf(state, (member) => ring.verdict(member)),
      severalMembers: true,
      delegate: (peer, body) => delegate(parts, peer, body),
    },
    clockOffsetMs: () => pings.clockOffsetMs,
    membersUp: () => members.filter((_, member) => ring.verdict(member) === 'up').length,
    vouchFor: (bootNonce) => nonces.remembers(bootNonce),
    start: async (serve) => {
      service.start();
      nonces.start();
      transport.handle(peerKinds.delegate, ({ body }) => serve(body));
      health.onUp((member) => handoff.isBack(member));
      health.start();
      handoff.start();
      warnOfFewMembers(foundation, settings());
      await firstVerdicts(system, () => members.every((_, member) => !ring.isDown(member)));
    },
    stop: async () => {
      health.stop();
      // What is under way to a silent peer ends with the links, not with its deadline.
      const handedOver = handoff.stop();
      await transport.stop();
      await handedOver;
    },
  };
}

/** Clients are served once the others have had so long to say that they are there. */
const firstVerdictsMs = 500;
const lookMs = 10;

function firstVerdicts(system: System, isComplete: () => boolean): Promise<void> {
  const endAtMs = system.clock.monotonicMs() + firstVerdictsMs;
  return new Promise((settle) => {
    const look = (): void => {
      if (isComplete() || system.clock.monotonicMs() >= endAtMs) settle();
      else system.timers.after(lookMs, look);
    };
    look();
  });
}

function warnOfFewMembers({ state, system }: Foundation, settings: RingSettings): void {
  const { n, r, w } = settings.quorum(0);
  if (state.members.length > 2 || (r < n && w < n)) return;
  system.log.warning(
    'with two members, R or W of 2 means that one death stops quorum requests; ' +
      "'quorum 2 1 1' goes on with one",
    { n, r, w },
  );
}

/** Commands of one batch wait for each other where they touch one key. */
const roundsOfBatch = 4;

/** Runs a client's batch at the node that owns its keys (DESIGN 2.3). */
function delegate(
  { transport, settings, counts }: Parts,
  peer: string,
  body: Buffer,
): Later<Buffer> {
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

/** Asked for with every operation, so the directives are read when they change. */
function followSettings(config: Config, { layout }: RingState): () => RingSettings {
  const read = (): RingSettings => {
    const [, r = 1, w = 1] = config.text('quorum').split(' ').map(Number);
    const usual = capped({ r, w }, layout.n);
    const byDb = new Map(
      [...databaseQuorums(config)].map(([db, quorum]) => [db, capped(quorum, layout.n)]),
    );
    return {
      timeoutMs: config.number('request-timeout-ms'),
      strict: config.flag('quorum-strict'),
      limits: {
        stringBytesMax: config.number('proto-max-bulk-len'),
        siblingLimit: config.number('sibling-limit'),
      },
      quorum: (db) => byDb.get(db) ?? usual,
    };
  };
  let settings = read();
  const names = ['request-timeout-ms', 'quorum-strict', 'proto-max-bulk-len', 'sibling-limit'];
  for (const name of names) {
    config.onChange(name, () => {
      settings = read();
    });
  }
  return () => settings;
}

/** R and W are capped by N, and N by the members. */
function capped({ r, w }: Pick<Quorum, 'r' | 'w'>, n: number): Quorum {
  return { n, r: Math.min(r, n), w: Math.min(w, n) };
}

function ringOf(
  { identity, members, layout, self }: RingState,
  stateOf: (member: number) => MemberView['state'],
): Ring {
  const { owned, first } = partitionsOf(layout);
  return {
    version: layout.version,
    transition: 0,
    selfId: identity.nodeId.toString('hex'),
    members: members.map((member, index) => ({
      ...member,
      state: index === self ? 'up' : stateOf(index),
      partitions: owned[index] ?? 0,
      first: first[index] ?? 0,
      pending: 0,
    })),
  };
}
