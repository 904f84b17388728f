/**
 * A client that speaks bytes, for specs that care about them: it sends what it is told, however
 * broken, and shows what comes back, decoded (RESP2, by redis-parser) and as it came.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import Denque from 'denque';
import RedisParser from 'redis-parser';

/** An error reply is a value here; its `message` is the whole text. */
export type RawReply = string | Buffer | number | null | Error | RawReply[];

export interface RawClientOptions {
  readonly host?: string;
  /** Bulk and simple strings as bytes instead of text. */
  readonly buffers?: boolean;
  /** Decodes nothing (RESP3): only `receive`, `receiveUntil` and `readUntilClosed` are of use. */
  readonly undecoded?: boolean;
}

interface Waiter {
  resolve(reply: RawReply): void;
  reject(error: Error): void;
}

export class RawClient {
  readonly socket: Socket;
  readonly #waiters = new Denque<Waiter>();
  readonly #replies = new Denque<RawReply>();
  readonly #closed: Promise<unknown>;
  #chunks: Buffer[] = [];
  #bytesCount = 0;
  #onBytes: (() => void) | undefined;

  static async connect(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const socket = connect({ port, host: options.host ?? '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket, options);
  }

  private constructor(socket: Socket, options: RawClientOptions) {
    this.socket = socket;
    const parser = new RedisParser({
      returnReply: (reply: RawReply) => this.#deliver(reply),
      returnError: (error: Error) => this.#deliver(error),
      returnFatalError: (error: Error) => this.#deliver(error),
      returnBuffers: options.buffers ?? false,
    });
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#end());
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#bytesCount += chunk.length;
      this.#onBytes?.();
      if (!options.undecoded) parser.execute(chunk);
    });
  }

  /** As they are: half a request, ten requests, noise. */
  send(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Sends one request as an array of bulks; its reply. */
  command(...args: readonly (string | number | Buffer)[]): Promise<RawReply> {
    this.send(encodeRequest(...args));
    return this.next();
  }

  /** The next reply nobody has taken yet; rejects when the connection closes first. */
  next(): Promise<RawReply> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.socket.destroyed) return Promise.reject(new Error('the connection is closed'));
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async nextReplies(count: number): Promise<RawReply[]> {
    const replies: RawReply[] = [];
    while (replies.length < count) replies.push(await this.next());
    return replies;
  }

  /** Waits for so many bytes, and takes them; only for undecoded clients. */
  async receive(bytesCount: number): Promise<Buffer> {
    await this.#until(() => this.#bytesCount >= bytesCount);
    return this.#takeBytes(bytesCount);
  }

  /** Everything up to and with `mark`. */
  async receiveUntil(mark: string): Promise<Buffer> {
    await this.#until(() => this.received.includes(mark));
    return this.#takeBytes(this.received.indexOf(mark) + mark.length);
  }

  /** What has come and was not taken by `receive`, as bytes. */
  get received(): Buffer {
    const [only = Buffer.alloc(0), ...more] = this.#chunks;
    if (more.length > 0) this.#chunks = [Buffer.concat(this.#chunks)];
    return more.length > 0 ? this.received : only;
  }

  /** Waits for the server to close; all bytes that came and were not taken. */
  async readUntilClosed(): Promise<Buffer> {
    await this.#closed;
    return this.received;
  }

  /** Half-closes: no more requests, replies still come. */
  end(): void {
    this.socket.end();
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.#closed;
  }

  #takeBytes(count: number): Buffer {
    const all = this.received;
    this.#chunks = [all.subarray(count)];
    this.#bytesCount = all.length - count;
    return all.subarray(0, count);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.socket.destroyed) throw new Error(`closed after '${this.received}'`);
      await new Promise<void>((resolve) => {
        this.#onBytes = resolve;
      });
    }
  }

  #deliver(reply: RawReply): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#replies.push(reply);
    else waiter.resolve(reply);
  }

  #end(): void {
    this.#onBytes?.();
    for (let waiter = this.#waiters.shift(); waiter; waiter = this.#waiters.shift()) {
      waiter.reject(new Error('the connection was closed before the reply'));
    }
  }
}

/** `*2\r\n$3\r\nGET\r\n...` */
export function encodeRequest(...args: readonly (string | number | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
