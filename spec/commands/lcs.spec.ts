import { expect } from 'chai';
import fc from 'fast-check';
import { longestCommonSubsequence } from '../../lib/commands/lcs.ts';
import { CommandBench } from '../support/command-bench.ts';

/** The length by its recursive definition. */
function lengthOf(a: string, b: string): number {
  if (a === '' || b === '') return 0;
  if (a.at(-1) === b.at(-1)) return 1 + lengthOf(a.slice(0, -1), b.slice(0, -1));
  return Math.max(lengthOf(a.slice(0, -1), b), lengthOf(a, b.slice(0, -1)));
}

describe('LCS', () => {
  it('finds a longest common subsequence, and ranges that spell it', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const { bytes, ranges } = longestCommonSubsequence(Buffer.from(a), Buffer.from(b));
        expect(bytes.length).to.equal(lengthOf(a, b));
        const inA = [...ranges].reverse().map((range) => a.slice(range.aFirst, range.aLast + 1));
        const inB = [...ranges].reverse().map((range) => b.slice(range.bFirst, range.bLast + 1));
        expect(inA.join('')).to.equal(bytes.toString());
        expect(inB.join('')).to.equal(bytes.toString());
      }),
      { numRuns: 500 },
    );
  });

  it('answers in all the forms of Redis', async () => {
    const places = [
      [
        [4, 7],
        [5, 8],
      ],
      [
        [2, 3],
        [0, 1],
      ],
    ];
    const withLengths = [
      [[4, 7], [5, 8], 4],
      [[2, 3], [0, 1], 2],
    ];
    await new CommandBench().answers([
      ['mset k1 ohmytext k2 mynewtext', '+OK'],
      ['lcs k1 k2', 'mytext'],
      ['lcs k1 k2 len', 6],
      ['lcs k1 k2 idx', { matches: places, len: 6 }],
      ['lcs k1 k2 IDX MINMATCHLEN 4', { matches: places.slice(0, 1), len: 6 }],
      ['lcs k1 k2 idx withmatchlen minmatchlen -1', { matches: withLengths, len: 6 }],
      ['lcs k1 missing', ''],
      ['lcs k1 missing idx', { matches: [], len: 0 }],
      ['lcs k1 k2 len idx', '-ERR If you want both the length and indexes, please just use IDX.'],
      ['lcs k1 k2 minmatchlen', '-ERR syntax error'],
      ['lcs k1 k2 minmatchlen x', '-ERR value is not an integer or out of range'],
      ['lcs k1 k2 foo', '-ERR syntax error'],
    ]);
  });

  it('refuses a table larger than proto-max-bulk-len', async () => {
    const bench = new CommandBench();
    await bench.run('set', 'a', 'x'.repeat(20_000));
    expect(await bench.run('lcs', 'a', 'a')).to.equal(
      '-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
    );
  });
});
