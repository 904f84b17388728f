import { expect } from 'chai';
import fc from 'fast-check';
import {
  clampedInteger,
  databaseIndex,
  expiryForms,
  expiryInstant,
  expiryInstantOrPast,
  integer64,
  integerWithin,
  isWord,
  Options,
  parseInteger,
} from '../../lib/commands/arguments.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const nowMs = 1_767_225_600_000;

describe('arguments', () => {
  it('reads every signed 64-bit integer back from its text', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(int64, (value) => {
        expect(integer64(bytes(String(value)))).to.equal(value);
        expect(BigInt(parseInteger(bytes(String(value))) ?? 'x')).to.equal(value);
      }),
    );
  });

  for (const text of ['', '-', '+1', ' 1', '1 ', '01', '-0', '-01', '1.0', '0x1', '1e3', 'x']) {
    it(`refuses '${text}' as an integer`, () => {
      expect(() => integer64(bytes(text))).to.throw('ERR value is not an integer or out of range');
    });
  }

  it('refuses what does not fit 64 bits, with the text it is given', () => {
    for (const text of ['9223372036854775808', '-9223372036854775809', '99999999999999999999']) {
      expect(() => integer64(bytes(text), 'ERR no')).to.throw('ERR no');
    }
  });

  it('draws an index beyond the safe integers to the nearest of them', () => {
    expect(clampedInteger(bytes('9223372036854775807'))).to.equal(Number.MAX_SAFE_INTEGER);
    expect(clampedInteger(bytes('-9223372036854775808'))).to.equal(Number.MIN_SAFE_INTEGER);
    expect(clampedInteger(bytes('-9007199254740991'))).to.equal(Number.MIN_SAFE_INTEGER);
    expect(clampedInteger(bytes('-7'))).to.equal(-7);
  });

  it('keeps an integer within its bounds', () => {
    expect(integerWithin(bytes('3'), 1, 3)).to.equal(3);
    expect(() => integerWithin(bytes('4'), 1, 3, 'ERR no')).to.throw('ERR no');
    expect(() => integerWithin(bytes('0'), 1, 3)).to.throw('ERR value is not an integer');
  });

  it('tells a database that is not there from text that is no number', () => {
    expect(databaseIndex(bytes('15'), 16)).to.equal(15);
    expect(() => databaseIndex(bytes('16'), 16)).to.throw('ERR DB index is out of range');
    expect(() => databaseIndex(bytes('-1'), 16)).to.throw('ERR DB index is out of range');
    expect(() => databaseIndex(bytes('x'), 16)).to.throw('ERR value is not an integer');
  });

  it('compares words in any case, and only letters have one', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z-]{1,12}$/), fc.boolean(), (word, upper) => {
        expect(isWord(bytes(upper ? word.toUpperCase() : word), word)).to.equal(true);
        expect(isWord(bytes(`${word}x`), word)).to.equal(false);
      }),
    );
    expect(isWord(Buffer.from([0x0d]), '-')).to.equal(false);
    expect(isWord(bytes('@'), '`')).to.equal(false);
    expect(isWord(undefined, 'nx')).to.equal(false);
  });

  it('turns every form of expiry into the instant it means', () => {
    const at = (form: keyof typeof expiryForms, text: string): number =>
      expiryInstant({ form: expiryForms[form], text: bytes(text) }, nowMs, 'set');
    expect(at('ex', '10')).to.equal(nowMs + 10_000);
    expect(at('px', '10')).to.equal(nowMs + 10);
    expect(at('exat', '10')).to.equal(10_000);
    expect(at('pxat', '10')).to.equal(10);
  });

  it('refuses an expiry of zero, below it, or beyond 64 bits of milliseconds', () => {
    for (const text of ['0', '-1', '9223372036854775807', '9223372036854775']) {
      const option = { form: expiryForms.ex, text: bytes(text) };
      expect(() => expiryInstant(option, nowMs, 'setex'), text).to.throw(
        "ERR invalid expire time in 'setex' command",
      );
    }
    const option = { form: expiryForms.px, text: bytes('9223372036854775807') };
    expect(() => expiryInstant(option, nowMs, 'getex')).to.throw('ERR invalid expire time');
  });

  it('takes an instant in the past where that means now, and never makes it 0', () => {
    const at = (form: keyof typeof expiryForms, text: string): number =>
      expiryInstantOrPast({ form: expiryForms[form], text: bytes(text) }, nowMs, 'expire');
    expect(at('ex', '-1')).to.equal(nowMs - 1000);
    expect(at('pxat', '0')).to.equal(1);
    expect(at('exat', '-9223372036854775')).to.equal(1);
    expect(() => at('ex', '-9223372036854776')).to.throw("invalid expire time in 'expire'");
  });

  it('draws an instant beyond the year 10889 to the last that is storable', () => {
    const option = { form: expiryForms.pxat, text: bytes('9223372036854775807') };
    expect(expiryInstant(option, nowMs, 'set')).to.equal(2 ** 48 - 1);
  });

  it('walks options in any order, and misses a value that is not there', () => {
    const options = new Options(['SET', 'k', 'v', 'NX', 'pX', '5', 'EX'].map(bytes), 3);
    expect(options.take('xx')).to.equal(false);
    expect(options.take('nx')).to.equal(true);
    expect(options.expiry()).to.deep.equal({ form: expiryForms.px, text: bytes('5') });
    expect(() => options.expiry()).to.throw('ERR syntax error');
    expect(options.done).to.equal(true);
  });
});
