/**
 * A sealed row: every stored value but the empty ones of the agenda.
 *
 *   u8 format (1) | body | u32 crc32 over the physical key, then everything before it
 *
 * The checksum covers the key, so the right row under a wrong key is as corrupt as a flipped bit.
 * LevelDB notices neither (RELIABILITY 0.1). A bad checksum is *corrupt*, never *not found*.
 */
import { writeU32 } from '../base/bytes.ts';
import { crc32Of } from '../base/crc32.ts';
import { StoreError } from '../base/errors.ts';

/** crc32(bytes, seed): the seed is the checksum of what went before. */
export type Crc32 = (bytes: Uint8Array, seed?: number) => number;

export const rowFormat = 1;
/** The body lies between this offset and `bodyEnd`. */
export const bodyStart = 1;
const crcBytes = 4;
const rowBytesMin = bodyStart + crcBytes;

export function bodyEnd(row: Buffer): number {
  return row.length - crcBytes;
}

/**
 * `fill` writes exactly `bodyBytes` into `target` from `offset` on. The row shares its memory with
 * others: a row that outlives its write is copied.
 */
export function sealRow(
  key: Buffer,
  bodyBytes: number,
  fill: (target: Buffer, offset: number) => void,
  crc32: Crc32,
): Buffer {
  const row = newRow(bodyBytes);
  fill(row, bodyStart);
  seal(key, row, crc32);
  return row;
}

/** Room for a body, which goes to `bodyStart`; then `seal`. */
export function newRow(bodyBytes: number): Buffer {
  const row = Buffer.allocUnsafe(bodyBytes + rowBytesMin);
  row[0] = rowFormat;
  return row;
}

export function seal(key: Buffer, row: Buffer, crc32: Crc32): void {
  writeU32(row, crcOf(key, row, crc32), bodyEnd(row));
}

/** Whole and under its own key. Throws `format` for a sound row of a later version. */
export function isSound(key: Buffer, row: Buffer, crc32: Crc32): boolean {
  if (row.length < rowBytesMin) return false;
  if (crcOf(key, row, crc32) !== row.readUInt32BE(bodyEnd(row))) return false;
  if (row[0] !== rowFormat) throw new StoreError('format', `row format ${row[0]}`);
  return true;
}

/** Short rows are summed here, long ones by the platform. */
const shortRowBytes = 512;

function crcOf(key: Buffer, row: Buffer, crc32: Crc32): number {
  const end = bodyEnd(row);
  const seed = crc32Of(key, 0, key.length, 0);
  return end <= shortRowBytes ? crc32Of(row, 0, end, seed) : crc32(row.subarray(0, end), seed);
}

/**
 * Running number and XOR of the hashes of a set of rows: order does not matter, and what is added
 * can be taken out. A row's hash is made of its stored checksum, its length and its key.
 *
 * The mix must not be linear. CRC is: crc(a) ^ crc(a ^ d) depends on d alone, so two lost updates
 * that changed equally long rows by the same difference (two counters that went from 1 to 2) would
 * cancel out under XOR. Multiplication and shifts break that.
 */
export class RowSum {
  count: number;
  low: number;
  high: number;

  constructor(from: Readonly<{ count: number; low: number; high: number }>) {
    this.count = from.count;
    this.low = from.low;
    this.high = from.high;
  }

  add(key: Buffer, row: Buffer): void {
    this.count += 1;
    this.#mix(key, row);
  }

  remove(key: Buffer, row: Buffer): void {
    this.count -= 1;
    this.#mix(key, row);
  }

  /** Both together, in whatever order. */
  include(other: Readonly<{ count: number; low: number; high: number }>): void {
    this.count += other.count;
    this.low = (this.low ^ other.low) >>> 0;
    this.high = (this.high ^ other.high) >>> 0;
  }

  /** The checksum covers the whole key; its slot and hash, behind the family, go in once more. */
  #mix(key: Buffer, row: Buffer): void {
    const end = row.length - crcBytes;
    const crc = end < 0 ? 0 : row.readInt32BE(end);
    const place = key.length < placeEnd ? key.length : key.readInt32BE(placeEnd - 4);
    const a = avalanche(crc ^ Math.imul(place, 0x9e3779b1));
    const b = avalanche(Math.imul(crc, 0x85ebca6b) ^ place ^ Math.imul(row.length, 0xc2b2ae35));
    this.low = (this.low ^ a) >>> 0;
    this.high = (this.high ^ b) >>> 0;
  }
}

/** Behind family, slot and hash32 of a data key. */
const placeEnd = 7;

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the result. */
function avalanche(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
