import { expect } from 'chai';
import fc from 'fast-check';
import {
  addLongDoubles,
  formatLongDouble,
  parseLongDouble,
} from '../../lib/updates/long-double.ts';

const parse = (text: string) => parseLongDouble(Buffer.from(text, 'latin1'));

/** undefined: a summand is no float; 'infinite': the sum is not finite. */
function add(a: string, b: string): string | undefined {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return undefined;
  return formatLongDouble(addLongDoubles(x, y)) ?? 'infinite';
}

/** What redis-server 7.0.15 on x86-64 answered to SET k <a>, INCRBYFLOAT k <b>. */
const sums: readonly (readonly [a: string, b: string, sum: string])[] = [
  ['5', '0.1', '5.1'],
  ['0.1', '0.2', '0.3'],
  ['10.50', '0.1', '10.6'],
  ['3.0e3', '200', '3200'],
  ['1', '1e-17', '1.00000000000000001'],
  ['1', '5e-18', '1'],
  ['0', '-5e-18', '0'],
  ['0', '1.5e-17', '0.00000000000000002'],
  ['0', '2.5e-17', '0.00000000000000002'],
  ['1e20', '1', '100000000000000000000'],
  ['18446744073709551615', '1', '18446744073709551616'],
  ['18446744073709551616', '1', '18446744073709551616'],
  ['36893488147419103233', '2', '36893488147419103232'],
  ['99999999999999999999', '0.5', '100000000000000000000'],
  ['1e16', '0.123456789012345678', '10000000000000000.123046875'],
  ['123456789.987654321', '0.000000000000000001', '123456789.98765432099753525'],
  ['3.14159265358979323846', '2.71828182845904523536', '5.85987448204883847'],
  ['-0', '-0', '0'],
  ['-1e-30', '0', '0'],
  ['-7.25', '7', '-0.25'],
  ['1.5', '-1.5', '0'],
  ['+3', '.5', '3.5'],
  ['3.', '1', '4'],
  ['0x10', '0x1p-3', '16.125'],
  ['0x.8', '0', '0.5'],
  ['1e-4940', '0', '0'],
  ['1e-4950', '1', '1'],
  ['1.1e4932', '1.1e4932', 'infinite'],
  ['inf', '1', 'infinite'],
  ['-Infinity', 'inf', 'infinite'],
];

describe('long double', () => {
  for (const [a, b, sum] of sums) {
    it(`adds ${a} and ${b} to ${sum}, as Redis does`, () => {
      expect(add(a, b)).to.equal(sum);
      expect(add(b, a)).to.equal(sum);
    });
  }

  it('prints its largest values in full', () => {
    const text = add('1e4932', '0x1p-1') ?? '';
    expect(text).to.have.length(4933);
    expect(text).to.match(/^1000000000000000000006018949387963891323\d+1886622720$/);
  });

  it('refuses what is no float, overflows, or underflows to zero', () => {
    // biome-ignore format: a list of texts
    const refused = [
      '', 'abc', 'nan', ' 1', '1 ', '\n1', '1\n', '1e', '1e+', 'e5', '.', '+', '-', '--1', '0x',
      '0x.p1', '0x1p', '1.2.3', '1e5.5', '1_0', '1,5', 'infinit', '1\0', '1e4933', '-1e4933',
      '1e-4960', '1e999999999999999999999', '1e-999999999999999999999', '0x1p99999', '0x1p-99999',
    ];
    for (const text of refused) expect(parse(text), JSON.stringify(text)).to.equal(undefined);
    expect(parse('1'.repeat(5120))).to.equal(undefined);
  });

  it('reads zero whatever its exponent', () => {
    for (const text of ['0e999999999', '-0.000e-99999', '0x0p99999', '.0']) {
      expect(add(text, '1')).to.equal('1');
    }
  });

  it('adds integers below 2^64 exactly', () => {
    const half = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n });
    fc.assert(
      fc.property(half, half, (a, b) => {
        expect(add(a.toString(), b.toString())).to.equal((a + b).toString());
      }),
    );
  });

  it('adds and prints binary fractions exactly', () => {
    const sixteenths = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(sixteenths, sixteenths, (a, b) => {
        expect(add(String(a / 16), String(b / 16))).to.equal(String((a + b) / 16));
      }),
    );
  });

  it('takes its time from the length of the text, not from what it says', () => {
    const nines = '9'.repeat(5000);
    for (const text of [`${nines}x`, `0x${nines}x`, `.${nines}x`, nines, `${nines}e-9000`]) {
      const value = parse(text);
      if (text.endsWith('x') || text === nines) expect(value).to.equal(undefined);
    }
  });
});
