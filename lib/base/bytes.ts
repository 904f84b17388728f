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

/**
 * Byte by byte: Buffer's own readers and writers check and branch at every call, which shows where
 * a row has a dozen numbers. The caller has made room.
 */
export function writeU32(target: Buffer, value: number, offset: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
}

/** Of the same range as it was written from: 0..2^48-1. Returns the offset behind it. */
export function writeU48(target: Buffer, value: number, offset: number): number {
  const high = Math.floor(value / 2 ** 32);
  target[offset] = high >>> 8;
  target[offset + 1] = high;
  return writeU32(target, value, offset + 2);
}

export function readU48(source: Buffer, offset: number): number {
  return (
    byteAt(source, offset) * 2 ** 40 +
    byteAt(source, offset + 1) * 2 ** 32 +
    readU32(source, offset + 2)
  );
}

/** Writes a safe integer (0..2^53-1) into 7 bytes; returns the offset behind them. */
export function writeStamp(target: Buffer, stamp: number, offset: number): number {
  const high = Math.floor(stamp / 2 ** 32);
  target[offset] = high >>> 16;
  target[offset + 1] = high >>> 8;
  target[offset + 2] = high;
  return writeU32(target, stamp, offset + 3);
}

export function readStamp(source: Buffer, offset: number): number {
  const high =
    (byteAt(source, offset) << 16) | (byteAt(source, offset + 1) << 8) | byteAt(source, offset + 2);
  return high * 2 ** 32 + readU32(source, offset + 3);
}

function readU32(source: Buffer, offset: number): number {
  const bits =
    (byteAt(source, offset) << 24) |
    (byteAt(source, offset + 1) << 16) |
    (byteAt(source, offset + 2) << 8) |
    byteAt(source, offset + 3);
  return bits >>> 0;
}

function byteAt(source: Buffer, offset: number): number {
  return source[offset] as number;
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
