/**
 * Which process of a peer came last. Every process draws a boot nonce and says it in each ping; a
 * node remembers of each peer the current one and the one before. A process that starts on the
 * marker of a clean stop may go on with its epoch only if a peer confirms that the marker's process
 * was the last one before it (DESIGN 3.3): else the directory may be an old copy.
 *
 *   recall  u48 own nonce -> u48 the nonce known before it, or 0
 */

import { readU48, writeU48 } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { Deferred } from '../base/later.ts';
import type { PeerId, Transport } from '../transport/transport.ts';
import { membershipKinds } from './peer-kinds.ts';

interface Known {
  current: number;
  /** 0: none. */
  before: number;
}

const nonceBytes = 6;
const recallTimeoutMs = 1000;

export class Nonces {
  readonly #transport: Transport;
  readonly #ownNonce: number;
  readonly #known = new Map<PeerId, Known>();
  readonly #isMember: (peer: PeerId) => boolean;

  /** `isMember`: who may ask, and is asked. */
  constructor(transport: Transport, ownNonce: number, isMember: (peer: PeerId) => boolean) {
    this.#transport = transport;
    this.#ownNonce = ownNonce;
    this.#isMember = isMember;
  }

  start(): void {
    this.#transport.handle(membershipKinds.recall, ({ from, body }) => {
      if (!this.#isMember(from) || body.length !== nonceBytes) {
        throw new RedisError('ERR you are no member of this ring');
      }
      this.note(from, readU48(body, 0));
      return nonceBody(this.#knownOf(from).before);
    });
  }

  /** A peer said its nonce. */
  note(peer: PeerId, nonce: number): void {
    const known = this.#knownOf(peer);
    if (known.current === nonce) return;
    known.before = known.current;
    known.current = nonce;
  }

  /**
   * Settles once a peer says that this was the nonce of this node's last process. Peers are asked
   * whenever they come up; where none remembers it stays open.
   */
  remembers(nonce: number, members: readonly PeerId[]): Deferred<void> {
    const remembered = new Deferred<void>();
    const ask = (peer: PeerId): void => {
      if (!remembered.pending || !this.#isMember(peer)) return;
      const body = nonceBody(this.#ownNonce);
      this.#transport.call(peer, membershipKinds.recall, body, recallTimeoutMs).listen(
        (answer) => {
          const isOurs = answer.length === nonceBytes && readU48(answer, 0) === nonce;
          if (isOurs && nonce !== 0) remembered.settle();
        },
        () => undefined,
      );
    };
    this.#transport.onConnected(ask);
    for (const peer of members) if (this.#transport.isConnected(peer)) ask(peer);
    return remembered;
  }

  #knownOf(peer: PeerId): Known {
    const known = this.#known.get(peer) ?? { current: 0, before: 0 };
    this.#known.set(peer, known);
    return known;
  }
}

function nonceBody(nonce: number): Buffer {
  const body = Buffer.allocUnsafe(nonceBytes);
  writeU48(body, nonce, 0);
  return body;
}
