/**
 * What two nodes say to each other once their handshake is over: frames, both ways.
 *
 *   frame = u32 bytes behind this number | u8 kind | u32 request id | u48 token | body
 *
 * Kinds 1..200 are requests, those above belong to the transport. An answer carries the id of its
 * request. The token of an answer is a reading of the answerer's clock; the token of a request is
 * the latest one heard from the peer (see `Request.ageMs`).
 *
 * Invariant of the reader: memory grows with the bytes that came, never with a length that was
 * announced, and a frame that is too long is noticed by its header.
 */
import { assert } from '../base/assert.ts';
import { emptyBytes, readU48, u48Max, writeU32, writeU48 } from '../base/bytes.ts';

export const requestKindMax = 200;

export const answerKinds = {
  ok: 201,
  /** The body is the text of an error. */
  refused: 202,
} as const;

/** A request of the transport itself: is anybody there? */
export const pingKind = 203;

const lengthBytes = 4;
export const frameHeaderBytes = lengthBytes + 1 + 4 + 6;

const pageBytes = 16 * 1024;
/** Longer bodies are not copied: they leave as a part of their own. */
const copiedBodyBytesMax = 2048;
const heldBytesMin = 256;

export interface Frame {
  readonly kind: number;
  readonly requestId: number;
  readonly token: number;
  /** A view of the chunk, or of a buffer of its own if it came in pieces. */
  readonly body: Buffer;
}

/** What no reading can go on after. */
export type FrameFault = 'a frame is too long' | 'a frame is too short';

/** Frames out of a stream that may be split anywhere. */
export class FrameReader {
  readonly #frameBytesMax: number;
  #chunk = emptyBytes;
  #at = 0;
  /** The beginning of a frame whose end has not come: a copy, because chunks are borrowed. */
  #held = emptyBytes;
  #heldBytes = 0;
  #fault: FrameFault | undefined;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Once there is one, `next` gives no more. */
  get fault(): FrameFault | undefined {
    return this.#fault;
  }

  /** The chunk before has been read to its end. */
  push(chunk: Buffer): void {
    assert(this.#at === this.#chunk.length, 'one chunk after the other');
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Undefined: more bytes are needed, or there is a fault. */
  next(): Frame | undefined {
    if (this.#fault !== undefined) return undefined;
    if (this.#heldBytes === 0) {
      const left = this.#chunk.length - this.#at;
      if (left >= frameHeaderBytes) {
        const bytes = this.#frameBytes(this.#chunk, this.#at);
        if (bytes === undefined) return undefined;
        if (left >= bytes) return this.#take(bytes);
      } else if (left === 0) {
        this.#chunk = emptyBytes;
        this.#at = 0;
        return undefined;
      }
    }
    return this.#assemble();
  }

  #take(bytes: number): Frame {
    const frame = decode(this.#chunk, this.#at, bytes);
    this.#at += bytes;
    return frame;
  }

  #assemble(): Frame | undefined {
    if (!this.#hold(frameHeaderBytes)) return undefined;
    const bytes = this.#frameBytes(this.#held, 0);
    if (bytes === undefined || !this.#hold(bytes)) return undefined;
    const frame = decode(this.#held, 0, bytes);
    this.#held = emptyBytes;
    this.#heldBytes = 0;
    return frame;
  }

  /** Takes over what is there until so many bytes are held; false: they are not there yet. */
  #hold(bytes: number): boolean {
    const count = Math.min(bytes - this.#heldBytes, this.#chunk.length - this.#at);
    if (count > 0) {
      const needed = this.#heldBytes + count;
      if (needed > this.#held.length) this.#grow(needed, bytes);
      this.#chunk.copy(this.#held, this.#heldBytes, this.#at, this.#at + count);
      this.#heldBytes = needed;
      this.#at += count;
    }
    return this.#heldBytes >= bytes;
  }

  /** To twice what is held at most, and no further than the frame goes. */
  #grow(needed: number, frameBytes: number): void {
    const doubled = Math.min(frameBytes, this.#held.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, doubled, heldBytesMin));
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #frameBytes(bytes: Buffer, at: number): number | undefined {
    const length = lengthBytes + bytes.readUInt32BE(at);
    if (length > this.#frameBytesMax) this.#fault = 'a frame is too long';
    else if (length < frameHeaderBytes) this.#fault = 'a frame is too short';
    else return length;
    return undefined;
  }
}

function decode(bytes: Buffer, at: number, frameBytes: number): Frame {
  return {
    kind: bytes[at + 4] as number,
    requestId: bytes.readUInt32BE(at + 5),
    token: readU48(bytes, at + 9),
    body: bytes.subarray(at + frameHeaderBytes, at + frameBytes),
  };
}

/**
 * Frames into as few parts as possible: short bodies are copied behind their header, so that all
 * that is written in one turn is usually one part. What `take` gave is never touched again.
 */
export class FrameWriter {
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #page = emptyBytes;
  /** The open part: #page from here to #end. */
  #start = 0;
  #end = 0;

  /** Written and not taken. */
  get bytes(): number {
    return this.#partsBytes + this.#end - this.#start;
  }

  /** A body that is long becomes the writer's. */
  write(kind: number, requestId: number, token: number, body: Buffer): void {
    assert(token >= 0 && token <= u48Max, 'a token is a u48');
    const copied = body.length <= copiedBodyBytesMax;
    const bytes = frameHeaderBytes + (copied ? body.length : 0);
    if (this.#end + bytes > this.#page.length) this.#turnPage();
    const page = this.#page;
    let at = writeU32(page, frameHeaderBytes - lengthBytes + body.length, this.#end);
    page[at] = kind;
    at = writeU32(page, requestId, at + 1);
    at = writeU48(page, token, at);
    if (copied) {
      page.set(body, at);
      this.#end = at + body.length;
    } else {
      this.#end = at;
      this.#close();
      this.#add(body);
    }
  }

  /** All that was written, in order. */
  take(): Buffer[] {
    this.#close();
    const parts = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    return parts;
  }

  #turnPage(): void {
    this.#close();
    this.#page = Buffer.allocUnsafeSlow(pageBytes);
    this.#start = 0;
    this.#end = 0;
  }

  #close(): void {
    if (this.#end === this.#start) return;
    this.#add(this.#page.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }
}
