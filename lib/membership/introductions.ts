/**
 * Who is at the other end: each node that connects to another introduces itself and is answered in
 * kind, so that both know (request `who`). What comes in is told to the phase this node is in.
 */
import { assert } from '../base/assert.ts';
import { CodecError } from '../base/byte-reader.ts';
import { RedisError } from '../base/errors.ts';
import { type Deferred, type Later, nothing } from '../base/later.ts';
import type { PeerAddress, PeerId, Transport } from '../transport/transport.ts';
import { IdentityError } from './identity.ts';
import {
  decodeIntroduction,
  decodeOffer,
  encodeIntroduction,
  type Introduction,
} from './introduction.ts';
import { membershipKinds } from './peer-kinds.ts';
import type { RingMembership } from './ring-rows.ts';

/** What a node does about its ring: it waits for one (`gathering.ts`) or has it (`keeper.ts`). */
export interface Phase {
  introduction(to: PeerId): Introduction;
  /** `address`: the one that was dialled, if it was. */
  heard(peer: PeerId, introduction: Introduction, address: PeerAddress | undefined): void;
  gone(peer: PeerId): void;
  ownAddress(address: PeerAddress): void;
  offered(from: PeerId, offer: RingMembership): Later<Buffer>;
}

const whoTimeoutMs = 1000;

export class Introductions {
  readonly #transport: Transport;
  #phase: Phase | undefined;
  /** Peers that can be asked, and the address that led to each. */
  readonly #connected = new Map<PeerId, PeerAddress>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** From now on this phase hears what is said; whoever is there introduces itself to it again. */
  enter(phase: Phase): void {
    this.#phase = phase;
    for (const peer of this.#connected.keys()) this.ask(peer).listen(nothing, nothing);
  }

  /** Before the transport starts, in the first phase. */
  listen(): void {
    this.#transport.handle(membershipKinds.who, ({ from, body }) => {
      this.#current.heard(
        from,
        readOrRefuse(() => decodeIntroduction(body)),
        undefined,
      );
      return encodeIntroduction(this.#current.introduction(from));
    });
    this.#transport.handle(membershipKinds.offer, ({ from, body }) =>
      this.#current.offered(
        from,
        readOrRefuse(() => decodeOffer(Buffer.from(body))),
      ),
    );
    this.#transport.onConnected((peer, address) => {
      this.#connected.set(peer, address);
      this.ask(peer).listen(nothing, nothing);
    });
    this.#transport.onDisconnected((peer) => {
      this.#connected.delete(peer);
      this.#current.gone(peer);
    });
    this.#transport.onOwnAddress((address) => this.#current.ownAddress(address));
  }

  /** Settles once the phase has heard the answer. */
  ask(peer: PeerId): Deferred<void> {
    const body = encodeIntroduction(this.#current.introduction(peer));
    return this.#transport.call(peer, membershipKinds.who, body, whoTimeoutMs).then((answer) => {
      this.#current.heard(peer, decodeIntroduction(answer), this.#connected.get(peer));
    });
  }

  get #current(): Phase {
    assert(this.#phase !== undefined, 'a phase has been entered');
    return this.#phase;
  }
}

/** What cannot be read is refused, and no fault of this node. */
function readOrRefuse<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const isTheirs = error instanceof CodecError || error instanceof IdentityError;
    throw isTheirs ? new RedisError(`ERR ${error.message}`) : error;
  }
}
