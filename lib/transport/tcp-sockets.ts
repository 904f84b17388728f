/**
 * The real door to other nodes: TCP. Nothing is decided here, because `peer-transport.ts` is tested
 * over the simulated network as well, this file only over the real one.
 */
import { createServer, type Socket as NetSocket, connect as netConnect } from 'node:net';
import { ListenError } from '../runtime/listening.ts';
import type { Log } from '../runtime/ports.ts';
import type { Listener, Socket, SocketEvents, Sockets } from './sockets.ts';
import type { PeerAddress } from './transport.ts';

export class TcpSockets implements Sockets {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  listen({ host, port }: PeerAddress, accept: (socket: Socket) => SocketEvents): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      const failed = ({ code = '', message }: NodeJS.ErrnoException): void =>
        reject(new ListenError(host, port, code, message));
      server.once('error', failed);
      server.on('connection', (raw) => {
        const socket = new TcpSocket(raw);
        socket.listen(accept(socket));
      });
      server.listen({ host, port, ipv6Only: true }, () => {
        server.off('error', failed);
        server.on('error', ({ message }) => this.#log.warning(`cannot accept peers: ${message}`));
        const bound = server.address();
        resolve({
          port: typeof bound === 'object' && bound !== null ? bound.port : port,
          close: () => new Promise((closed) => server.close(() => closed())),
        });
      });
    });
  }

  connect({ host, port }: PeerAddress, events: SocketEvents): Socket {
    const socket = new TcpSocket(netConnect({ host, port, noDelay: true }));
    socket.listen(events);
    return socket;
  }
}

class TcpSocket implements Socket {
  readonly #raw: NetSocket;
  /** Empty, and so no loopback, if it is gone before anybody asked. */
  #host: string;
  #failure = 'closed by the other side';
  #destroyed = false;

  constructor(raw: NetSocket) {
    this.#raw = raw;
    this.#host = raw.remoteAddress ?? '';
  }

  get remoteHost(): string {
    return this.#host;
  }

  get isLoopback(): boolean {
    return /^(::1$|(::ffff:)?127\.)/.test(this.#host);
  }

  get unsentBytes(): number {
    return this.#raw.writableLength;
  }

  /** Without an end of its own: who says no more, or fails, is gone. */
  listen(events: SocketEvents): void {
    const raw = this.#raw;
    raw.on('connect', () => {
      this.#host = raw.remoteAddress ?? this.#host;
      if (!this.#destroyed) events.onOpen();
    });
    raw.on('data', (bytes: Buffer) => {
      if (!this.#destroyed) events.onBytes(bytes);
    });
    raw.on('end', () => raw.destroy());
    raw.on('error', ({ message }) => {
      this.#failure = message;
    });
    raw.on('close', () => {
      if (!this.#destroyed) events.onClose(this.#failure);
    });
  }

  /** One system call, whatever the number of parts. */
  write(parts: readonly Buffer[]): void {
    const raw = this.#raw;
    if (parts.length > 1) raw.cork();
    for (const part of parts) raw.write(part);
    if (parts.length > 1) raw.uncork();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#raw.destroy();
  }
}
