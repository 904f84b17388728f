/**
 * Walks over bytes that may hold anything, for the codecs of what is stored and sent. It never
 * reads beyond the end it was given and hands out views: nothing is allocated by a length that the
 * bytes only announce. Whatever is wrong with them is a CodecError that names the thing being read.
 */
import { assert } from './assert.ts';
import { readStamp, readU48, stampBytes } from './bytes.ts';

const u48Bytes = 6;

/** Bytes from outside that this version cannot read, or that are not in their canonical form. */
export class CodecError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'CodecError';
  }
}

export class ByteReader {
  readonly #noun: string;
  readonly #source: Buffer;
  readonly #end: number;
  at: number;

  /** `noun` is what the bytes should be (`a record`), for the errors. */
  constructor(noun: string, source: Buffer, start: number, end: number) {
    assert(start >= 0 && start <= end && end <= source.length, `${noun} lies within its bytes`);
    this.#noun = noun;
    this.#source = source;
    this.#end = end;
    this.at = start;
  }

  need(count: number): void {
    if (count > this.#end - this.at) throw this.error('ends too early');
  }

  byte(): number {
    this.need(1);
    this.at += 1;
    return this.#source.readUInt8(this.at - 1);
  }

  /** LEB128 in its shortest form, below 2^35. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte === 0 && scale > 1) throw this.notCanonical();
      if (byte < 128) return value;
    }
    throw this.error('has a length above all limits');
  }

  u48(): number {
    this.need(u48Bytes);
    this.at += u48Bytes;
    return readU48(this.#source, this.at - u48Bytes);
  }

  /** A safe integer of seven bytes. */
  stamp(): number {
    this.need(stampBytes);
    const value = readStamp(this.#source, this.at);
    if (!Number.isSafeInteger(value)) throw this.error('has a stamp above all limits');
    this.at += stampBytes;
    return value;
  }

  /** Signed, eight bytes. */
  int64(): bigint {
    this.need(8);
    this.at += 8;
    return this.#source.readBigInt64BE(this.at - 8);
  }

  /** A view. */
  bytes(length: number): Buffer {
    this.need(length);
    this.at += length;
    return this.#source.subarray(this.at - length, this.at);
  }

  /** A view of everything that is left. */
  rest(): Buffer {
    return this.bytes(this.#end - this.at);
  }

  finish(): void {
    if (this.at !== this.#end) throw this.error('has bytes behind its end');
  }

  notCanonical(): CodecError {
    return this.error('is not in its canonical form');
  }

  error(text: string): CodecError {
    return new CodecError(`${this.#noun} ${text}`);
  }
}
