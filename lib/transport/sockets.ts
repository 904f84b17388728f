/**
 * Byte streams as the transport needs them, so that TCP and the simulated network are each a small
 * file and everything above (handshake, frames, deadlines, reconnecting) is the same code over
 * either.
 */
import type { PeerAddress } from './transport.ts';

/**
 * Events of one socket; each called in a turn of its own. `onClose` comes once, last, when the
 * other side or the network has ended it; nothing is called after `destroy`.
 */
export interface SocketEvents {
  /** Of a socket that was connected; one that was accepted is open from the start. */
  onOpen(): void;
  /** Borrowed for the turn. */
  onBytes(bytes: Buffer): void;
  onClose(reason: string): void;
}

export interface Socket {
  /** Of the other end, once it is open. */
  readonly remoteHost: string;
  readonly isLoopback: boolean;
  /** Bytes handed over that the network has not taken yet. */
  readonly unsentBytes: number;
  /** The bytes are the socket's from now on. */
  write(parts: readonly Buffer[]): void;
  /** At once; unsent bytes are dropped. */
  destroy(): void;
}

export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

export interface Sockets {
  /**
   * `accept` makes the events of each new connection, which is open already. Port 0: any free one.
   * Fails with a ListenError.
   */
  listen(address: PeerAddress, accept: (socket: Socket) => SocketEvents): Promise<Listener>;
  connect(address: PeerAddress, events: SocketEvents): Socket;
}
