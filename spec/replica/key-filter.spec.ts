import { expect } from 'chai';
import { KeyFilter } from '../../lib/replica/key-filter.ts';
import { SeededRandom } from '../sim/seeded-random.ts';

const seed = 20260;

function places(count: number, random: SeededRandom) {
  return Array.from({ length: count }, () => ({
    hash32: random.u48() % 2 ** 32,
    slot: random.below(16384),
    db: random.below(16),
  }));
}

describe('key filter', () => {
  it('never says no before it is complete', () => {
    const filter = new KeyFilter();
    expect(filter.mayHold({ hash32: 1, slot: 1, db: 0 })).to.equal(true);
    filter.markComplete();
    expect(filter.mayHold({ hash32: 1, slot: 1, db: 0 })).to.equal(false);
  });

  it('never says no to a key that was added, through all its layers', () => {
    const random = new SeededRandom(seed);
    const filter = new KeyFilter();
    const added = places(300_000, random);
    for (const place of added) filter.add(place);
    filter.markComplete();
    expect(added.every((place) => filter.mayHold(place))).to.equal(true);
  });

  it('says no to nearly all keys that were not', () => {
    const random = new SeededRandom(seed);
    const filter = new KeyFilter();
    for (const place of places(300_000, random)) filter.add(place);
    filter.markComplete();
    const wrong = places(50_000, random).filter((place) => filter.mayHold(place)).length;
    expect(wrong).to.be.below(1500);
  });
});
