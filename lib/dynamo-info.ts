/**
 * The sections of INFO that speak of the floors below the commands: `dynamo` (DESIGN 2.6) and
 * `persistence`.
 */
import type { InfoFields } from './commands/ports.ts';
import type { Config } from './config.ts';
import type { Coordination } from './coordination.ts';
import type { OperationCounts } from './coordinator/operation-counts.ts';
import type { Topology } from './membership/topology.ts';
import type { HintStore } from './replica/hint-store.ts';
import type { Replica } from './replica/replica.ts';
import type { Sweeper } from './replica/sweeper.ts';
import { tallyDeleted, tallyExpired } from './replica/tallies.ts';
import type { Store } from './storage/store.ts';

export interface Anatomy {
  readonly config: Config;
  readonly topology: Topology;
  readonly store: Store;
  readonly system: { readonly clock: { wallMs(): number } };
  readonly replica: Replica;
  readonly hints: HintStore;
  readonly sweeper: Sweeper;
  readonly operations: OperationCounts;
  readonly coordination: Coordination;
}

/** In this version no tree is kept: what speaks of those is constant. */
export function dynamoFields(anatomy: Anatomy, eventLoopDelayP99Ms: number): InfoFields {
  return [
    ...memberFields(anatomy),
    ...hintFields(anatomy),
    ...operationFields(anatomy),
    ['sync_exchanges', 0],
    ['sync_records_sent', 0],
    ['sync_records_repaired', 0],
    ['sync_oldest_clean_age_ms', 0],
    ['trees_rebuilding', 0],
    ...recordFields(anatomy),
    ['clock_offset_ms', anatomy.coordination.clockOffsetMs],
    ['background_throttle', 0],
    ['event_loop_delay_p99_ms', eventLoopDelayP99Ms.toFixed(2)],
  ];
}

function memberFields({ coordination, topology }: Anatomy): InfoFields {
  const { identity, reading, selfId, isChanging, newest } = topology;
  const { members } = coordination.ring();
  const { gossip, exchange } = coordination.membership;
  const self = members.find(({ id }) => id === selfId);
  const { n, r, w } = coordination.coordinator.quorum(0);
  return [
    ['node_id', identity.nodeId.toString('hex')],
    ['node_name', self?.name ?? ''],
    ['cluster_name', identity.clusterName],
    ['zone', self?.zone ?? ''],
    ['weight', self?.weight ?? 0],
    ['ring_version', newest.version],
    ['ring_transition', isChanging ? newest.version : 0],
    ['layout_conflict', exchange.hasConflict ? 1 : 0],
    ['members', reading.members.length],
    ['members_up', coordination.membersUp],
    ['suspicions_refuted', gossip.refuted],
    ['partitions_owned', self?.partitions ?? 0],
    ['partitions_first', self?.first ?? 0],
    ['quorum_n', n],
    ['quorum_r', r],
    ['quorum_w', w],
  ];
}

function hintFields({ hints, operations, system }: Anatomy): InfoFields {
  const { oldestAtMs } = hints;
  return [
    ['hints_pending', hints.pending],
    ['hints_load_bearing', hints.loadBearing],
    ['hints_bytes', hints.bytes],
    ['hints_delivered', operations.hintsDelivered],
    ['hint_oldest_age_ms', oldestAtMs === 0 ? 0 : Math.max(0, system.clock.wallMs() - oldestAtMs)],
  ];
}

function operationFields({ replica, operations }: Anatomy): InfoFields {
  return [
    ['read_repairs', operations.readRepairs],
    ['reads', operations.reads],
    ['reads_with_siblings', replica.readsWithSiblings],
    ['writes', operations.writes],
    ['writes_sloppy', operations.writesSloppy],
    ['writes_uncertain', operations.writesUncertain],
    ['second_rounds', operations.secondRounds],
    ['forwards', operations.forwards],
    ['read_quorum_failures', operations.readFailures],
    ['write_quorum_failures', operations.writeFailures],
  ];
}

function recordFields({ topology, store, replica, hints, sweeper }: Anatomy): InfoFields {
  return [
    ['records', store.records - hints.pending],
    ['tombstones', store.tally(tallyDeleted) + store.tally(tallyExpired)],
    ['tombstones_reaped', sweeper.reaped],
    ['lost_records', store.lostRecords],
    ['corrupt_records', store.corruptRecords],
    ['transfer_partitions_pending', topology.pending.length],
    ['storage_state', store.state],
    ['storage_bytes', store.sizeBytes()],
    ['cache_used_bytes', replica.cacheBytes],
    ['epoch_renewals', replica.actors.renewals],
  ];
}

/** What Redis' dashboards ask of AOF and RDB, answered by the group commit. */
export function persistenceFields({ config, store }: Anatomy): InfoFields {
  const writable = store.state !== 'fenced';
  return [
    ['loading', 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', 0],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_bgsave_status', 'ok'],
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', 0],
    ['aof_last_write_status', writable ? 'ok' : 'err'],
    ['appendfsync', config.text('appendfsync')],
    ['storage_state', store.state],
    ['storage_batches', store.batches],
  ];
}
