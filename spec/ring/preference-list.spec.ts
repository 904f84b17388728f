/** Owners first, then everybody else. */
import { expect } from 'chai';
import fc from 'fast-check';
import { firstLayout } from '../../lib/ring/claim.ts';
import { PreferenceLists } from '../../lib/ring/preference-list.ts';
import { alike, wanted } from './arbitraries.ts';

describe('a preference list', () => {
  it('names each member once: the owners as in the layout, then the fallbacks', () => {
    fc.assert(
      fc.property(wanted(fc.constant(1)), ({ candidates, partitions, n }) => {
        const layout = firstLayout(candidates, partitions, n);
        const lists = new PreferenceLists(layout);
        for (let partition = 0; partition < partitions; partition += 1) {
          const owners = lists.owners(partition);
          expect(owners).to.deep.equal([
            ...layout.owners.slice(partition * layout.n, (partition + 1) * layout.n),
          ]);
          const all = [...owners, ...lists.fallbacks(partition)].sort((a, b) => a - b);
          expect(all).to.deep.equal(candidates.map((_, index) => index));
        }
      }),
    );
  });

  it('hands out the same arrays every time', () => {
    const lists = new PreferenceLists(firstLayout(alike(6), 16, 3));
    expect(lists.owners(7)).to.equal(lists.owners(7));
    expect(lists.fallbacks(7)).to.equal(lists.fallbacks(7));
  });

  it('spreads over all others what one member would have to stand in for', () => {
    const layout = firstLayout(alike(10), 1024, 3);
    const lists = new PreferenceLists(layout);
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
