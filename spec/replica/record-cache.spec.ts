import { expect } from 'chai';
import fc from 'fast-check';
import { RecordCache } from '../../lib/replica/record-cache.ts';

const key = (number: number): Buffer => Buffer.from(`key:${number}`);
/** Few different hashes, so that probing and colliding keys are the rule. */
const hashOf = (number: number): number => (Math.imul(number % 37, 0x9e3779b9) >>> 0) % 4096;

describe('record cache', () => {
  it('answers what was put last, that a key is absent, or that it knows nothing', () => {
    const cache = new RecordCache(1024 * 1024);
    expect(cache.get(1, key(1))).to.equal(undefined);
    cache.put(1, key(1), Buffer.from('one'));
    cache.put(1, key(2), Buffer.alloc(0));
    expect(cache.get(1, key(1))?.toString()).to.equal('one');
    expect(cache.get(1, key(2))?.length).to.equal(0);
    expect(cache.get(2, key(1))).to.equal(undefined);
    cache.remove(1, key(1));
    expect(cache.get(1, key(1))).to.equal(undefined);
  });

  it('never answers anything but the last row, whatever it forgets', () => {
    const operation = fc.record({
      kind: fc.constantFrom('put', 'put', 'put', 'get', 'remove'),
      number: fc.nat(200),
      length: fc.oneof(fc.constant(100), fc.nat(3000), fc.integer({ min: 15_000, max: 20_000 })),
    });
    fc.assert(
      fc.property(fc.array(operation, { minLength: 100, maxLength: 600 }), (operations) => {
        const cache = new RecordCache(200 * 1024);
        const rows = new Map<number, Buffer>();
        operations.forEach(({ kind, number, length }, step) => {
          if (kind === 'put') {
            const row = Buffer.alloc(length, `${number}.${step};`);
            cache.put(hashOf(number), key(number), row);
            rows.set(number, row);
          } else if (kind === 'remove') {
            cache.remove(hashOf(number), key(number));
            rows.delete(number);
          }
          const found = cache.get(hashOf(number), key(number));
          if (found !== undefined)
            expect(found.equals(rows.get(number) ?? Buffer.of(1))).to.equal(true);
          expect(cache.bytes).to.be.at.most(256 * 1024);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('stays within its bytes and keeps the newest', () => {
    const bytesMax = 2 * 1024 * 1024;
    const cache = new RecordCache(bytesMax);
    for (let number = 0; number < 100_000; number += 1) {
      cache.put(Math.imul(number, 0x9e3779b9) >>> 0, key(number), Buffer.alloc(100, number % 251));
    }
    expect(cache.bytes).to.be.at.most(bytesMax);
    expect(cache.count).to.be.within(5_000, 20_000);
    const newest = cache.get(Math.imul(99_999, 0x9e3779b9) >>> 0, key(99_999));
    expect(newest?.[0]).to.equal(99_999 % 251);
  });

  it('gives a row that is read a second chance over rows that are not', () => {
    const cache = new RecordCache(1024 * 1024);
    const hot = key(-1);
    cache.put(7, hot, Buffer.alloc(100, 1));
    for (let number = 0; number < 50_000; number += 1) {
      cache.put(Math.imul(number, 0x9e3779b9) >>> 0, key(number), Buffer.alloc(100));
      if (number % 100 === 0) expect(cache.get(7, hot)?.[0], `after ${number}`).to.equal(1);
    }
  });

  it('does not keep what would fill a quarter of a slab, and forgets the smaller row before it', () => {
    const cache = new RecordCache(1024 * 1024);
    cache.put(1, key(1), Buffer.alloc(10));
    cache.put(1, key(1), Buffer.alloc(100_000));
    expect(cache.get(1, key(1))).to.equal(undefined);
  });
});
