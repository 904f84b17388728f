/** The sockets on which clients arrive: one server for each address of `bind`. */
import { createServer, type Socket } from 'node:net';
import { ListenError } from '../runtime/listening.ts';

export interface ClientListener {
  readonly port: number;
  /** Takes no more; done when the last connection is closed. */
  close(): Promise<void>;
}

export interface ListenerEvents {
  onConnection(socket: Socket): void;
  onError(error: Error): void;
}

/** Rejects with a ListenError. */
export function listenForClients(
  host: string,
  port: number,
  events: ListenerEvents,
): Promise<ClientListener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const failed = ({ code = '', message }: NodeJS.ErrnoException): void =>
      reject(new ListenError(host, port, code, message));
    server.once('error', failed);
    server.listen({ host, port, ipv6Only: true }, () => {
      server.off('error', failed);
      server.on('error', (error) => events.onError(error));
      server.on('connection', (socket) => events.onConnection(socket));
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : port,
        close: () => new Promise((closed) => server.close(() => closed())),
      });
    });
  });
}
