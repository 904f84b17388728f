/**
 * The sections of INFO that speak of the floors below the commands: `dynamo` (DESIGN 2.6) and
 * `persistence`.
 */
import type { InfoFields } from './commands/ports.ts';
import type { Config } from './config.ts';
import type { OperationCounts } from './coordinator/operation-counts.ts';
import type { Identity } from './membership/founding.ts';
import type { Replica } from './replica/replica.ts';
import type { Sweeper } from './replica/sweeper.ts';
import { tallyDeleted, tallyExpired } from './replica/tallies.ts';
import type { Store } from './storage/store.ts';

export interface Anatomy {
  readonly config: Config;
  readonly identity: Identity;
  readonly nodeName: string;
  readonly store: Store;
  readonly replica: Replica;
  readonly sweeper: Sweeper;
  readonly operations: OperationCounts;
}

/** One member: what speaks of peers, hints and transfers is the constant that is true of it. */
export function dynamoFields(anatomy: Anatomy, eventLoopDelayP99Ms: number): InfoFields {
  const { config, identity, nodeName, store, replica, sweeper, operations } = anatomy;
  return [
    ['node_id', identity.nodeId.toString('hex')],
    ['node_name', nodeName],
    ['cluster_name', identity.clusterName],
    ['zone', config.text('zone')],
    ['weight', config.number('weight')],
    ['ring_version', 1],
    ['ring_transition', 0],
    ['layout_conflict', 0],
    ['members', 1],
    ['members_up', 1],
    ['suspicions_refuted', 0],
    ['partitions_owned', identity.partitions],
    ['partitions_first', identity.partitions],
    ['quorum_n', 1],
    ['quorum_r', 1],
    ['quorum_w', 1],
    ['hints_pending', 0],
    ['hints_load_bearing', 0],
    ['hints_bytes', 0],
    ['hints_delivered', 0],
    ['hint_oldest_age_ms', 0],
    ['read_repairs', 0],
    ['reads', operations.reads],
    ['reads_with_siblings', replica.readsWithSiblings],
    ['writes', operations.writes],
    ['writes_sloppy', 0],
    ['writes_uncertain', operations.writesUncertain],
    ['forwards', 0],
    ['read_quorum_failures', operations.readFailures],
    ['write_quorum_failures', operations.writeFailures],
    ['sync_exchanges', 0],
    ['sync_records_sent', 0],
    ['sync_records_repaired', 0],
    ['sync_oldest_clean_age_ms', 0],
    ['trees_rebuilding', 0],
    ['records', store.records],
    ['tombstones', store.tally(tallyDeleted) + store.tally(tallyExpired)],
    ['tombstones_reaped', sweeper.reaped],
    ['lost_records', store.lostRecords],
    ['corrupt_records', store.corruptRecords],
    ['transfer_partitions_pending', 0],
    ['storage_state', store.state],
    ['storage_bytes', store.sizeBytes()],
    ['cache_used_bytes', replica.cacheBytes],
    ['epoch_renewals', replica.actors.renewals],
    ['clock_offset_ms', 0],
    ['background_throttle', 0],
    ['event_loop_delay_p99_ms', eventLoopDelayP99Ms.toFixed(2)],
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
