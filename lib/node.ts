/**
 * One node, whole: what it is made of and in which order it starts. The real doors come from
 * `main.ts`, simulated ones from `spec/sim`; everything in between is the same.
 */
import { outcomeOf } from './base/later.ts';
import { contextCodec } from './causal/context.ts';
import { StampClock } from './causal/stamp-clock.ts';
import type { Dispatch } from './commands/dispatch.ts';
import { Dispatcher } from './commands/dispatcher.ts';
import type {
  RingChanges as Changes,
  Clients,
  Ports,
  ProcessView,
  Traffic,
} from './commands/ports.ts';
import { type Config, checkDatabaseQuorums } from './config.ts';
import { Coordination } from './coordination.ts';
import { OperationCounts } from './coordinator/operation-counts.ts';
import { type Anatomy, dynamoFields, persistenceFields } from './dynamo-info.ts';
import { type Belonging, Founding } from './membership/founding.ts';
import { foundingOptions } from './peer-options.ts';
import { census } from './replica/census.ts';
import { FlushStamps, flushMetaName, reclaimedMetaName } from './replica/flush-stamps.ts';
import { HintStore } from './replica/hint-store.ts';
import { KeyFilter } from './replica/key-filter.ts';
import { Replica } from './replica/replica.ts';
import { Scanner } from './replica/scanner.ts';
import { SlotCounts } from './replica/slot-counts.ts';
import { Sweeper } from './replica/sweeper.ts';
import type { System } from './runtime/ports.ts';
import type { Appendfsync } from './storage/group-commit.ts';
import { readMeta } from './storage/meta.ts';
import type { Storage } from './storage/storage.ts';
import { type OpenReport, Store } from './storage/store.ts';
import type { Transport } from './transport/transport.ts';

export interface Doors {
  readonly system: System;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly clients: Clients;
  readonly traffic: Traffic;
  readonly version: string;
  process(): ProcessView;
  /** A client asked for SHUTDOWN. */
  shutdown(): void;
  /** Stops this node and starts another one on what it leaves; settles once that has its ring. */
  restart(): Promise<void>;
}

export interface Node {
  readonly dispatch: Dispatch;
  /** Settles when the background check of the storage is through. */
  readonly verified: PromiseLike<unknown>;
  stop(): Promise<void>;
}

export async function createNode(config: Config, doors: Doors): Promise<Node> {
  const { system, storage, transport } = doors;

  const clock = new StampClock(0);
  const filter = new KeyFilter();
  const slotCounts = config.flag('cluster-enabled') ? new SlotCounts() : undefined;
  let takeBack = (): void => {};
  let reopened = (): void => {};
  const store = new Store(storage, system, {
    appendfsync: appendfsyncOf(config),
    lastStamp: () => clock.last,
    census: (snapshot) => census(snapshot, filter, slotCounts),
    onFence: () => takeBack(),
    onReopened: () => reopened(),
  });
  const report = await store.open();
  clock.lift(report.ceiling);
  const founding = new Founding(store, { system, transport }, foundingOptions(config));
  const belonging = await belong({ founding, store, transport }, report, config);
  const { topology } = belonging;
  const { databases, ringKey } = topology.identity;

  const replica = new Replica(store, system, clock, {
    databases,
    filter,
    cacheBytes: recordCacheBytes(config.number('cache-bytes')),
    slotCounts,
  });
  replica.restoreFlushed(await flushStamps(store, flushMetaName, databases));
  takeBack = () => replica.takeBack();
  reopened = () => replica.reopened();
  const hints = new HintStore(replica, store, system, {
    hintQuotaBytes: () => config.number('hint-quota-bytes'),
  });
  const scanner = new Scanner(replica, store, system);
  const sweeper = new Sweeper(replica, store, system, {
    databases,
    // Several owners must all be known to hold a delete before one of them forgets it.
    mayReap: () => topology.isAlone,
    graceMs: () => config.number('tombstone-grace-s') * 1000,
  });

  const operations = new OperationCounts();
  const stored = { store, clock, replica, scanner, hints, slotCounts };
  const foundation = { system, config, transport, ...stored, operations, belonging };
  const coordination = await Coordination.create(foundation);
  const anatomy = { ...foundation, ringKey, founding, sweeper, coordination, topology };
  const dispatch = new Dispatcher(coordination.coordinator, portsOf(anatomy, doors));

  config.onChange('appendfsync', () => store.setAppendfsync(appendfsyncOf(config)));
  onceSound(store, () => {
    filter.markComplete();
    trustMarker(report, replica, coordination);
  });
  sweeper.start(await flushStamps(store, reclaimedMetaName, databases));
  hints.start();
  await coordination.start((batch) => dispatch.runDelegated(batch));

  return {
    dispatch,
    verified: store.verified,
    stop: async () => {
      founding.stop();
      await sweeper.stop();
      await coordination.stop();
      await transport.stop();
      await store.close({ epoch: replica.actors.epoch, lastStamp: clock.last });
    },
  };
}

