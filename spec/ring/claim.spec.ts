/** The first layout: legal, fair, spread, and the same whoever computes it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { firstLayout } from '../../lib/ring/claim.ts';
import { encodeLayout, faultOfLayout } from '../../lib/ring/layout.ts';
import { partitionsOf } from '../../lib/ring/preference-list.ts';
import { alike, wanted } from './arbitraries.ts';
import {
  expectFair,
  expectFirstsByWeight,
  expectSixOfThreeZones,
  expectSpread,
  isFree,
  sixOfThreeZones,
  spreadOf,
} from './fairness.ts';

const weights = fc.integer({ min: 1, max: 10 });
const runs = { numRuns: 1000 };

describe('the first layout', () => {
  it('gives each partition N distinct owners, or all members where there are fewer', () => {
    fc.assert(
      fc.property(wanted(weights), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        expect(faultOfLayout(layout)).to.equal(undefined);
        expect(layout).to.include({ version: 1, partitions, n: Math.min(n, candidates.length) });
        expect(layout.removed).to.deep.equal([]);
        const listed = layout.members.map((id, index) => {
          const [weight, zone] = [layout.weights[index], layout.zones[index]];
          return { id, weight, zone };
        });
        expect(listed).to.have.deep.members([...candidates]);
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
        expectSpread(firstLayout(candidates, partitions, n));
      }),
      runs,
    );
  });

  it('loads members by weight, within one partition, wherever zones leave the choice', () => {
    fc.assert(
      fc.property(wanted(weights), ({ candidates, partitions, n }) => {
        expectFair(firstLayout(candidates, partitions, n));
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
    const free = wanted(weights).filter(({ candidates, n }) => isFree(candidates, n));
    fc.assert(
      fc.property(free, ({ candidates: drawn, partitions, n }) => {
        const candidates = drawn.map((candidate) => ({ ...candidate, zone: '' }));
        expectFirstsByWeight(firstLayout(candidates, partitions, n));
      }),
      runs,
    );
  });

  it('spreads over three zones of two nodes of weights 1 and 2, within a partition', () => {
    expectSixOfThreeZones(firstLayout(sixOfThreeZones, 1024, 3));
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
