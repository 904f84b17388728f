/**
 * Keys and values are bytes, never text. Bytes that a parser hands out are borrowed: they are
 * views of a read chunk. Whatever is stored, queued or kept passes `own` first.
 *
 * Integers wider than 32 bits lie in six bytes (actors, instants) or seven (stamps: safe integers
 * below 2^53), always big-endian, so that their order is the order of their bytes.
 */
export const emptyBytes: Buffer = Buffer.alloc(0);

/** An exact copy that shares memory with nothing else. */
export function own(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The lossless text form of bytes (latin1), for keys of a Map. */
export function mapKey(bytes: Buffer): string {
  return bytes.toString('latin1');
}

export function fromMapKey(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

export const u48Max = 2 ** 48 - 1;
export const stampBytes = 7;

/** Writes a safe integer (0..2^53-1) into 7 bytes; returns the offset behind them. */
export function writeStamp(target: Buffer, stamp: number, offset: number): number {
  target.writeUIntBE(Math.floor(stamp / 2 ** 32), offset, 3);
  return target.writeUInt32BE(stamp % 2 ** 32, offset + 3);
}

export function readStamp(source: Buffer, offset: number): number {
  return source.readUIntBE(offset, 3) * 2 ** 32 + source.readUInt32BE(offset + 3);
}

/** Bytes that a LEB128 length takes. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count += 1;
  return count;
}

/** LEB128, unsigned, for lengths below 2^32; returns the offset behind it. */
export function writeVarint(target: Buffer, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 128) {
    target[at] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
    at += 1;
  }
  target[at] = rest;
  return at + 1;
}
