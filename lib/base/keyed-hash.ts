/**
 * HalfSipHash-2-4 with 32 bits of output: the keyed hash that orders storage keys within a slot
 * (DESIGN 3.5). Keyed, so that nobody without the ring key can pile keys up under one hash; 32-bit
 * words, so that it runs on plain JavaScript integers.
 *
 * It is part of the stored format, of SCAN cursors and of the hash tree: once released it can never
 * change. Source: the reference code of Aumasson and Bernstein (veorq/SipHash), whose test vectors
 * the spec repeats.
 *
 *   v = (k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1)
 *   each word m (4 bytes, little-endian; the last one carries length mod 256 on top):
 *     v3 ^= m; two rounds; v0 ^= m
 *   v2 ^= 0xff; four rounds; v1 ^ v3
 */

/** `k0`, `k1`: the halves of the 64-bit key, any 32-bit integers. Answers 0..2^32-1. */
export function halfSipHash(k0: number, k1: number, bytes: Uint8Array): number {
  const length = bytes.length;
  const tail = length & 3;
  const wordsEnd = length - tail;
  let v0 = k0 | 0;
  let v1 = k1 | 0;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  // The word at `wordsEnd` holds what is left and the length; the one behind it ends the hash.
  for (let at = 0; at <= wordsEnd + 4; at += 4) {
    let word = 0;
    let rounds = 2;
    if (at < wordsEnd) word = wordAt(bytes, at);
    else if (at === wordsEnd) word = tailWord(bytes, at, tail);
    else {
      v2 ^= 0xff;
      rounds = 4;
    }
    v3 ^= word;
    for (let round = 0; round < rounds; round += 1) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    byteAt(bytes, at) |
    (byteAt(bytes, at + 1) << 8) |
    (byteAt(bytes, at + 2) << 16) |
    (byteAt(bytes, at + 3) << 24)
  );
}

function tailWord(bytes: Uint8Array, at: number, tail: number): number {
  let word = bytes.length << 24;
  for (let index = 0; index < tail; index += 1) word |= byteAt(bytes, at + index) << (8 * index);
  return word;
}
