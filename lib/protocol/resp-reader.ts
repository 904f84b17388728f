/**
 * Requests out of bytes: RESP arrays of bulk strings, and inline commands, split anywhere,
 * pipelined and mixed. No I/O: `push` takes what the socket gave, `next` gives one request at a
 * time, so the caller decides how much of a pipeline runs in one turn.
 *
 * All unread input lies in one buffer. A chunk that comes when nothing is left over becomes that
 * buffer itself; else it is appended to what is left over, in a buffer that doubles. So every byte
 * is copied a bounded number of times however small the chunks are, an argument is always a view of
 * one buffer, and a claim (`$536870912`, `*2147483647`) costs nothing until its bytes arrive.
 * Bytes that were handed out are never moved or overwritten.
 *
 * Rules and error texts are those of Redis 7.0 (processMultibulkBuffer, processInlineBuffer): a
 * header ends at CR and one byte more, a bulk is followed by two bytes that nobody looks at.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { splitInline } from './inline.ts';

/** The first word is the command. Views of what was pushed. Never empty. */
export type Request = Buffer[];

/** The input makes no sense from here on: answer `-ERR ` + text, then close. */
export class ProtocolError {
  readonly text: string;
  constructor(reason: string) {
    this.text = `Protocol error: ${reason}`;
  }
}

/** A header, or an inline command, without its end (Redis: PROTO_INLINE_MAX_SIZE). */
const lineBytesMax = 64 * 1024;
const argumentsMax = 2 ** 31 - 1;
const unauthenticatedArgumentsMax = 10;
const unauthenticatedBulkBytesMax = 16384;

/**
 * Memory that an argument takes beside its bytes, so that `*2147483647` of empty ones is counted.
 */
const argumentOverheadBytes = 96;
const growthBytesMin = 512;

/** Up to here the list of arguments is made in its size at once. */
const exactArgumentsMax = 16;
const nameBytesMax = 24;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const star = 0x2a;
const dollar = 0x24;
const minus = 0x2d;
const zero = 0x30;

/** What a header says when it is no length. */
const incomplete = -1;
const malformed = -2;
const negative = -3;

/** Digits that the quick path reads; longer lengths, signs and leading zeros go the careful way. */
const quickDigits = 9;
const int64Digits = 19;

const skipped: Request = [];

export class RequestReader {
  /** `proto-max-bulk-len`. */
  bulkBytesMax: number;
  /** Strangers may say little: 10 arguments of 16 KB. */
  authenticated = true;

  #buffer = emptyBytes;
  #at = 0;
  #end = 0;
  /** How much of the unfinished line at #at has been searched for its end. */
  #searchedBytes = 0;
  #arguments: Request = [];
  #argumentBytes = 0;
  #argumentsFound = 0;
  #argumentsMissing = 0;
  /** The name of the last command: a copy, handed out again as long as the same one comes. */
  #name = emptyBytes;
  /** Length of the bulk whose header has been read, else -1. */
  #bulkBytes = -1;
  #failure: ProtocolError | undefined;

  constructor(bulkBytesMax: number) {
    this.bulkBytesMax = bulkBytesMax;
  }

  /** Memory held for input that has not become a request yet. */
  get heldBytes(): number {
    return this.#end - this.#at + this.#argumentBytes;
  }

  /** Bytes that the sender has announced and not sent. */
  get announcedBytes(): number {
    return this.#bulkBytes < 0 ? 0 : Math.max(0, this.#bulkBytes + 2 - (this.#end - this.#at));
  }

