import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { crc32cOf, crc32Of } from '../../lib/base/crc32.ts';

describe('crc32', () => {
  it('agrees with zlib on any part of any bytes, from any seed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(300),
        fc.nat(0xffffffff),
        (raw, cut, seed) => {
          const bytes = Buffer.from(raw);
          const start = Math.min(cut, Math.max(0, bytes.length - 1));
          if (bytes.length === 0) return;
          expect(crc32Of(bytes, start, bytes.length, seed)).to.equal(
            crc32(bytes.subarray(start), seed),
          );
        },
      ),
    );
  });

  it('knows the other polynomial: the check value of CRC-32C, in one piece or two', () => {
    const bytes = Buffer.from('123456789');
    expect(crc32cOf(bytes, 0, 9, 0)).to.equal(0xe3069283);
    expect(crc32cOf(bytes, 2, 9, crc32cOf(bytes, 0, 2, 0))).to.equal(0xe3069283);
  });
});
