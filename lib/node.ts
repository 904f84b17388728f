/**
 * One node, whole: what it is made of and in which order it starts. The real doors come from
 * `main.ts`, simulated ones from `spec/sim`; everything in between is the same.
 */
import { outcomeOf } from './base/later.ts';
import { contextCodec } from './causal/context.ts';
import { StampClock } from './causal/stamp-clock.ts';
import type { Dispatch } from './commands/dispatch.ts';
import { Dispatcher } from './commands/dispatcher.ts';
import type { Clients, Ports, ProcessView, Traffic } from './commands/ports.ts';
import { type Config, ConfigError, checkDatabaseQuorums } from './config.ts';
import { type Coordination, coordinate } from './coordination.ts';
import { OperationCounts } from './coordinator/operation-counts.ts';
import { dynamoFields, persistenceFields } from './dynamo-info.ts';
import { Founding, type RingState } from './membership/founding.ts';
import { foundingOptions } from './peer-options.ts';
import { census } from './replica/census.ts';
import { FlushStamps, flushMetaName, reclaimedMetaName } from './replica/flush-stamps.ts';
import { HintStore } from './replica/hint-store.ts';
import { KeyFilter } from './replica/key-filter.ts';
import { Replica } from './replica/replica.ts';
import { Scanner } from './replica/scanner.ts';
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
  /** Only a node without seeds can do without. */
  readonly transport?: Transport;
  readonly clients: Clients;
  readonly traffic: Traffic;
  readonly version: string;
  process(): ProcessView;
  /** A client asked for SHUTDOWN. */
  shutdown(): void;
}

export interface Node {
  readonly dispatch: Dispatch;
  /** Settles when the background check of the storage is through. */
  readonly verified: PromiseLike<unknown>;
  stop(): Promise<void>;
}

export async function createNode(config: Config, doors: Doors): Promise<Node> {
  refuseWhatIsNotThere(config);
  const { system, storage, transport } = doors;

  const clock = new StampClock(0);
  const filter = new KeyFilter();
  let takeBack = (): void => {};
  let reopened = (): void => {};
  const store = new Store(storage, system, {
    appendfsync: appendfsyncOf(config),
    lastStamp: () => clock.last,
    census: (snapshot) => census(snapshot, filter),
    onFence: () => takeBack(),
    onReopened: () => reopened(),
  });
  const report = await store.open();
  clock.lift(report.ceiling);
  const founding = new Founding(store, { system, transport }, foundingOptions(config));
  const state = await belong({ founding, store, transport }, report, config);
  const { databases, ringKey } = state.identity;

  const replica = new Replica(store, system, clock, {
    databases,
    filter,
    cacheBytes: recordCacheBytes(config.number('cache-bytes')),
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
    mayReap: () => state.members.length === 1,
    graceMs: () => config.number('tombstone-grace-s') * 1000,
  });

  const operations = new OperationCounts();
  const foundation = { system, config, store, clock, replica, scanner, hints, operations, state };
  const coordination = coordinate(foundation, transport);
  const anatomy = { ...foundation, clock: system.clock, sweeper, coordination };
  const ports: Ports = {
    ...doors,
    ...coordination.ports,
    settings: config,
    contexts: contextCodec(ringKey, system.hashes),
    runId: system.random.bytes(20).toString('hex'),
    persistence: () => persistenceFields(anatomy),
    dynamo: () => dynamoFields(anatomy, doors.process().eventLoopDelayP99Ms),
    expiredKeys: () => sweeper.expiredKeys,
    resetStatistics: () => operations.reset(),
  };
  const dispatch = new Dispatcher(coordination.coordinator, ports);

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
      await transport?.stop();
      await store.close({ epoch: replica.actors.epoch, lastStamp: clock.last });
    },
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

/** Silence would look like a node that has taken another's place. */
function refuseWhatIsNotThere(config: Config): void {
  if (config.text('replace-node') === '') return;
  throw new ConfigError("'replace-node' comes with a later version, with changing members");
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
): Promise<RingState> {
  try {
    const state = await founding.establish(report);
    checkDatabaseQuorums(config, state.identity);
    return state;
  } catch (error) {
    founding.stop();
    await transport?.stop();
    await store.close();
    throw error;
  }
}

interface Begun {
  readonly founding: Founding;
  readonly store: Store;
  readonly transport: Transport | undefined;
}

async function flushStamps(store: Store, name: string, databases: number): Promise<FlushStamps> {
  const bytes = await readMeta(store, name);
  return bytes === undefined ? FlushStamps.none(databases) : FlushStamps.decode(bytes);
}
