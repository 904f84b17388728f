/**
 * What LevelDB's files are made of: little-endian fixed integers, LEB128 varints, strings with
 * their length before them, and masked CRC-32C. Whatever does not fit throws `Damage`.
 * Source: LevelDB's util/coding.h and util/crc32c.h.
 */
import { crc32cOf } from '../base/crc32.ts';

/** Why a file of the engine must not reach the engine; the message goes into the refusal. */
export class Damage extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Damage';
  }
}

/** Reads bytes in their order; what is handed out is a view. */
export class EngineReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new Damage('a number is cut off');
      this.#at += 1;
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new Damage('a number is too big');
      if (byte < 128) return value;
    }
  }

  take(length: number): Buffer {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new Damage('a length is too big');
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** A string with its length before it. */
  string(): Buffer {
    return this.take(this.varint());
  }
}

/** Whether the stored checksum at `sumAt` is that of bytes[start .. end). */
export function hasChecksum(bytes: Buffer, start: number, end: number, sumAt: number): boolean {
  const crc = crc32cOf(bytes, start, end, 0);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  return masked === bytes.readUInt32LE(sumAt);
}

/**
 * The engine's order of its internal keys: by the client's key, then the newest first. The last
 * eight bytes are the number of the write and its kind.
 */
export function compareInternal(a: Buffer, b: Buffer): number {
  const order = a.subarray(0, -tagBytes).compare(b.subarray(0, -tagBytes));
  if (order !== 0) return order;
  const tagA = a.readBigUInt64LE(a.length - tagBytes);
  const tagB = b.readBigUInt64LE(b.length - tagBytes);
  return tagA === tagB ? 0 : tagA > tagB ? -1 : 1;
}

export const tagBytes = 8;
