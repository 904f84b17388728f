/**
 * INFO: sections of `name:value` lines, as every client's ready check, every dashboard and
 * redis-cli read them. The field names and the order of the sections are Redis 7's; `dynamo` is our
 * own (DESIGN 2.6). What Redis counts and this server has nothing of (replicas, evictions, pub/sub)
 * is the constant that is true here.
 */

import { after, type Later } from '../base/later.ts';
import { humanSize } from '../base/units.ts';
import { type Reply, Verbatim } from '../protocol/reply.ts';
import type { Call } from './command.ts';
import { type InfoFields, isCluster } from './ports.ts';

/** Clients choose features by it: 7.2 and later promise what is not here. */
export const redisVersion = '7.0.15';

interface Section {
  readonly title: string;
  /** Left out of a plain INFO. */
  readonly onlyOnDemand?: true;
  readonly fields: (call: Call) => Later<InfoFields>;
}

/** By lower-case name, in their order. */
const sections: { readonly [name: string]: Section } = {
  server: { title: 'Server', fields: serverFields },
  clients: { title: 'Clients', fields: clientFields },
  memory: { title: 'Memory', fields: memoryFields },
  persistence: { title: 'Persistence', fields: ({ ports }) => ports.persistence() },
  stats: { title: 'Stats', fields: statsFields },
  replication: { title: 'Replication', fields: replicationFields },
  cpu: { title: 'CPU', fields: cpuFields },
  modules: { title: 'Modules', fields: () => [] },
  commandstats: { title: 'Commandstats', onlyOnDemand: true, fields: commandStatistics },
  errorstats: { title: 'Errorstats', fields: errorStatistics },
  cluster: {
    title: 'Cluster',
    fields: ({ ports }) => [['cluster_enabled', isCluster(ports) ? 1 : 0]],
  },
  keyspace: { title: 'Keyspace', fields: keyspaceFields },
  dynamo: { title: 'Dynamo', fields: ({ ports }) => ports.dynamo() },
};

export function info(call: Call, args: readonly Buffer[]): Later<Reply> {
  const chosen = chosenSections(args.slice(1).map((name) => name.toString().toLowerCase()));
  const texts = chosen.map(({ title, fields }) =>
    after(fields(call), (lines) => `# ${title}\r\n${lines.map(line).join('')}`),
  );
  return after(Promise.all(texts), (ready) => new Verbatim(ready.join('\r\n')));
}

function chosenSections(names: readonly string[]): readonly Section[] {
  const all = names.includes('all') || names.includes('everything');
  const usual = names.length === 0 || names.includes('default');
  return Object.entries(sections)
    .filter(
      ([name, { onlyOnDemand }]) => all || names.includes(name) || (usual && onlyOnDemand !== true),
    )
    .map(([, section]) => section);
}

function line([name, value]: readonly [string, string | number]): string {
  return `${name}:${value}\r\n`;
}

function serverFields({ ports }: Call): InfoFields {
  const facts = ports.process();
  const nowMs = ports.system.clock.wallMs();
  return [
    ['redis_version', redisVersion],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_mode', isCluster(ports) ? 'cluster' : 'standalone'],
    ['redynamo_version', ports.version],
    ['node_version', facts.nodeVersion],
    ['os', facts.os],
    ['arch_bits', 64],
    ['process_id', facts.processId],
    ['run_id', ports.runId],
    ['tcp_port', ports.settings.number('port')],
    ['server_time_usec', nowMs * 1000],
    ['uptime_in_seconds', Math.floor(facts.uptimeMs / 1000)],
    ['uptime_in_days', Math.floor(facts.uptimeMs / 86_400_000)],
    ['executable', facts.executable],
    ['config_file', facts.configFile],
  ];
}

function clientFields({ ports }: Call): InfoFields {
  return [
    ['connected_clients', ports.clients.count],
    ['cluster_connections', 0],
    ['maxclients', ports.settings.number('maxclients')],
    ['blocked_clients', 0],
    ['tracking_clients', 0],
  ];
}

function memoryFields({ ports }: Call): InfoFields {
  const facts = ports.process();
  return [
    ['used_memory', facts.usedMemoryBytes],
    ['used_memory_human', humanSize(facts.usedMemoryBytes)],
    ['used_memory_rss', facts.residentBytes],
    ['used_memory_rss_human', humanSize(facts.residentBytes)],
    ['used_memory_peak', facts.peakMemoryBytes],
    ['used_memory_peak_human', humanSize(facts.peakMemoryBytes)],
    ['total_system_memory', facts.totalSystemMemoryBytes],
    ['total_system_memory_human', humanSize(facts.totalSystemMemoryBytes)],
    ['maxmemory', 0],
    ['maxmemory_human', '0B'],
    ['maxmemory_policy', 'noeviction'],
    ['mem_fragmentation_ratio', ratio(facts.residentBytes, facts.usedMemoryBytes)],
  ];
}

function ratio(part: number, whole: number): string {
  return (whole > 0 ? part / whole : 0).toFixed(2);
}

function statsFields({ ports, statistics }: Call): InfoFields {
  const { traffic, system } = ports;
  return [
    ['total_connections_received', traffic.connectionsReceived],
    ['total_commands_processed', statistics.commands],
    ['instantaneous_ops_per_sec', statistics.operationsPerSecond(system.clock.monotonicMs())],
    ['total_net_input_bytes', traffic.bytesRead],
    ['total_net_output_bytes', traffic.bytesWritten],
    ['rejected_connections', traffic.connectionsRejected],
    ['client_query_buffer_limit_disconnections', traffic.queryLimitDisconnections],
    ['client_output_buffer_limit_disconnections', traffic.outputLimitDisconnections],
    ['expired_keys', ports.expiredKeys()],
    ['evicted_keys', 0],
    ['keyspace_hits', statistics.keyspaceHits],
    ['keyspace_misses', statistics.keyspaceMisses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['total_error_replies', statistics.errors],
  ];
}

function replicationFields({ ports }: Call): InfoFields {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_replid', ports.runId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
  ];
}

function cpuFields({ ports }: Call): InfoFields {
  const facts = ports.process();
  return [
    ['used_cpu_sys', facts.systemCpuSeconds.toFixed(6)],
    ['used_cpu_user', facts.userCpuSeconds.toFixed(6)],
  ];
}

/** One line for each database that holds something. */
async function keyspaceFields({ ports, coordinator }: Call): Promise<InfoFields> {
  const length = isCluster(ports) ? 1 : ports.settings.number('databases');
  const databases = Array.from({ length }, (_, db) => db);
  const counts = await Promise.all(databases.map((db) => coordinator.counts(db)));
  return counts
    .map(({ keys, expires }, db) => ({ db, keys, expires }))
    .filter(({ keys }) => keys > 0)
    .map(({ db, keys, expires }) => [`db${db}`, `keys=${keys},expires=${expires},avg_ttl=0`]);
}

function commandStatistics({ commands }: Call): InfoFields {
  return commands.all
    .filter(({ counters }) => counters.calls + counters.rejected > 0)
    .map(({ fullName, counters }) => {
      const { calls, busyMs, rejected, failed } = counters;
      const perCall = calls === 0 ? 0 : (busyMs * 1000) / calls;
      return [
        `cmdstat_${fullName}`,
        `calls=${calls},usec=${Math.round(busyMs * 1000)},usec_per_call=${perCall.toFixed(2)},` +
          `rejected_calls=${rejected},failed_calls=${failed}`,
      ];
    });
}

function errorStatistics({ statistics }: Call): InfoFields {
  return statistics.errorsByCode().map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}
