/**
 * One node, whole: what it is made of and in which order it starts. The real doors come from
 * `main.ts`, simulated ones from `spec/sim`; everything in between is the same.
 */
import { contextCodec } from './causal/context.ts';
import { StampClock } from './causal/stamp-clock.ts';
import type { Dispatch } from './commands/dispatch.ts';
import { Dispatcher } from './commands/dispatcher.ts';
import type { Clients, Ports, ProcessView, Ring, Traffic } from './commands/ports.ts';
import { type Config, ConfigError } from './config.ts';
import { GatedCoordinator } from './coordinator/gated-coordinator.ts';
import { LocalCoordinator } from './coordinator/local-coordinator.ts';
import { OperationCounts } from './coordinator/operation-counts.ts';
import type { UpdateLimits } from './coordinator/update-core.ts';
import { dynamoFields, persistenceFields } from './dynamo-info.ts';
import { checkAgainst, establishIdentity, type Identity } from './membership/founding.ts';
import { census } from './replica/census.ts';
import { FlushStamps, flushMetaName, reclaimedMetaName } from './replica/flush-stamps.ts';
import { KeyFilter } from './replica/key-filter.ts';
import { Locator } from './replica/place.ts';
import { Replica } from './replica/replica.ts';
import { Scanner } from './replica/scanner.ts';
import { Sweeper } from './replica/sweeper.ts';
import type { System } from './runtime/ports.ts';
import type { Appendfsync } from './storage/group-commit.ts';
import { readMeta } from './storage/meta.ts';
import type { Storage } from './storage/storage.ts';
import { type OpenReport, Store } from './storage/store.ts';

export interface Doors {
  readonly system: System;
  readonly storage: Storage;
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
  refuseWhatNeedsPeers(config);
  const { system, storage } = doors;

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
  const identity = await identify(store, report, config, system);
  const { databases, partitions, ringKey } = identity;
  const nodeName = config.text('node-name') || identity.nodeId.toString('hex', 0, 4);

  const cacheBytes = recordCacheBytes(config.number('cache-bytes'));
  const replica = new Replica(store, system, clock, { databases, cacheBytes, filter });
  replica.restoreFlushed(await flushStamps(store, flushMetaName, databases));
  takeBack = () => replica.takeBack();
  reopened = () => replica.reopened();
  const scanner = new Scanner(replica, store, system);
  const sweeper = new Sweeper(replica, store, system, {
    databases,
    mayReap: () => true,
    graceMs: () => config.number('tombstone-grace-s') * 1000,
  });

  const operations = new OperationCounts();
  const local = new LocalCoordinator(replica, scanner, operations, {
    nodeName,
    partitions,
    locator: new Locator(ringKey),
    digest: (bytes) => system.hashes.hmacSha256(ringKey, bytes),
    tally: (index) => store.tally(index),
    limits: followLimits(config),
  });
  const coordinator = new GatedCoordinator(local, (run) => replica.onIdle(run));

  const anatomy = { config, identity, nodeName, store, replica, sweeper, operations };
  const ports: Ports = {
    ...doors,
    settings: config,
    contexts: contextCodec(ringKey, system.hashes),
    ring: ringOfOne(config, identity, nodeName),
    runId: system.random.bytes(20).toString('hex'),
    persistence: () => persistenceFields(anatomy),
    dynamo: () => dynamoFields(anatomy, doors.process().eventLoopDelayP99Ms),
    expiredKeys: () => sweeper.expiredKeys,
    resetStatistics: () => operations.reset(),
  };
  const dispatch = new Dispatcher(coordinator, ports);

  config.onChange('appendfsync', () => store.setAppendfsync(appendfsyncOf(config)));
  store.verified.listen(
    ({ sound }) => {
      if (!sound) return;
      filter.markComplete();
      if (report.marker !== undefined) replica.actors.trust(report.marker.epoch);
    },
    () => {},
  );
  sweeper.start(await flushStamps(store, reclaimedMetaName, databases));

  return {
    dispatch,
    verified: store.verified,
    stop: async () => {
      await sweeper.stop();
      await store.close({ epoch: replica.actors.epoch, lastStamp: clock.last });
    },
  };
}

/** LevelDB's write buffers and mapped tables, and Node's young generation under load. */
const besideTheCacheBytes = 84 * 1024 * 1024;

/** `cache-bytes` speaks of the process, so what comes with the records counts too, up to half. */
function recordCacheBytes(cacheBytes: number): number {
  return Math.max(cacheBytes / 2, cacheBytes - besideTheCacheBytes);
}

/** Joining and peers come with later versions; silence would look like a ring of several nodes. */
function refuseWhatNeedsPeers(config: Config): void {
  for (const name of ['seeds', 'replace-node']) {
    if (config.text(name) !== '') {
      throw new ConfigError(`'${name}' needs a ring of several nodes; this version runs one node`);
    }
  }
}

function appendfsyncOf(config: Config): Appendfsync {
  const text = config.text('appendfsync');
  return text === 'always' || text === 'no' ? text : 'everysec';
}

/** Asked for with every write, so the directives are read when they change. */
function followLimits(config: Config): () => UpdateLimits {
  const read = (): UpdateLimits => ({
    stringBytesMax: config.number('proto-max-bulk-len'),
    siblingLimit: config.number('sibling-limit'),
  });
  let limits = read();
  for (const name of ['proto-max-bulk-len', 'sibling-limit']) {
    config.onChange(name, () => {
      limits = read();
    });
  }
  return () => limits;
}

async function identify(
  store: Store,
  report: OpenReport,
  config: Config,
  system: System,
): Promise<Identity> {
  const settings = {
    clusterName: config.text('cluster-name'),
    partitions: config.number('partitions'),
    databases: config.number('databases'),
    n: Number(config.text('quorum').split(' ')[0]),
  };
  try {
    const identity = await establishIdentity(store, report, settings, system);
    checkAgainst(identity, settings, (name) => config.isGiven(name));
    return identity;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function flushStamps(store: Store, name: string, databases: number): Promise<FlushStamps> {
  const bytes = await readMeta(store, name);
  return bytes === undefined ? FlushStamps.none(databases) : FlushStamps.decode(bytes);
}

function ringOfOne(config: Config, identity: Identity, name: string): Ring {
  const bound = config.text('bind').split(' ')[0]?.replace(/^-/, '') ?? '';
  const host = bound === '' || bound === '*' || bound.includes(':') ? '127.0.0.1' : bound;
  const id = identity.nodeId.toString('hex');
  const port = config.number('port');
  const self = {
    id,
    name,
    host: config.text('announce-host') || host,
    port: config.number('announce-port') || port,
    peerPort: config.number('peer-port') || port + 10_000,
    zone: config.text('zone'),
    weight: config.number('weight'),
    state: 'up',
    partitions: identity.partitions,
    first: identity.partitions,
    pending: 0,
  } as const;
  return { version: 1, transition: 0, members: [self], selfId: id };
}