interface Whole extends Anatomy {
  readonly system: System;
  readonly ringKey: Buffer;
  readonly founding: Founding;
}

/** What the commands need of all this. */
function portsOf(whole: Whole, doors: Doors): Ports {
  const { system, config, coordination, founding, operations, sweeper } = whole;
  const { standing } = coordination.membership;
  return {
    ...doors,
    settings: config,
    contexts: contextCodec(whole.ringKey, system.hashes),
    runId: system.random.bytes(20).toString('hex'),
    ring: () => coordination.ring(),
    slotMap: () => coordination.slotMaps.current(),
    keysInSlot: (slot) => coordination.keysInSlot(slot),
    changes: changesOf(coordination, founding, doors),
    refusal: () => standing.refusal,
    get severalMembers() {
      return coordination.severalMembers;
    },
    delegate: (peer, body) => coordination.delegate(peer, body),
    persistence: () => persistenceFields(whole),
    dynamo: () => dynamoFields(whole, doors.process().eventLoopDelayP99Ms),
    expiredKeys: () => sweeper.expiredKeys,
    resetStatistics: () => operations.reset(),
  };
}

function changesOf(coordination: Coordination, founding: Founding, doors: Doors): Changes {
  const { changes } = coordination.membership;
  return {
    join: async (host, port) => {
      await founding.joinAnother({ host, port });
      await doors.restart();
    },
    leave: (node) => changes.leave(node),
    weight: (node, weight) => changes.weight(node, weight),
    remove: (node, force) => changes.remove(node, force),
    plan: (change) => changes.plan(change),
  };
}

function onceSound(store: Store, then: () => void): void {
  store.verified.listen(
    ({ sound }) => {
      if (sound) then();
    },
    () => {},
  );
}

/** The epoch of the last process lives on if it stopped cleanly and this is what it left. */
function trustMarker({ marker }: OpenReport, replica: Replica, coordination: Coordination): void {
  if (marker === undefined) return;
  outcomeOf(
    () => coordination.vouchFor(marker.bootNonce),
    () => replica.actors.trust(marker.epoch),
    () => {},
  );
}

/** LevelDB's write buffers and mapped tables, and Node's young generation under load. */
const besideTheCacheBytes = 84 * 1024 * 1024;

/** `cache-bytes` speaks of the process, so what comes with the records counts too, up to half. */
function recordCacheBytes(cacheBytes: number): number {
  return Math.max(cacheBytes / 2, cacheBytes - besideTheCacheBytes);
}

function appendfsyncOf(config: Config): Appendfsync {
  const text = config.text('appendfsync');
  return text === 'always' || text === 'no' ? text : 'everysec';
}

/** Comes to a ring, remembered or new; may wait for the others. */
async function belong(
  { founding, store, transport }: Begun,
  report: OpenReport,
  config: Config,
): Promise<Belonging> {
  try {
    const belonging = await founding.establish(report);
    checkDatabaseQuorums(config, belonging.topology.identity);
    return belonging;
  } catch (error) {
    founding.stop();
    await transport.stop();
    await store.close();
    throw error;
  }
}

interface Begun {
  readonly founding: Founding;
  readonly store: Store;
  readonly transport: Transport;
}

async function flushStamps(store: Store, name: string, databases: number): Promise<FlushStamps> {
  const bytes = await readMeta(store, name);
  return bytes === undefined ? FlushStamps.none(databases) : FlushStamps.decode(bytes);
}
