/**
 * Replies into bytes, RESP2 or RESP3. The bytes of a reply are copied inside `write`, so it may
 * hold views that live only this turn; what `take` gives is never touched again and may wait in a
 * socket for as long as the other side likes.
 *
 * All writers of a server fill the same pages, one behind the other. Replies that one connection
 * gets in one turn lie side by side, so they leave as one chunk, in one socket write; ten thousand
 * idle connections hold nothing; and nothing is allocated per reply.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { type MapReply, ok, type Reply } from './reply.ts';

export type Protocol = 2 | 3;

type KindOfReply = Extract<Reply, { readonly kind: string }>;

const pageBytes = 64 * 1024;
/** Longer bulks get a chunk of their own, so that pages are not torn up. */
const pagedBulkBytesMax = 16 * 1024;
/** Below this a loop is faster than the call of `set`. */
const loopCopyBytesMax = 24;
/** Mark, 20 characters of a 64-bit integer, CRLF, and some. */
const headerBytesMax = 32;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const zero = 0x30;
const simpleMark = 0x2b;
const errorMark = 0x2d;
const integerMark = 0x3a;
const bulkMark = 0x24;
const arrayMark = 0x2a;
const setMark = 0x7e;
const mapMark = 0x25;
const verbatimMark = 0x3d;
const doubleMark = 0x2c;

const crlf = '\r\n';
const okBytes = Buffer.from('+OK\r\n');
const nullBytes = { 2: Buffer.from('$-1\r\n'), 3: Buffer.from('_\r\n') } as const;
const nullArrayBytes = { 2: Buffer.from('*-1\r\n'), 3: Buffer.from('_\r\n') } as const;
const verbatimFormat = 'txt:';

/** Where writers write. One per server. */
export class OutputPages {
  page: Buffer = Buffer.allocUnsafeSlow(pageBytes);
  /** First free byte. */
  at = 0;

  turn(bytesMin: number): void {
    this.page = Buffer.allocUnsafeSlow(Math.max(pageBytes, bytesMin));
    this.at = 0;
  }
}

export class ReplyWriter {
  readonly #pages: OutputPages;
  /** Whole chunks before the open piece, which is #page from #start to #end. */
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #page: Buffer = emptyBytes;
  #start = 0;
  #end = 0;

  constructor(pages: OutputPages) {
    this.#pages = pages;
  }

  /** Bytes written and not yet taken. */
  get bytes(): number {
    return this.#chunkBytes + this.#end - this.#start;
  }

  write(reply: Reply, protocol: Protocol): void {
    this.#open();
    this.#encode(reply, protocol);
    this.#end = this.#pages.at;
  }

  /** Bytes that another writer of the same pages has encoded; no copy is made. */
  append(chunks: readonly Buffer[]): void {
    this.#close();
    for (const chunk of chunks) this.#pushChunk(chunk);
  }

  /** All that was written, in order; the writer is empty afterwards. */
  take(): Buffer[] {
    this.#close();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    this.#page = emptyBytes;
    this.#start = 0;
    this.#end = 0;
    return chunks;
  }

  #open(): void {
    const pages = this.#pages;
    if (this.#page === pages.page && this.#end === pages.at) return;
    this.#close();
    this.#page = pages.page;
    this.#start = pages.at;
    this.#end = pages.at;
  }

  #close(): void {
    if (this.#end === this.#start) return;
    this.#pushChunk(this.#page.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #pushChunk(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
  }

