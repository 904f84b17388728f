/** Which of two pieces of knowledge of a member holds: laws over all of them. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import {
  decodeEntry,
  type Entry,
  encodeEntry,
  entryStates,
  mergeEntries,
  supersedes,
} from '../../lib/membership/member-entry.ts';

const id = '0123456789abcdef0123456789abcdef01234567';
const text = fc.string({ unit: 'grapheme', maxLength: 8 });
const port = fc.nat(65_535);

/** Few values each, so that entries are often equal in part. */
const entries: fc.Arbitrary<Entry> = fc.record({
  id: fc.constant(id),
  incarnation: fc.constantFrom(1, 2, 2 ** 20, 2 ** 52),
  state: fc.constantFrom(...entryStates),
  facts: fc.record({
    name: fc.constantFrom('a', 'b'),
    host: text,
    port,
    peerPort: port,
    zone: fc.constantFrom('', 'x'),
    weight: fc.constantFrom(1, 7),
  }),
  nonce: fc.constantFrom(1, 2, 2 ** 48 - 1),
  twins: fc.uniqueArray(fc.nat(30), { maxLength: 12 }).map((twins) => twins.sort((a, b) => a - b)),
});

function entry(state: Entry['state'], incarnation: number): Entry {
  const facts = { name: 'n', host: 'h', port: 1, peerPort: 2, zone: '', weight: 1 };
  return { id, incarnation, state, facts, nonce: 5, twins: [] };
}

describe('an entry of a member', () => {
  it('merges in any order, in any grouping, any number of times, to the same', () => {
    fc.assert(
      fc.property(entries, entries, entries, (a, b, c) => {
        expect(mergeEntries(a, b)).to.deep.equal(mergeEntries(b, a));
        expect(mergeEntries(mergeEntries(a, b), c)).to.deep.equal(
          mergeEntries(a, mergeEntries(b, c)),
        );
        expect(mergeEntries(a, a)).to.equal(a);
        const merged = mergeEntries(a, b);
        expect(mergeEntries(merged, a)).to.equal(merged);
        expect(mergeEntries(merged, b)).to.equal(merged);
      }),
      { numRuns: 2000 },
    );
  });

  it('is never superseded by what it has been merged with', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const merged = mergeEntries(a, b);
        expect(supersedes(a, merged)).to.equal(false);
        expect(supersedes(b, merged)).to.equal(false);
        expect(supersedes(a, b) && supersedes(b, a)).to.equal(false);
      }),
    );
  });

  const beats: readonly (readonly [Entry['state'], readonly Entry['state'][], boolean])[] = [
    ['alive', ['alive', 'suspect', 'down', 'left'], false],
    ['suspect', ['alive'], true],
    ['suspect', ['suspect', 'down', 'left'], false],
    ['down', ['alive', 'suspect'], true],
    ['down', ['down', 'left'], false],
    ['left', ['alive', 'suspect', 'down'], true],
  ];
  for (const [state, others, atEqual] of beats) {
    it(`beats as ${state} ${others.join(', ')} ${atEqual ? 'from' : 'above'} its incarnation`, () => {
      for (const other of others) {
        expect(supersedes(entry(state, 7), entry(other, 7)), other).to.equal(atEqual);
        expect(supersedes(entry(state, 8), entry(other, 7)), other).to.equal(true);
        expect(supersedes(entry(state, 6), entry(other, 7)), other).to.equal(false);
      }
    });
  }

  it('gathers twins under one incarnation, and a higher one starts anew', () => {
    const [a, b] = [
      { ...entry('alive', 3), twins: [1, 5] },
      { ...entry('alive', 3), twins: [2, 5] },
    ];
    expect(mergeEntries(a, b).twins).to.deep.equal([1, 2, 5]);
    expect(mergeEntries(a, entry('alive', 4)).twins).to.deep.equal([]);
  });

  it('comes back from its bytes', () => {
    fc.assert(
      fc.property(entries, (a) => {
        expect(decodeEntry(encodeEntry(a))).to.deep.equal(a);
      }),
    );
    expect(encodeEntry(entry('alive', 2 ** 40)).length).to.be.below(100);
  });

  it('refuses damaged bytes with a CodecError, whatever they are', () => {
    const bytes = encodeEntry({ ...entry('alive', 9), twins: [3, 4] });
    for (let at = 0; at < bytes.length; at += 1) {
      expect(() => decodeEntry(bytes.subarray(0, at))).to.throw(CodecError);
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        try {
          decodeEntry(damaged);
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
        }
      }),
    );
  });
});
