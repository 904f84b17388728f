/**
 * What a handler returns: plain values where JavaScript has one, small classes where RESP has more
 * to say. `resp-writer.ts` knows how each looks in RESP2 and RESP3.
 *
 *   number, bigint   integer              :1
 *   Buffer, string   bulk string          $3 (a string is sent as UTF-8)
 *   null             null                 $-1 / _
 *   array            array                *n
 *
 * The classes are told apart by `kind`, which lies in the prototype and costs an object nothing.
 */
export type Reply =
  | number
  | bigint
  | Buffer
  | string
  | null
  | SimpleString
  | ErrorReply
  | NullArray
  | MapReply
  | SetReply
  | Verbatim
  | DoubleReply
  | NoReply
  | Prepared
  | readonly Reply[];

/** `+OK` */
export class SimpleString {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  get kind(): 'simple' {
    return 'simple';
  }
}

/** `-ERR ...`; the text starts with its code. CR and LF are sent as spaces. */
export class ErrorReply {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  get kind(): 'error' {
    return 'error';
  }
}

/** `*-1` / `_`: an aborted EXEC. */
export class NullArray {
  get kind(): 'null-array' {
    return 'null-array';
  }
}

/** A map in RESP3, a flat array of keys and values in RESP2. */
export class MapReply {
  readonly entries: readonly (readonly [Reply, Reply])[];
  constructor(entries: readonly (readonly [Reply, Reply])[]) {
    this.entries = entries;
  }
  get kind(): 'map' {
    return 'map';
  }
}

/** A set in RESP3, an array in RESP2. */
export class SetReply {
  readonly items: readonly Reply[];
  constructor(items: readonly Reply[]) {
    this.items = items;
  }
  get kind(): 'set' {
    return 'set';
  }
}

/** `=txt:` in RESP3, a bulk string in RESP2. */
export class Verbatim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  get kind(): 'verbatim' {
    return 'verbatim';
  }
}

/** `,1.5` in RESP3, a bulk string in RESP2. */
export class DoubleReply {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  get kind(): 'double' {
    return 'double';
  }
}

export const ok = new SimpleString('OK');
export const pong = new SimpleString('PONG');
export const queued = new SimpleString('QUEUED');
export const nullArray = new NullArray();

/** A reply that many ask for and that stays the same: it is encoded once for each protocol. */
export class Prepared {
  readonly reply: Reply;
  readonly #encoded: { 2?: Buffer; 3?: Buffer } = {};

  constructor(reply: Reply) {
    this.reply = reply;
  }

  get kind(): 'prepared' {
    return 'prepared';
  }

  /** Nobody changes the bytes. */
  bytes(protocol: 2 | 3, encode: (reply: Reply) => Buffer): Buffer {
    this.#encoded[protocol] ??= encode(this.reply);
    return this.#encoded[protocol];
  }
}

/** Nothing is sent: CLIENT REPLY OFF and SKIP. */
export class NoReply {
  get kind(): 'none' {
    return 'none';
  }
}
export const noReply = new NoReply();
