/** What a fair layout is, said again and otherwise than the claim computes it. */
import { expect } from 'chai';
import type { Candidate } from '../../lib/ring/claim.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { partitionsOf } from '../../lib/ring/preference-list.ts';
import { memberId } from './arbitraries.ts';

/** The fewest replicas of a row that some zone has to take. */
export function zoneMaxOf({ n, zones }: Layout): number {
  const sizes = new Map<string, number>();
  for (const zone of zones) sizes.set(zone, (sizes.get(zone) ?? 0) + 1);
  const room = (most: number): number =>
    [...sizes.values()].reduce((total, size) => total + Math.min(size, most), 0);
  return Array.from({ length: n }, (_, index) => index + 1).find((most) => room(most) >= n) ?? n;
}

export function rowsOf({ n, partitions, owners }: Layout): readonly (readonly number[])[] {
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from(owners.subarray(partition * n, (partition + 1) * n)),
  );
}

/** No zone has more replicas of a partition than it must. */
export function expectSpread(layout: Layout): void {
  const zoneMax = zoneMaxOf(layout);
  const crowded = rowsOf(layout).findIndex((row) => {
    const zones = row.map((owner) => layout.zones[owner]);
    return zones.some((zone) => zones.filter((other) => other === zone).length > zoneMax);
  });
  expect(crowded, 'a partition with too many owners of one zone').to.equal(-1);
}

/** Whoever could hold more is no further below its share than anybody is above it. */
export function expectFair(layout: Layout): void {
  const { partitions, weights, zones } = layout;
  const { owned } = partitionsOf(layout);
  const zoneMax = zoneMaxOf(layout) * partitions;
  const heldBy = (zone: string): number =>
    owned.reduce((all, held, at) => all + (zones[at] === zone ? held : 0), 0);
  for (const [poor, has] of owned.entries()) {
    if (has === partitions) continue;
    const zone = zones[poor] ?? '';
    const zoneIsFull = heldBy(zone) === zoneMax;
    const least = (has + 1) / (weights[poor] ?? 1);
    for (const [rich, holds] of owned.entries()) {
      if (zoneIsFull && zones[rich] !== zone) continue;
      const most = (holds - 1) / (weights[rich] ?? 1);
      if (least <= most - 1e-9) expect.fail(`${poor} holds ${has}, but ${rich} ${holds}`);
    }
  }
}

/** No size is in the way of what weights demand. */
export function isFree(candidates: readonly { readonly weight: number }[], n: number): boolean {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  return candidates.every(({ weight }) => weight * Math.min(n, candidates.length) <= total);
}

export function expectFirstsByWeight(layout: Layout): void {
  const { partitions, weights } = layout;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [member, first] of partitionsOf(layout).first.entries()) {
    const share = (partitions * (weights[member] ?? 1)) / total;
    expect(Math.abs(first - share), `first places of ${member}`).to.be.below(1);
  }
}

/** Of equal weights: no chain leads from one with too many to one that should have more. */
export function expectFirstsLevel(layout: Layout): void {
  const { first } = partitionsOf(layout);
  const share = layout.partitions / first.length;
  const reaches = first.map((_, member) => new Set([member]));
  for (const row of rowsOf(layout)) for (const owner of row) reaches[row[0] ?? 0]?.add(owner);
  for (const middle of first.keys()) {
    for (const reached of reaches) {
      if (reached.has(middle)) for (const further of reaches[middle] ?? []) reached.add(further);
    }
  }
  for (const bound of [Math.floor(share), Math.ceil(share)]) {
    for (const [rich, count] of first.entries()) {
      if (count <= bound) continue;
      const poor = [...(reaches[rich] ?? [])].filter((other) => (first[other] ?? 0) < bound);
      expect(poor, `${rich} could pass a first place on`).to.deep.equal([]);
    }
  }
}

export function spreadOf(counts: readonly number[]): number {
  return Math.max(...counts) - Math.min(...counts);
}

/** Zones a, b and c, in each a node of weight 1 and one of weight 2. */
export const sixOfThreeZones: readonly Candidate[] = ['a', 'b', 'c'].flatMap((zone, at) =>
  [1, 2].map((weight) => ({ id: memberId(at * 2 + weight), weight, zone })),
);

export function expectSixOfThreeZones(layout: Layout): void {
  for (const row of rowsOf(layout)) {
    expect(new Set(row.map((owner) => layout.zones[owner])).size).to.equal(3);
  }
  const { owned } = partitionsOf(layout);
  for (const [member, weight] of layout.weights.entries()) {
    expect(owned[member]).to.be.within(
      Math.floor((layout.partitions * weight) / 3),
      Math.ceil((layout.partitions * weight) / 3),
    );
  }
  expectFirstsByWeight(layout);
}