  /** The reader keeps `chunk`, and requests are views of it: its bytes must not change. */
  push(chunk: Buffer): void {
    if (this.#at === this.#end) {
      this.#buffer = chunk;
      this.#at = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#buffer.length) this.#grow(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole request; undefined: more bytes are needed. After an error always that error. */
  next(): Request | ProtocolError | undefined {
    for (;;) {
      if (this.#failure !== undefined) return this.#failure;
      if (this.#argumentsMissing > 0) return this.#takeArguments();
      if (this.#at === this.#end) {
        this.#buffer = emptyBytes;
        this.#at = 0;
        this.#end = 0;
        return undefined;
      }
      const multibulk = this.#buffer[this.#at] === star;
      const request = multibulk ? this.#takeMultibulk() : this.#takeInline();
      if (request !== skipped) return request;
    }
  }

  #takeMultibulk(): Request | ProtocolError | undefined {
    const count = this.#takeLength('too big mbulk count string');
    if (count === incomplete) return this.#failure;
    if (count === malformed || count > argumentsMax) return this.#fail('invalid multibulk length');
    if (count > unauthenticatedArgumentsMax && !this.authenticated) {
      return this.#fail('unauthenticated multibulk length');
    }
    if (count <= 0) return skipped;
    this.#arguments = count <= exactArgumentsMax ? new Array<Buffer>(count) : [];
    this.#argumentsFound = 0;
    this.#argumentsMissing = count;
    return this.#takeArguments();
  }

  #takeArguments(): Request | ProtocolError | undefined {
    const request = this.#arguments;
    while (this.#argumentsMissing > 0) {
      if (this.#bulkBytes < 0 && !this.#takeBulkHeader()) return this.#failure;
      const stop = this.#at + this.#bulkBytes;
      if (stop + 2 > this.#end) return undefined;
      const isName = this.#argumentsFound === 0;
      request[this.#argumentsFound] = isName ? this.#takeName(stop) : this.#view(stop);
      this.#argumentsFound += 1;
      this.#argumentBytes += this.#bulkBytes + argumentOverheadBytes;
      this.#at = stop + 2;
      this.#bulkBytes = -1;
      this.#argumentsMissing -= 1;
    }
    this.#arguments = [];
    this.#argumentBytes = 0;
    return request;
  }

  #view(stop: number): Buffer {
    return stop > this.#at ? this.#buffer.subarray(this.#at, stop) : emptyBytes;
  }

  /** A connection says the same few names for ever; a view of each would be half the garbage. */
  #takeName(stop: number): Buffer {
    const name = this.#name;
    const buffer = this.#buffer;
    const start = this.#at;
    const length = stop - start;
    if (length > nameBytesMax) return this.#view(stop);
    let same = length === name.length;
    for (let at = 0; same && at < length; at += 1) same = buffer[start + at] === name[at];
    if (!same) this.#name = own(this.#view(stop));
    return this.#name;
  }

  /** False: incomplete, or failed. */
  #takeBulkHeader(): boolean {
    const mark = this.#buffer[this.#at] ?? dollar;
    const length = this.#takeLength('too big bulk count string');
    if (length === incomplete) return false;
    if (mark !== dollar) {
      this.#fail(`expected '$', got '${String.fromCharCode(mark)}'`);
    } else if (length < 0 || length > this.bulkBytesMax) {
      this.#fail('invalid bulk length');
    } else if (length > unauthenticatedBulkBytesMax && !this.authenticated) {
      this.#fail('unauthenticated bulk length');
    } else {
      this.#bulkBytes = length;
      return true;
    }
    return false;
  }

  /** Reads `?123\r\n` whatever the mark: a length, or one of the three negative verdicts. */
  #takeLength(tooBig: string): number {
    const buffer = this.#buffer;
    const start = this.#at + 1;
    const stop = Math.min(this.#end, start + quickDigits);
    let at = start;
    let value = 0;
    while (at < stop) {
      const digit = (buffer[at] ?? 0) - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at += 1;
    }
    const plain = at > start && (buffer[start] !== zero || at === start + 1);
    if (plain && at + 1 < this.#end && buffer[at] === carriageReturn) {
      this.#at = at + 2;
      this.#searchedBytes = 0;
      return value;
    }
    return this.#takeLengthCarefully(tooBig);
  }

  #takeLengthCarefully(tooBig: string): number {
    const end = this.#findLineEnd(carriageReturn, tooBig);
    if (end < 0 || end + 1 >= this.#end) return incomplete;
    const start = this.#at + 1;
    this.#at = end + 2;
    this.#searchedBytes = 0;
    return strictLength(this.#buffer, start, end);
  }

  #takeInline(): Request | ProtocolError | undefined {
    const end = this.#findLineEnd(lineFeed, 'too big inline request');
    if (end < 0) return this.#failure;
    const line = this.#buffer.subarray(this.#at, end);
    this.#at = end + 1;
    this.#searchedBytes = 0;
    const words = splitInline(line);
    if (words === undefined) return this.#fail('unbalanced quotes in request');
    return words.length > 0 ? words : skipped;
  }

  /** Where the line at #at ends; -1: not yet, or not within its limit. Looks at no byte twice. */
  #findLineEnd(terminator: number, tooBig: string): number {
    const buffer = this.#buffer;
    const stop = Math.min(this.#end, this.#at + lineBytesMax + 1);
    let at = this.#at + this.#searchedBytes;
    while (at < stop && buffer[at] !== terminator) at += 1;
    this.#searchedBytes = at - this.#at;
    if (at < stop) return at;
    if (this.#searchedBytes > lineBytesMax) this.#fail(tooBig);
    return -1;
  }

  /**
   * Moves what is left over to a new buffer, with room for as much again, or for the whole bulk.
   */
  #grow(arrivingBytes: number): void {
    const needed = Math.max(this.#end - this.#at + arrivingBytes, growthBytesMin);
    const bulkBytes = this.#bulkBytes + 2;
    const buffer = Buffer.allocUnsafeSlow(
      bulkBytes > needed ? Math.min(2 * needed, bulkBytes) : 2 * needed,
    );
    this.#buffer.copy(buffer, 0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    this.#buffer = buffer;
  }

  #fail(reason: string): ProtocolError {
    this.#failure = new ProtocolError(reason);
    this.#buffer = emptyBytes;
    this.#arguments = [];
    this.#argumentBytes = 0;
    this.#bulkBytes = -1;
    this.#at = 0;
    this.#end = 0;
    return this.#failure;
  }
}

/** A decimal integer of 64 bits as Redis reads it: no `+`, no leading zero, no `-0`, no space. */
function strictLength(buffer: Buffer, start: number, end: number): number {
  const signed = buffer[start] === minus;
  const first = signed ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || digits > int64Digits) return malformed;
  if (buffer[first] === zero) return digits === 1 && !signed ? 0 : malformed;
  let value = 0;
  for (let at = first; at < end; at += 1) {
    const digit = (buffer[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) return malformed;
    value = value * 10 + digit;
  }
  if (value > 2 ** 63) return malformed;
  return signed ? negative : value;
}
