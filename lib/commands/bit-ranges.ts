/** Reading bits out of bytes, highest bit first. Ranges are inclusive and lie inside the bytes. */

export function bitAt(bytes: Buffer, offset: number): 0 | 1 {
  const byte = bytes[Math.floor(offset / 8)] ?? 0;
  return ((byte >> (7 - (offset % 8))) & 1) === 1 ? 1 : 0;
}

const onesOf: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
});

/** Set bits in [firstBit, lastBit]; 0 if that is empty. */
export function countBits(bytes: Buffer, firstBit: number, lastBit: number): number {
  if (firstBit > lastBit) return 0;
  const firstByte = Math.floor(firstBit / 8);
  const lastByte = Math.floor(lastBit / 8);
  let count = 0;
  for (let at = firstByte; at <= lastByte; at += 1) count += onesOf[bytes[at] ?? 0] ?? 0;
  const before = (bytes[firstByte] ?? 0) >> (8 - (firstBit % 8));
  const behind = (bytes[lastByte] ?? 0) & ((1 << (7 - (lastBit % 8))) - 1);
  return count - (onesOf[before] ?? 0) - (onesOf[behind] ?? 0);
}

/** The first bit of this value in [firstBit, lastBit], or -1. */
export function findBit(bytes: Buffer, bit: 0 | 1, firstBit: number, lastBit: number): number {
  const without = bit === 1 ? 0x00 : 0xff;
  let at = firstBit;
  while (at <= lastBit) {
    if (at % 8 === 0 && bytes[at / 8] === without) at += 8;
    else if (bitAt(bytes, at) === bit) return at;
    else at += 1;
  }
  return -1;
}
