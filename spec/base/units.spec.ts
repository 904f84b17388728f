import { expect } from 'chai';
import { humanSize, parseInteger, parseSize } from '../../lib/base/units.ts';

describe('units', () => {
  it('reads sizes as redis.conf writes them, in either case', () => {
    const sizes: readonly [string, number][] = [
      ['0', 0],
      ['100', 100],
      ['7b', 7],
      ['1k', 1000],
      ['1kb', 1024],
      ['3M', 3_000_000],
      ['3Mb', 3 * 1024 ** 2],
      ['2g', 2_000_000_000],
      ['2GB', 2 * 1024 ** 3],
    ];
    for (const [text, bytes] of sizes) expect(parseSize(text), text).to.equal(bytes);
  });

  it('answers undefined for what is no size, or none that a number can hold', () => {
    for (const text of ['', ' 1', '-1', '1.5mb', 'kb', '1tb', '1e3', '999999999999999gb']) {
      expect(parseSize(text), text).to.equal(undefined);
    }
  });

  it('answers undefined for what is no integer, or not a safe one', () => {
    expect([parseInteger('-12'), parseInteger('007')]).to.deep.equal([-12, 7]);
    for (const text of ['', '+1', '1.0', '0x1', '9007199254740992', '1 ']) {
      expect(parseInteger(text), text).to.equal(undefined);
    }
  });

  it('shows sizes as INFO does', () => {
    const shown: readonly [number, string][] = [
      [0, '0B'],
      [1023, '1023B'],
      [1024, '1.00K'],
      [1_500_000, '1.43M'],
      [3 * 1024 ** 3, '3.00G'],
      [2048 * 1024 ** 4, '2048.00T'],
    ];
    for (const [bytes, text] of shown) expect(humanSize(bytes)).to.equal(text);
  });
});
