/** Puts a message together, part after part, in one buffer that grows as needed. */
import { stampBytes, varintBytes, writeStamp, writeU48, writeVarint } from './bytes.ts';

const u48Bytes = 6;

export class ByteWriter {
  #target: Buffer;
  #length = 0;

  /** `roomBytes`: what the message will take, roughly. */
  constructor(roomBytes: number) {
    this.#target = Buffer.allocUnsafe(roomBytes);
  }

  byte(value: number): this {
    const at = this.#take(1);
    this.#target[at] = value;
    return this;
  }

  varint(value: number): this {
    const at = this.#take(varintBytes(value));
    writeVarint(this.#target, value, at);
    return this;
  }

  u48(value: number): this {
    const at = this.#take(u48Bytes);
    writeU48(this.#target, value, at);
    return this;
  }

  stamp(value: number): this {
    const at = this.#take(stampBytes);
    writeStamp(this.#target, value, at);
    return this;
  }

  bytes(value: Buffer): this {
    const at = this.#take(value.length);
    this.#target.set(value, at);
    return this;
  }

  /** With its length before it. */
  text(value: Buffer): this {
    return this.varint(value.length).bytes(value);
  }

  /** `write` fills `length` bytes from the offset it is given. */
  fill(length: number, write: (target: Buffer, offset: number) => void): this {
    const at = this.#take(length);
    write(this.#target, at);
    return this;
  }

  /** The message; nothing may be added to it afterwards. */
  done(): Buffer {
    return this.#target.subarray(0, this.#length);
  }

  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#target.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#target.length * 2));
      grown.set(this.#target.subarray(0, at));
      this.#target = grown;
    }
    return at;
  }
}
