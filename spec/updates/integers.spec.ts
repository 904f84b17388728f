import { expect } from 'chai';
import fc from 'fast-check';
import { int64Max, int64Min, parseInt64 } from '../../lib/updates/integers.ts';

const parse = (text: string) => parseInt64(Buffer.from(text, 'latin1'));

describe('64-bit integer text', () => {
  it('reads every signed 64-bit number from its canonical text', () => {
    const any = fc.oneof(
      fc.bigInt({ min: int64Min, max: int64Max }),
      fc.maxSafeInteger().map(BigInt),
      fc.constantFrom(int64Min, int64Max, 0n, -1n, 10n ** 15n, -(10n ** 15n), 10n ** 18n),
    );
    fc.assert(
      fc.property(any, (value) => {
        expect(parse(value.toString())).to.equal(value);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses every other text', () => {
    // biome-ignore format: a list of texts
    const refused = [
      '', '-', '+1', ' 1', '1 ', '01', '00', '-0', '-01', '1.0', '1e3', '0x1', '--1', 'abc', '1a',
      '12345678901234567x', '9223372036854775808', '-9223372036854775809', '99999999999999999999',
      '100000000000000000000', '1\n', '1\0', '\xb2',
    ];
    for (const text of refused) expect(parse(text), JSON.stringify(text)).to.equal(undefined);
  });

  it('accepts exactly what prints back to itself', () => {
    const text = fc.string({ unit: fc.constantFrom(...'-+0123456789 .'), maxLength: 22 });
    fc.assert(
      fc.property(text, (digits) => {
        const whole = /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
        const fits = whole !== undefined && whole >= int64Min && whole <= int64Max;
        const canonical = fits && whole.toString() === digits;
        expect(parse(digits)).to.equal(canonical ? whole : undefined);
      }),
      { numRuns: 1000 },
    );
  });
});
