/**
 * The door to the other nodes: requests with an answer, over links that are dialled for ever.
 * `peer-transport.ts` is the one implementation, over the sockets of TCP or of the simulator; both
 * pass `spec/contract/transport-contract.ts`.
 *
 * A peer is known by its node id (40 hex digits), which its handshake has proved. Each node dials
 * all others and calls over the links that it dialled; it answers over those that it accepted.
 *
 * Bodies that come in, of requests and of answers, are borrowed for the turn. Bodies handed over
 * are the transport's from then on; one may be handed to several calls.
 */
import type { Deferred, Later } from '../base/later.ts';

export type PeerId = string;

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

export const peerErrorCodes = {
  unreachable: 'there is no link to the peer; nothing was sent',
  overloaded: 'the queue of the link is full; nothing was sent',
  lost: 'the link broke after the request was sent',
  timeout: 'the peer did not answer in time',
  refused: 'the peer refused the request',
} as const;

export type PeerErrorCode = keyof typeof peerErrorCodes;

/** `refused`: the message is the one of the handler's error, a whole RESP error text. */
export class PeerError extends Error {
  readonly code: PeerErrorCode;

  constructor(code: PeerErrorCode, message: string = peerErrorCodes[code]) {
    super(message);
    this.name = 'PeerError';
    this.code = code;
  }

  /** False: the peer has certainly not seen the request. */
  get wasSent(): boolean {
    return this.code !== 'unreachable' && this.code !== 'overloaded';
  }
}

export interface Request {
  readonly from: PeerId;
  /** The address that it comes from. */
  readonly fromHost: string;
  /** Borrowed for the turn. */
  readonly body: Buffer;
  /**
   * At most so long ago it was sent, by this node's own monotonic clock: every answer hands the
   * peer a reading of it, and every request carries the latest one back. Above 60 s a request is
   * refused before any handler sees it (DESIGN 3.4).
   */
  readonly ageMs: number;
}

/** Answers now or later; a RedisError becomes `refused` with its text at the caller. */
export type Handler = (request: Request) => Later<Buffer>;

export interface Transport {
  /** The port listened on; 0 before `start`. */
  readonly port: number;
  /** Listens, under this id (20 bytes). Handlers are in place by then. */
  start(nodeId: Buffer): Promise<void>;
  /** Ends every link; what is under way fails with `lost`. */
  stop(): Promise<void>;

  /** One handler a kind; kinds are 1..200, those above are the transport's own. */
  handle(kind: number, handler: Handler): void;

  /** Dials this address for ever, with back-off. Idempotent. An address of one's own is noticed. */
  dial(address: PeerAddress): void;
  forget(address: PeerAddress): void;

  /** Fails with a PeerError. */
  call(peer: PeerId, kind: number, body: Buffer, timeoutMs: number): Deferred<Buffer>;
  isConnected(peer: PeerId): boolean;
  /** Grows whenever something arrives from the peer on the link that was dialled to it. */
  heard(peer: PeerId): number;

  /** A link that was dialled is ready for calls, resp. is no longer. Called in that turn. */
  onConnected(listener: (peer: PeerId, address: PeerAddress) => void): void;
  onDisconnected(listener: (peer: PeerId) => void): void;
  /** An address that was dialled leads to this node itself; it is not dialled again. */
  onOwnAddress(listener: (address: PeerAddress) => void): void;
}
