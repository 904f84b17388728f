import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import type { Update } from '../../lib/updates/update.ts';
import { decodeUpdate, updateBytes, writeUpdate } from '../../lib/updates/update-codec.ts';

function encode(update: Update, before = 0, behind = 0): Buffer {
  const bytes = Buffer.alloc(before + updateBytes(update) + behind, 0xaa);
  expect(writeUpdate(bytes, before, update)).to.equal(bytes.length - behind);
  return bytes;
}

function decode(bytes: Buffer): Update {
  return decodeUpdate(bytes, 0, bytes.length);
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((found) => Buffer.from(found));
const instant = fc.oneof(
  fc.constant(1),
  fc.maxSafeNat().map((at) => Math.max(1, at)),
);
const flag = fc.boolean();

const anySet: fc.Arbitrary<Update> = fc.record(
  {
    kind: fc.constant('set' as const),
    bytes,
    expireAtMs: fc.oneof(fc.constant(0), fc.constant('keep' as const), instant),
    condition: fc.constantFrom('nx' as const, 'xx' as const),
    readsOld: fc.constant(true),
  },
  { requiredKeys: ['kind', 'bytes', 'expireAtMs'], noNullPrototype: true },
);
const anyExpire: fc.Arbitrary<Update> = fc
  .tuple(instant, flag, flag, flag, flag)
  .map(([expireAtMs, nx, xx, gt, lt]) => ({
    kind: 'expire',
    expireAtMs,
    condition: { nx, xx, gt, lt },
  }));
const anyUpdate: fc.Arbitrary<Update> = fc.oneof(
  anySet,
  anyExpire,
  bytes.map((found) => ({ kind: 'append', bytes: found }) as const),
  fc
    .tuple(fc.maxSafeNat(), bytes)
    .map(([offset, found]) => ({ kind: 'set-range', offset, bytes: found }) as const),
  fc
    .tuple(fc.maxSafeNat(), fc.constantFrom(0 as const, 1 as const))
    .map(([offset, bit]) => ({ kind: 'set-bit', offset, bit }) as const),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((by) => ({ kind: 'increment', by }) as const),
  fc.double().map((by) => ({ kind: 'increment-float', by: String(by) }) as const),
  fc.constantFrom({ kind: 'persist' } as const, { kind: 'delete' } as const),
);

describe('update codec', () => {
  it('has the layout that other versions read: codes and flags are only ever added', () => {
    const hi = Buffer.from('hi');
    const condition = { nx: false, xx: true, gt: true, lt: false };
    const known: readonly (readonly [Update, string])[] = [
      [{ kind: 'set', bytes: hi, expireAtMs: 0 }, '01006869'],
      [{ kind: 'set', bytes: hi, expireAtMs: 258 }, '0101000000000001026869'],
      [{ kind: 'set', bytes: hi, expireAtMs: 'keep', condition: 'nx' }, '01066869'],
      [{ kind: 'set', bytes: hi, expireAtMs: 0, condition: 'xx', readsOld: true }, '01186869'],
      [{ kind: 'append', bytes: hi }, '026869'],
      [{ kind: 'set-range', offset: 9, bytes: hi }, '03000000000000096869'],
      [{ kind: 'set-bit', offset: 9, bit: 1 }, '040000000000000901'],
      [{ kind: 'increment', by: -2n }, '05fffffffffffffffe'],
      [{ kind: 'increment-float', by: '1.5' }, '06312e35'],
      [{ kind: 'expire', expireAtMs: 9, condition }, '070000000000000906'],
      [{ kind: 'persist' }, '08'],
      [{ kind: 'delete' }, '09'],
    ];
    for (const [update, hex] of known) {
      expect(encode(update).toString('hex'), update.kind).to.equal(hex);
    }
  });

  it('gives back what it was given, at any offset', () => {
    fc.assert(
      fc.property(anyUpdate, fc.nat({ max: 9 }), fc.nat({ max: 9 }), (update, before, behind) => {
        const found = encode(update, before, behind);
        expect(decodeUpdate(found, before, found.length - behind)).to.deep.equal(update);
      }),
      { numRuns: 500 },
    );
  });

  it('hands out values as views of what it read', () => {
    const found = encode({ kind: 'append', bytes: Buffer.from('hi') });
    const update = decode(found);
    found.fill('!', 1);
    expect(update).to.deep.equal({ kind: 'append', bytes: Buffer.from('!!') });
  });

  it('refuses what is not canonical, though it could be read', () => {
    const refused: readonly (readonly [string, string])[] = [
      ['', 'too early'],
      ['00', 'update kind 0 is not known'],
      ['0a', 'update kind 10 is not known'],
      ['0120', 'canonical'],
      ['010c', 'canonical'],
      ['0103', 'canonical'],
      ['010100000000000000', 'canonical'],
      ['0101ff000000000000', 'above all limits'],
      ['0400000000000000', 'too early'],
      ['040000000000000002', 'canonical'],
      ['04000000000000000100', 'behind its end'],
      ['070000000000000910', 'canonical'],
      ['0800', 'behind its end'],
      ['0900', 'behind its end'],
    ];
    for (const [hex, text] of refused) {
      expect(() => decode(Buffer.from(hex, 'hex')), hex).to.throw(CodecError, text);
    }
  });

  it('reads any bytes as the update that they are the only form of, or refuses them', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    const mutated = fc
      .tuple(anyUpdate, fc.array(change, { maxLength: 4 }))
      .map(([update, list]) => {
        const found = encode(update);
        for (const [at, value] of list) found[at % found.length] = value;
        return found;
      });
    const noise = fc
      .tuple(fc.nat({ max: 11 }), fc.uint8Array({ maxLength: 20 }))
      .map(([code, rest]) => Buffer.from([code, ...rest]));
    fc.assert(
      fc.property(fc.oneof(mutated, noise), (found) => {
        let update: Update;
        try {
          update = decode(found);
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
          return;
        }
        expect(encode(update).equals(found)).to.equal(true);
      }),
      { numRuns: 3000 },
    );
  });
});
