import { expect } from 'chai';
import fc from 'fast-check';
import { halfSipHash } from '../../lib/base/keyed-hash.ts';

/** The reference vectors: key 00 01 .. 07, message 00 01 .. (length - 1). */
const vectors = [
  0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a, 0x69b6fac5, 0x23fc6358, 0xc563cf8b,
  0x8f84b8d0, 0x79e706f8, 0x3479b094, 0x50300808, 0x2f87f057, 0xff63e677, 0x7cf8ffd6, 0x972bfe74,
  0x84acb5d9, 0x5b6474c4, 0x9b8d5b46, 0x87e3ef7b, 0x45104de3, 0xb3623f61, 0xfe67f370, 0xbdb8ade6,
];

/** The definition, word by word in unbounded integers; shares nothing with the code under test. */
function byDefinition(k0: number, k1: number, bytes: Uint8Array): number {
  const word = 2n ** 32n;
  const left = (x: bigint, n: bigint) => ((x << n) | (x >> (32n - n))) % word;
  const [a, b] = [BigInt(k0), BigInt(k1)];
  let v = [a, b, 0x6c796765n ^ a, 0x74656462n ^ b] as [bigint, bigint, bigint, bigint];
  const round = () => {
    let [v0, v1, v2, v3] = v;
    v0 = (v0 + v1) % word;
    v1 = left(v1, 5n) ^ v0;
    v0 = left(v0, 16n);
    v2 = (v2 + v3) % word;
    v3 = left(v3, 8n) ^ v2;
    v0 = (v0 + v3) % word;
    v3 = left(v3, 7n) ^ v0;
    v2 = (v2 + v1) % word;
    v1 = left(v1, 13n) ^ v2;
    v2 = left(v2, 16n);
    v = [v0, v1, v2, v3];
  };
  const padded = Buffer.alloc(Math.floor(bytes.length / 4) * 4 + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length % 256;
  for (let at = 0; at < padded.length; at += 4) {
    const m = BigInt(padded.readUInt32LE(at));
    v[3] ^= m;
    round();
    round();
    v[0] ^= m;
  }
  v[2] ^= 0xffn;
  for (let n = 0; n < 4; n += 1) round();
  return Number(v[1] ^ v[3]);
}

describe('keyed hash', () => {
  it('answers the reference vectors of HalfSipHash-2-4', () => {
    const message = Buffer.from(vectors.map((_, index) => index));
    const found = vectors.map((_, length) =>
      halfSipHash(0x03020100, 0x07060504, message.subarray(0, length)),
    );
    expect(found).to.deep.equal(vectors);
  });

  it('answers as the definition does, for every key and message', () => {
    const u32 = fc.nat({ max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(u32, u32, fc.uint8Array({ maxLength: 300 }), (k0, k1, bytes) => {
        expect(halfSipHash(k0, k1, bytes)).to.equal(byDefinition(k0, k1, bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('takes a key half as signed or unsigned alike', () => {
    const bytes = Buffer.from('user:{42}:cart');
    expect(halfSipHash(-1, -2, bytes)).to.equal(halfSipHash(0xffffffff, 0xfffffffe, bytes));
  });
});
