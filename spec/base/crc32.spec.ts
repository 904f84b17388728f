import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { crc32Of } from '../../lib/base/crc32.ts';

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
});