  #encode(reply: Reply, protocol: Protocol): void {
    if (reply === ok) this.#bytes(okBytes);
    else if (reply === null) this.#bytes(nullBytes[protocol]);
    else if (reply instanceof Uint8Array) this.#bulk(reply);
    else if (typeof reply === 'number') this.#header(integerMark, reply);
    else if (typeof reply === 'string') this.#bulk(Buffer.from(reply));
    else if (typeof reply === 'bigint') this.#line(integerMark, String(reply));
    else if ('kind' in reply) this.#encodeKind(reply, protocol);
    else this.#items(arrayMark, reply, protocol);
  }

  #encodeKind(reply: KindOfReply, protocol: Protocol): void {
    const modern = protocol === 3;
    switch (reply.kind) {
      case 'simple':
        this.#line(simpleMark, reply.text);
        break;
      case 'error':
        this.#line(errorMark, reply.text);
        break;
      case 'null-array':
        this.#bytes(nullArrayBytes[protocol]);
        break;
      case 'map':
        this.#map(reply, protocol);
        break;
      case 'set':
        this.#items(modern ? setMark : arrayMark, reply.items, protocol);
        break;
      case 'verbatim':
        if (modern) this.#bulk(Buffer.from(verbatimFormat + reply.text), verbatimMark);
        else this.#bulk(Buffer.from(reply.text));
        break;
      case 'double':
        if (modern) this.#line(doubleMark, doubleText(reply.value));
        else this.#bulk(Buffer.from(doubleText(reply.value)));
        break;
      case 'none':
        break;
      case 'prepared':
        this.#shared(reply.bytes(protocol, (whole) => encodeWhole(whole, protocol)));
        break;
      default:
        reply satisfies never;
    }
  }

  #items(mark: number, items: readonly Reply[], protocol: Protocol): void {
    this.#header(mark, items.length);
    for (const item of items) this.#encode(item, protocol);
  }

  #map(reply: MapReply, protocol: Protocol): void {
    const count = reply.entries.length;
    if (protocol === 3) this.#header(mapMark, count);
    else this.#header(arrayMark, 2 * count);
    for (const [key, value] of reply.entries) {
      this.#encode(key, protocol);
      this.#encode(value, protocol);
    }
  }

  #bulk(bytes: Buffer, mark: number = bulkMark): void {
    const length = bytes.length;
    this.#header(mark, length);
    if (length > pagedBulkBytesMax) {
      this.#leavePage();
      this.#pushChunk(own(bytes));
      this.#room(crlf.length);
    } else {
      this.#room(length + crlf.length);
      this.#copy(bytes);
    }
    this.#endLine();
  }

  /** Bytes that nobody changes need no copy of their own. */
  #shared(bytes: Buffer): void {
    if (bytes.length <= pagedBulkBytesMax) {
      this.#bytes(bytes);
      return;
    }
    this.#leavePage();
    this.#pushChunk(bytes);
  }

  /** One line of text; CR and LF would end it early and are sent as spaces. */
  #line(mark: number, text: string): void {
    const flat = text.includes('\r') || text.includes('\n') ? text.replace(/[\r\n]/g, ' ') : text;
    const bytes = Buffer.from(flat);
    this.#room(headerBytesMax);
    this.#byte(mark);
    this.#room(bytes.length + crlf.length);
    this.#copy(bytes);
    this.#endLine();
  }

  /** Mark, decimal integer, CRLF. */
  #header(mark: number, value: number): void {
    this.#room(headerBytesMax);
    this.#byte(mark);
    if (value >= 0 && value < 10) this.#byte(zero + value);
    else if (value >= 0 && value <= 0x7fffffff) this.#digits(value);
    else this.#copy(Buffer.from(String(value)));
    this.#endLine();
  }

  #digits(value: number): void {
    const { page } = this.#pages;
    let stop = this.#pages.at;
    for (let rest = value; rest > 0; rest = (rest / 10) | 0) stop += 1;
    this.#pages.at = stop;
    for (let rest = value; rest > 0; rest = (rest / 10) | 0) {
      stop -= 1;
      page[stop] = zero + (rest % 10);
    }
  }

  #byte(byte: number): void {
    this.#pages.page[this.#pages.at] = byte;
    this.#pages.at += 1;
  }

  #endLine(): void {
    this.#byte(carriageReturn);
    this.#byte(lineFeed);
  }

  #bytes(constant: Buffer): void {
    this.#room(constant.length);
    this.#copy(constant);
  }

  /** The caller has made room. */
  #copy(bytes: Buffer): void {
    const { page, at } = this.#pages;
    const { length } = bytes;
    if (length > loopCopyBytesMax) page.set(bytes, at);
    else for (let index = 0; index < length; index += 1) page[at + index] = bytes[index] ?? 0;
    this.#pages.at = at + length;
  }

  /** So many bytes can now be written in one piece. */
  #room(bytes: number): void {
    const pages = this.#pages;
    if (pages.at + bytes <= pages.page.length) return;
    this.#leavePage();
    pages.turn(bytes);
    this.#page = pages.page;
    this.#start = 0;
    this.#end = 0;
  }

  /** What has been encoded so far becomes a chunk. */
  #leavePage(): void {
    this.#end = this.#pages.at;
    this.#close();
  }
}

function encodeWhole(reply: Reply, protocol: Protocol): Buffer {
  const writer = new ReplyWriter(new OutputPages());
  writer.write(reply, protocol);
  return Buffer.concat(writer.take());
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? 'inf' : '-inf';
}
