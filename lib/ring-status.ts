/** The ring as DYN.RING STATUS shows it. */
import type { MemberView, Ring } from './commands/ports.ts';
import type { RingView } from './coordinator/ring-view.ts';
import type { Gossip } from './membership/gossip.ts';
import type { Topology } from './membership/topology.ts';
import type { Layout } from './ring/layout.ts';
import { partitionsOf, partitionsOwned } from './ring/preference-list.ts';
import type { PeerId } from './transport/transport.ts';

export function ringStatus(ring: RingView, topology: Topology, gossip: Gossip): Ring {
  const { newest, isChanging, selfId } = topology;
  const { owned, first } = partitionsOf(newest);
  const members = shown(ring, topology, gossip).flatMap((number): MemberView[] => {
    const member = ring.members[number];
    if (member === undefined) return [];
    const { id } = member;
    const index = newest.members.indexOf(id);
    return [
      {
        ...member,
        zone: newest.zones[index] ?? member.zone,
        weight: newest.weights[index] ?? member.weight,
        state: ring.stateOf(number),
        partitions: owned[index] ?? 0,
        first: first[index] ?? 0,
        pending: pendingOf(id, topology),
      },
    ];
  });
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { version: newest.version, transition: isChanging ? newest.version : 0, selfId, members };
}

/** Members, and those that still hand over what they had. */
function shown(ring: RingView, topology: Topology, gossip: Gossip): readonly number[] {
  const isLeaving = (id: PeerId): boolean =>
    topology.isKnown(id) && gossip.entry(id)?.state === 'alive';
  return ring.members
    .map((_, number) => number)
    .filter((number) => ring.active.includes(number) || isLeaving(ring.idOf(number)));
}

/** Partitions that a member has yet to fill; of another one all or none, as far as is known. */
function pendingOf(id: PeerId, topology: Topology): number {
  const { newest, oldest, selfId, isChanging } = topology;
  if (id === selfId) return topology.pending.length;
  const isFilling = isChanging && topology.trackersOf(id).complete < newest.version;
  return isFilling ? gained(oldest, newest, id) : 0;
}

function gained(before: Layout, now: Layout, id: PeerId): number {
  const held = new Set(partitionsOwned(before, id));
  return partitionsOwned(now, id).filter((partition) => !held.has(partition)).length;
}
