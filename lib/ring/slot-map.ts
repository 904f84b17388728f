/**
 * The slot map: the layout as Redis Cluster's clients see it. A row of owners is a master and its
 * replicas, in preference order, so that a client which asks the master of a slot coordinates at
 * the first owner (Dynamo 6.4). Members that are down stand at the end of their rows: a client that
 * rereads the map moves on to the next owner, and back once the first is there again. Neighbours
 * with equal rows are one run.
 *
 * Invariant: the runs cover all slots once, ascending. A map never changes; a new one takes its
 * place.
 */
import { assert } from '../base/assert.ts';
import type { Layout } from './layout.ts';
import { type SlotRange, SlotSet } from './slot-set.ts';
import { slotCount } from './slots.ts';

export interface SlotMapMember {
  /** 40 hex digits. */
  readonly id: string;
  /** For clients. */
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly state: 'up' | 'suspect' | 'down' | 'joining' | 'leaving';
}

export interface SlotRun extends SlotRange {
  /** Indexes into the members; the first is the master. */
  readonly owners: readonly number[];
}

export interface SlotMap {
  /** Of the layout. */
  readonly version: number;
  /** Index of this node; -1: it is no member. */
  readonly self: number;
  /** Sorted by id, so that all nodes show them alike. Who joins is among them, and owns nothing. */
  readonly members: readonly SlotMapMember[];
  readonly runs: readonly SlotRun[];
}

/** `members`: those of the layout, and others that are to be shown. */
export function slotMapOf(
  layout: Layout,
  members: readonly SlotMapMember[],
  selfId: string,
): SlotMap {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const indexes = new Map(sorted.map(({ id }, index) => [id, index]));
  const named = layout.members.map((id) => {
    const index = indexes.get(id);
    assert(index !== undefined, 'a slot map shows every member of its layout');
    return index;
  });
  const isDown = (index: number): boolean => sorted[index]?.state === 'down';
  const self = indexes.get(selfId) ?? -1;
  return { version: layout.version, self, members: sorted, runs: runsOf(layout, named, isDown) };
}

function runsOf(
  { partitions, n, owners }: Layout,
  named: readonly number[],
  isDown: (member: number) => boolean,
): readonly SlotRun[] {
  const slotsEach = slotCount / partitions;
  const runs: SlotRun[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const row = Array.from(
      owners.subarray(partition * n, (partition + 1) * n),
      (owner) => named[owner] ?? -1,
    );
    const shown = downLast(row, isDown);
    const end = (partition + 1) * slotsEach - 1;
    const before = runs.at(-1);
    if (before !== undefined && isSameRow(before.owners, shown)) {
      runs[runs.length - 1] = { ...before, end };
    } else runs.push({ start: partition * slotsEach, end, owners: shown });
  }
  return runs;
}

/** Stable. */
function downLast(row: readonly number[], isDown: (member: number) => boolean): readonly number[] {
  if (!row.some(isDown)) return row;
  return [...row.filter((owner) => !isDown(owner)), ...row.filter(isDown)];
}

function isSameRow(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((owner, place) => owner === b[place]);
}

/** The slots whose master each member is, neighbours joined; by index of the member. */
export function rangesByMaster({ runs, members }: SlotMap): readonly (readonly SlotRange[])[] {
  const ranges: SlotRange[][] = members.map(() => []);
  for (const { start, end, owners } of runs) {
    const own = ranges[owners[0] ?? -1];
    const before = own?.at(-1);
    if (own === undefined) continue;
    if (before?.end === start - 1) own[own.length - 1] = { start: before.start, end };
    else own.push({ start, end });
  }
  return ranges;
}

/** The slots that this node is shown as the master of. */
export function slotsOfSelf(map: SlotMap): SlotSet {
  return SlotSet.of(rangesByMaster(map)[map.self] ?? []);
}
