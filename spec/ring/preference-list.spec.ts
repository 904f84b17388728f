/** Owners first, then everybody else; during a change the owners of both layouts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Change, nextLayout } from '../../lib/ring/changes.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import {
  type ActiveLayouts,
  PreferenceLists,
  partitionsOf,
  partitionsOwned,
} from '../../lib/ring/preference-list.ts';
import { alike, memberId, wanted } from './arbitraries.ts';

/** Members are called by their number in `memberId`, whatever the layout calls them. */
function numberOf(id: string): number {
  return Number.parseInt(id.slice(8), 16);
}

function numbersAt({ n, members, owners }: Layout, partition: number): readonly number[] {
  const row = owners.subarray(partition * n, (partition + 1) * n);
  return [...row].map((index) => numberOf(members[index] ?? ''));
}

function atRest(layout: Layout): ActiveLayouts {
  return { layouts: [layout], reading: layout };
}

function newcomer(index: number): Change {
  return { kind: 'join', candidate: { id: memberId(index), weight: 1, zone: '' } };
}

describe('a preference list', () => {
  it('names each member once: the owners as in the layout, then the fallbacks', () => {
    fc.assert(
      fc.property(wanted(fc.constant(1)), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        const lists = new PreferenceLists(atRest(layout), numberOf);
        for (let partition = 0; partition < partitions; partition += 1) {
          const owners = lists.owners(partition);
          expect(owners).to.deep.equal(numbersAt(layout, partition));
          expect(lists.sets(partition)).to.deep.equal([owners]);
          expect(lists.coordinators(partition)).to.deep.equal(owners);
          const all = [...owners, ...lists.fallbacks(partition)].sort((a, b) => a - b);
          expect(all).to.deep.equal(candidates.map((_, index) => index));
        }
      }),
    );
  });

  it('has, during a change, the owners of both layouts, and nobody of them as a fallback', () => {
    const anyChange = fc.constantFrom<readonly Change[]>(
      [newcomer(50)],
      [newcomer(50), newcomer(51)],
      [{ kind: 'weight', id: memberId(0), weight: 3 }],
    );
    fc.assert(
      fc.property(wanted(fc.constant(1)), anyChange, fc.boolean(), (before, changes, isRead) => {
        const older = firstLayout(before.candidates, before.partitions, before.n);
        const newest = nextLayout(older, changes, before.n);
        const layouts = [older, newest];
        const reading = isRead ? newest : older;
        const lists = new PreferenceLists({ layouts, reading }, numberOf);
        for (let partition = 0; partition < older.partitions; partition += 1) {
          const [was, will] = [numbersAt(older, partition), numbersAt(newest, partition)];
          expect(lists.coordinators(partition)).to.deep.equal(was);
          expect(lists.owners(partition)).to.deep.equal(isRead ? will : was);
          const isSame = [...was].sort().join() === [...will].sort().join();
          expect(lists.sets(partition)).to.deep.equal(isSame ? [was] : [was, will]);
          const all = [...was, ...will, ...lists.fallbacks(partition)];
          const ids = new Set(layouts.flatMap(({ members }) => members));
          expect(new Set(all)).to.deep.equal(new Set([...ids].map(numberOf)));
          expect(all).to.have.length(ids.size + was.filter((one) => will.includes(one)).length);
        }
      }),
    );
  });

  it('keeps the order of the fallbacks when the layout changes', () => {
    const older = firstLayout(alike(9), 64, 3);
    const newest = nextLayout(older, [{ kind: 'leave', id: memberId(4) }], 3);
    const [before, later] = [older, newest].map(
      (layout) => new PreferenceLists(atRest(layout), numberOf),
    );
    for (let partition = 0; partition < 64; partition += 1) {
      const [was, is] = [before, later].map((lists) => lists?.fallbacks(partition) ?? []);
      const both = was?.filter((one) => is?.includes(one));
      expect(is?.filter((one) => was?.includes(one))).to.deep.equal(both);
    }
  });

  it('hands out the same arrays every time', () => {
    const lists = new PreferenceLists(atRest(firstLayout(alike(6), 16, 3)), numberOf);
    expect(lists.owners(7)).to.equal(lists.owners(7));
    expect(lists.sets(7)).to.equal(lists.sets(7));
    expect(lists.fallbacks(7)).to.equal(lists.fallbacks(7));
  });

  it('spreads over all others what one member would have to stand in for', () => {
    const layout = firstLayout(alike(10), 1024, 3);
    const lists = new PreferenceLists(atRest(layout), numberOf);
    const standsIn = new Array<number>(10).fill(0);
    for (let partition = 0; partition < 1024; partition += 1) {
      if (!lists.owners(partition).includes(0)) continue;
      const fallback = lists.fallbacks(partition)[0] ?? 0;
      standsIn[fallback] = (standsIn[fallback] ?? 0) + 1;
    }
    const even = 1024 * 0.3 * (1 / 9);
    for (const count of standsIn.slice(1)) expect(count).to.be.within(even * 0.5, even * 1.5);
  });
});

describe('the partitions of a member', () => {
  it('are as many as the layout counts, ascending, and none of a stranger', () => {
    const layout = firstLayout(alike(5), 64, 3);
    const { owned, first } = partitionsOf(layout);
    for (const [index, id] of layout.members.entries()) {
      const partitions = partitionsOwned(layout, id);
      expect(partitions).to.have.length(owned[index] ?? 0);
      expect([...partitions].sort((a, b) => a - b)).to.deep.equal(partitions);
    }
    expect(first.reduce((sum, count) => sum + count)).to.equal(64);
    expect(partitionsOwned(layout, memberId(77))).to.deep.equal([]);
  });
});
