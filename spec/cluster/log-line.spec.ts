import { expect } from 'chai';
import fc from 'fast-check';
import { LineSplitter, readableLine } from '../../lib/cluster/log-line.ts';

describe('log of a local ring', () => {
  it('shows time, level, node, message and fields of a line', () => {
    const entry = {
      level: 'notice',
      time: '2026-11-20T12:34:56.789Z',
      pid: 77,
      peer: 'n2',
      ms: 12,
      reason: 'wrong secret',
      names: ['a', 'b'],
      msg: 'refused a peer',
    };
    expect(readableLine('n1', JSON.stringify(entry))).to.equal(
      '12:34:56.789 notice  n1  refused a peer peer=n2 ms=12 reason="wrong secret" names=["a","b"]',
    );
  });

  it('shows what is no entry as it is, under the same columns', () => {
    for (const line of ['redynamo: the port is in use', '{broken', '']) {
      const shown = readableLine('n1', line);
      expect(shown.slice(21)).to.equal(`n1  ${line}`);
      expect(shown.slice(0, 21).trim()).to.equal('');
    }
  });

  it('shows any entry in one line', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (entry) => {
        const shown = readableLine('n1', JSON.stringify({ ...entry, msg: 'm' }));
        expect(shown.includes('\n')).to.equal(/\n/.test(Object.keys(entry).join('')));
      }),
    );
  });

  it('puts lines together wherever chunks break', () => {
    const lines = fc.array(fc.string().map((text) => text.replaceAll('\n', ' ')));
    fc.assert(
      fc.property(lines, fc.array(fc.nat()), (expected, cuts) => {
        const whole = expected.map((line) => `${line}\n`).join('');
        const found: string[] = [];
        const splitter = new LineSplitter((line) => found.push(line));
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length];
        places.sort((a, b) => a - b);
        for (const [index, place] of places.entries()) {
          splitter.take(whole.slice(places[index - 1] ?? 0, place));
        }
        splitter.finish();
        expect(found).to.deep.equal(expected);
      }),
    );
  });

  it('gives out a last line that has no end', () => {
    const found: string[] = [];
    const splitter = new LineSplitter((line) => found.push(line));
    splitter.take('a\nb');
    splitter.finish();
    splitter.finish();
    expect(found).to.deep.equal(['a', 'b']);
  });
});
