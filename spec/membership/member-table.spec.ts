/** What a node knows of all members, and how two nodes find where they differ. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Entry, entryStates } from '../../lib/membership/member-entry.ts';
import { bucketIndexOf, MemberTable } from '../../lib/membership/member-table.ts';
import { entryOf, idOf } from './gossip-world.ts';

const puts = fc.array(
  fc.record({
    index: fc.nat(20),
    incarnation: fc.integer({ min: 1, max: 3 }),
    state: fc.constantFrom(...entryStates),
  }),
);

function tableOf(entries: Iterable<Entry>): MemberTable {
  const table = new MemberTable();
  for (const entry of entries) table.put(entry, 0);
  return table;
}

describe('the table of members', () => {
  it('has the digests of what is in it, however it got there', () => {
    fc.assert(
      fc.property(puts, (changes) => {
        const entries = changes.map(({ index, ...change }) => entryOf(index, change));
        const table = tableOf(entries);
        const again = tableOf([...table.entries()].reverse());
        expect(again.digest.equals(table.digest)).to.equal(true);
        expect(again.differing(table.digests)).to.deep.equal([]);
        const present = [...table.entries()].filter(({ id }) => table.isPresent(id));
        expect(table.presentCount).to.equal(present.length);
        expect([...table.ids].sort()).to.deep.equal(
          [...table.entries()].map(({ id }) => id).sort(),
        );
      }),
    );
  });

  it('names the one bucket in which another table differs', () => {
    const entries = Array.from({ length: 200 }, (_, index) => entryOf(index));
    const table = tableOf(entries);
    for (const [change, index] of [
      [{ state: 'down' as const }, 17],
      [{ nonce: 99 }, 44],
      [{ twins: [1, 2] }, 3],
    ] as const) {
      const other = tableOf(entries);
      other.put(entryOf(index, change), 0);
      expect(other.digest.equals(table.digest)).to.equal(false);
      expect(other.differing(table.digests)).to.deep.equal([bucketIndexOf(idOf(index))]);
      expect([...other.inBucket(bucketIndexOf(idOf(index)))].map(({ id }) => id)).to.include(
        idOf(index),
      );
    }
  });

  it('has the same digest before and after it forgets who left', () => {
    const table = tableOf([0, 1, 2].map((index) => entryOf(index)));
    table.put(entryOf(1, { state: 'left' }), 1000);
    const digest = Buffer.from(table.digest);
    expect(digest.equals(tableOf([0, 2].map((index) => entryOf(index))).digest)).to.equal(true);
    table.forgetLeft(1000);
    expect(table.get(idOf(1))?.state).to.equal('left');
    table.forgetLeft(1001);
    expect(table.get(idOf(1))).to.equal(undefined);
    expect([...table.ids].sort()).to.deep.equal([idOf(0), idOf(2)].sort());
    expect(table.digest.equals(digest)).to.equal(true);
  });
});
