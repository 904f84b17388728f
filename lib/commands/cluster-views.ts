/**
 * The slot map as Redis 7 prints it: CLUSTER SLOTS, SHARDS, NODES and INFO. Every member is a
 * master with the slots that it is first for, and in SLOTS and SHARDS a replica of those for which
 * it is a further owner. A view is made once for a map: clients reread it after every error.
 */
import { MapReply, Prepared, type Reply, Verbatim } from '../protocol/reply.ts';
import { rangesByMaster, type SlotMap, type SlotMapMember } from '../ring/slot-map.ts';
import type { SlotRange } from '../ring/slot-set.ts';
import { slotCount } from '../ring/slots.ts';

type View = (map: SlotMap) => Prepared;

function madeOnce(make: (map: SlotMap) => Reply): View {
  const made = new WeakMap<SlotMap, Prepared>();
  return (map) => {
    let view = made.get(map);
    if (view === undefined) {
      view = new Prepared(make(map));
      made.set(map, view);
    }
    return view;
  };
}

/**
 * Here every master is a replica of others, which no Redis Cluster has: redis-py, and node-redis
 * with `useReplicas`, take a node for what they see it as first, and would count the others no
 * masters. So the reply begins with one slot of each master without its replicas.
 */
export const slotsView: View = madeOnce(({ runs, members }) => {
  // The last field is what else Redis would say of the address: nothing.
  const nodes = members.map(({ id, host, port }): Reply => [host, port, id, new MapReply([])]);
  const row = ({ start, end }: SlotRange, owners: readonly number[]): Reply => [
    start,
    end,
    ...owners.map((owner) => nodes[owner] ?? null),
  ];
  const introductions = new Map<number, Reply>();
  const rows: Reply[] = [];
  for (const { start, end, owners } of runs) {
    const [master = -1] = owners;
    const isNew = owners.length > 1 && !introductions.has(master);
    if (isNew) introductions.set(master, row({ start, end: start }, [master]));
    const rest = isNew ? start + 1 : start;
    if (rest <= end) rows.push(row({ start: rest, end }, owners));
  }
  return [...introductions.values(), ...rows];
});

/** One for each different row, and one for each member without slots. */
export const shardsView: View = madeOnce(({ runs, members }) => {
  const shards = new Map<
    string,
    { readonly slots: number[]; readonly owners: readonly number[] }
  >();
  const shardOf = (owners: readonly number[]): number[] => {
    const name = owners.join();
    const shard = shards.get(name) ?? { slots: [], owners };
    shards.set(name, shard);
    return shard.slots;
  };
  for (const { start, end, owners } of runs) shardOf(owners).push(start, end);
  const owning = new Set(runs.flatMap(({ owners }) => owners));
  for (const index of members.keys()) if (!owning.has(index)) shardOf([index]);
  return [...shards.values()].map(
    ({ slots, owners }) =>
      new MapReply([
        ['slots', slots],
        [
          'nodes',
          owners.map((owner, place) =>
            shardNode(members[owner], place === 0 ? 'master' : 'replica'),
          ),
        ],
      ]),
  );
});

function shardNode(member: SlotMapMember | undefined, role: 'master' | 'replica'): Reply {
  if (member === undefined) return null;
  return new MapReply([
    ['id', member.id],
    ['port', member.port],
    ['ip', member.host],
    ['endpoint', member.host],
    ['role', role],
    ['replication-offset', 0],
    ['health', member.state === 'down' ? 'fail' : 'online'],
  ]);
}

/** Redis' words; a member that comes or goes is a master like any other. */
const flagsOf: { readonly [state in SlotMapMember['state']]: string } = {
  up: 'master',
  suspect: 'master,fail?',
  down: 'master,fail',
  joining: 'master',
  leaving: 'master',
};

export const nodesView: View = madeOnce((map) => {
  const ranges = rangesByMaster(map);
  const lines = map.members.map(({ id, host, port, peerPort, state }, index) => {
    const flags = index === map.self ? `myself,${flagsOf[state]}` : flagsOf[state];
    const link = state === 'down' ? 'disconnected' : 'connected';
    const slots = (ranges[index] ?? []).map((range) => ` ${textOf(range)}`).join('');
    return `${id} ${host}:${port}@${peerPort} ${flags} - 0 0 ${map.version} ${link}${slots}\n`;
  });
  return new Verbatim(lines.join(''));
});

function textOf({ start, end }: SlotRange): string {
  return start === end ? `${start}` : `${start}-${end}`;
}

/** The state is `ok` unless a slot has no owner that is up: then nothing can read it. */
export const infoView: View = madeOnce((map) => {
  const { members, version } = map;
  const masters = rangesByMaster(map).map((ranges, index) => ({
    state: members[index]?.state,
    slots: ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0),
  }));
  const slotsIn = (wanted: SlotMapMember['state']): number =>
    masters.reduce((sum, { state, slots }) => sum + (state === wanted ? slots : 0), 0);
  const [suspect, failed] = [slotsIn('suspect'), slotsIn('down')];
  const fields: readonly (readonly [string, string | number])[] = [
    ['cluster_state', failed === 0 ? 'ok' : 'fail'],
    ['cluster_slots_assigned', slotCount],
    ['cluster_slots_ok', slotCount - suspect - failed],
    ['cluster_slots_pfail', suspect],
    ['cluster_slots_fail', failed],
    ['cluster_known_nodes', members.length],
    ['cluster_size', masters.filter(({ slots }) => slots > 0).length],
    ['cluster_current_epoch', version],
    ['cluster_my_epoch', version],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
  return new Verbatim(fields.map(([name, value]) => `${name}:${value}\r\n`).join(''));
});
