import { expect } from 'chai';
import fc from 'fast-check';
import { bitAt, countBits, findBit } from '../../lib/commands/bit-ranges.ts';

function bitsOf(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

describe('bit ranges', () => {
  // Runs of whole bytes of one kind, so that the walk by bytes is taken too.
  const byte = fc.oneof(fc.constantFrom(0x00, 0xff), fc.nat(255));
  const bytes = fc.array(byte, { minLength: 1, maxLength: 6 }).map((list) => Buffer.from(list));
  const range = bytes.chain((value) =>
    fc.tuple(fc.constant(value), fc.nat(value.length * 8 - 1), fc.nat(value.length * 8 - 1)),
  );

  it('agree with the bits written out as text', () => {
    fc.assert(
      fc.property(range, ([value, first, last]) => {
        const text = bitsOf(value);
        const part = text.slice(first, Math.max(first, last + 1));
        expect(bitAt(value, first)).to.equal(Number(text[first]));
        expect(countBits(value, first, last)).to.equal(part.replaceAll('0', '').length);
        for (const bit of [0, 1] as const) {
          const at = part.indexOf(String(bit));
          expect(findBit(value, bit, first, last)).to.equal(at < 0 ? -1 : first + at);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('read zeros behind the end', () => {
    expect(bitAt(Buffer.from([0xff]), 8)).to.equal(0);
    expect(bitAt(Buffer.from([0xff]), 2 ** 40)).to.equal(0);
  });
});
