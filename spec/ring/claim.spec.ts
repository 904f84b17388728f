/** The first layout: legal, fair, spread, and the same whoever computes it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Candidate, firstLayout } from '../../lib/ring/claim.ts';
import { encodeLayout, faultOfLayout, type Layout } from '../../lib/ring/layout.ts';
import { partitionsOf } from '../../lib/ring/preference-list.ts';
import { alike, wanted } from './arbitraries.ts';

const weights = fc.integer({ min: 1, max: 10 });
const runs = { numRuns: 1000 };

function candidateOf(candidates: readonly Candidate[], id: string | undefined): Candidate {
  const found = candidates.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error('a stranger is in the layout');
  return found;
}

/** The candidates in the order of the layout. */
function inOrder(layout: Layout, candidates: readonly Candidate[]): readonly Candidate[] {
  return layout.members.map((id) => candidateOf(candidates, id));
}

/** The fewest replicas of a row that some zone has to take. */
function zoneMaxOf(candidates: readonly Candidate[], n: number): number {
  const sizes = new Map<string, number>();
  for (const { zone } of candidates) sizes.set(zone, (sizes.get(zone) ?? 0) + 1);
  const room = (most: number): number =>
    [...sizes.values()].reduce((total, size) => total + Math.min(size, most), 0);
  return Array.from({ length: n }, (_, index) => index + 1).find((most) => room(most) >= n) ?? n;
}

function spreadOf(counts: readonly number[]): number {
  return Math.max(...counts) - Math.min(...counts);
}

describe('the first layout', () => {
  it('gives each partition N distinct owners, or all members where there are fewer', () => {
    fc.assert(
      fc.property(wanted(weights), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        expect(faultOfLayout(layout)).to.equal(undefined);
        expect(layout).to.include({ version: 1, partitions, n: Math.min(n, candidates.length) });
        expect([...layout.members].sort()).to.deep.equal(candidates.map(({ id }) => id).sort());
      }),
      runs,
    );
  });

  it('is the same in whatever order the candidates come', () => {
    const shuffled = wanted(weights).chain((drawn) =>
      fc
        .shuffledSubarray([...drawn.candidates], { minLength: drawn.candidates.length })
        .map((candidates) => ({ ...drawn, again: candidates })),
    );
    fc.assert(
      fc.property(shuffled, ({ candidates, again, partitions, n }) => {
        const [one, other] = [candidates, again].map((each) =>
          encodeLayout(firstLayout(each, partitions, n)).toString('hex'),
        );
        expect(one).to.equal(other);
      }),
    );
  });

  it('puts no more replicas of a partition into a zone than it must', () => {
    fc.assert(
      fc.property(wanted(weights), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        const members = inOrder(layout, candidates);
        const zoneMax = zoneMaxOf(candidates, layout.n);
        for (let partition = 0; partition < partitions; partition += 1) {
          const row = layout.owners.slice(partition * layout.n, (partition + 1) * layout.n);
          const zones = [...row].map((owner) => members[owner]?.zone);
          for (const zone of zones) {
            expect(zones.filter((other) => other === zone).length).to.be.at.most(zoneMax);
          }
        }
      }),
      runs,
    );
  });

  it('loads members by weight, within one partition, wherever zones leave the choice', () => {
    fc.assert(
      fc.property(wanted(weights), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        const members = inOrder(layout, candidates);
        const { owned } = partitionsOf(layout);
        const zoneMax = zoneMaxOf(candidates, layout.n) * partitions;
        const heldBy = (zone: string): number =>
          owned.reduce((all, held, at) => all + (members[at]?.zone === zone ? held : 0), 0);
        // Whoever could hold more is no further below its share than anybody is above it.
        for (const [poor, has] of owned.entries()) {
          const { zone, weight } = members[poor] ?? { zone: '', weight: 1 };
          if (has === partitions) continue;
          const zoneIsFull = heldBy(zone) === zoneMax;
          for (const [rich, holds] of owned.entries()) {
            const other = members[rich] ?? { zone: '', weight: 1 };
            if (zoneIsFull && other.zone !== zone) continue;
            expect((has + 1) / weight).to.be.above((holds - 1) / other.weight - 1e-9);
          }
        }
      }),
      runs,
    );
  });

  it('makes members of equal weight first equally often, within one, whatever their zones', () => {
    fc.assert(
      fc.property(wanted(fc.constant(3)), ({ candidates, partitions, n }) => {
        const { first } = partitionsOf(firstLayout(candidates, partitions, n));
        expect(spreadOf(first)).to.be.at.most(1);
      }),
      runs,
    );
  });

  it('makes members first by weight, within one, where no zone or size is in the way', () => {
    const free = wanted(weights).filter(({ candidates, n }) => {
      const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
      return candidates.every(({ weight }) => weight * Math.min(n, candidates.length) <= total);
    });
    fc.assert(
      fc.property(free, ({ candidates: drawn, partitions, n }) => {
        const candidates = drawn.map((candidate) => ({ ...candidate, zone: '' }));
        const layout = firstLayout(candidates, partitions, n);
        const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
        for (const [member, first] of partitionsOf(layout).first.entries()) {
          const { weight } = candidateOf(candidates, layout.members[member]);
          expect(Math.abs(first - (partitions * weight) / total)).to.be.below(1);
        }
      }),
      runs,
    );
  });

  for (const count of [1, 2, 3, 4, 5, 7, 10]) {
    it(`is within one of even for ${count} members alike, for partitions and first places`, () => {
      const { owned, first } = partitionsOf(firstLayout(alike(count), 1024, 3));
      expect(spreadOf(owned)).to.be.at.most(1);
      expect(spreadOf(first)).to.be.at.most(1);
    });
  }

  for (const count of [3, 4, 5, 7, 10]) {
    it(`spreads what a member is first for over the ${count - 1} others`, () => {
      const { n, owners, partitions } = firstLayout(alike(count), 1024, 3);
      const follows = Array.from({ length: count }, () => new Array<number>(count).fill(0));
      for (let at = 0; at < partitions * n; at += n) {
        const row = follows[owners[at] ?? 0] ?? [];
        const second = owners[at + 1] ?? 0;
        row[second] = (row[second] ?? 0) + 1;
      }
      const even = partitions / count / (count - 1);
      for (const [member, row] of follows.entries()) {
        const others = row.filter((_, other) => other !== member);
        expect(Math.min(...others)).to.be.at.least(even * 0.8 - 1);
        expect(Math.max(...others)).to.be.at.most(even * 1.2 + 1);
      }
    });
  }
});
