/**
 * Who is at the other end: each node that connects to another introduces itself and is answered in
 * kind, so that both know (request `who`). What comes in is told to the phase this node is in.
 */
import { assert } from '../base/assert.ts';
import { CodecError } from '../base/byte-reader.ts';
import { RedisError } from '../base/errors.ts';
import { type Deferred, type Later, nothing } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import {
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../transport/transport.ts';
import { IdentityError } from './identity.ts';
import {
  decodeIntroduction,
  decodeJoin,
  decodeOffer,
  encodeIntroduction,
  type Introduction,
  type JoinRequest,
} from './introduction.ts';
import { membershipKinds } from './peer-kinds.ts';
import type { RingMembership } from './ring-rows.ts';
import { nameOfAddress } from './seeds.ts';

/** What a node does about its ring: it waits for one (`gathering.ts`) or has it (`keeper.ts`). */
export interface Phase {
  /** `address`: the one that was dialled, if it was. */
  introduction(to: PeerId, address?: PeerAddress): Introduction;
  heard(peer: PeerId, introduction: Introduction, address: PeerAddress | undefined): void;
  gone(peer: PeerId): void;
  ownAddress(address: PeerAddress): void;
  offered(from: PeerId, offer: RingMembership): Later<Buffer>;
  /** `fromHost`: where the one who passes it on, or asks for itself, is. */
  joins(request: JoinRequest, from: PeerId, fromHost: string): Later<Buffer>;
}

const whoTimeoutMs = 1000;
const findTimeoutMs = 3000;
const findPeriodMs = 20;

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
    this.#transport.handle(membershipKinds.join, ({ from, fromHost, body }) =>
      this.#current.joins(
        readOrRefuse(() => decodeJoin(body)),
        from,
        fromHost,
      ),
    );
    this.#transport.onConnected((peer, address) => {
      this.#connected.set(peer, address);
      this.#introduce(peer);
    });
    this.#transport.onDisconnected((peer) => {
      this.#connected.delete(peer);
      this.#current.gone(peer);
    });
    this.#transport.onOwnAddress((address) => this.#current.ownAddress(address));
  }

  /** Until it has answered or is gone: who is not known yet is not asked by anybody else. */
  #introduce(peer: PeerId): void {
    this.ask(peer).listen(nothing, (error) => {
      const isLost = error instanceof PeerError && error.code === 'timeout';
      if (isLost && this.#connected.has(peer)) this.#introduce(peer);
    });
  }

  /** Settles once the phase has heard the answer. */
  ask(peer: PeerId): Deferred<void> {
    const body = encodeIntroduction(this.#current.introduction(peer, this.#connected.get(peer)));
    return this.#transport.call(peer, membershipKinds.who, body, whoTimeoutMs).then((answer) => {
      this.#current.heard(peer, decodeIntroduction(answer), this.#connected.get(peer));
    });
  }

  /** Who is at an address; undefined: nobody within a moment, or nobody of this cluster-name. */
  async find(address: PeerAddress, { timers, clock }: System): Promise<PeerId | undefined> {
    const name = nameOfAddress(address);
    const endAtMs = clock.monotonicMs() + findTimeoutMs;
    this.#transport.dial(address);
    for (;;) {
      for (const [peer, dialled] of this.#connected) {
        if (nameOfAddress(dialled) === name) return peer;
      }
      if (clock.monotonicMs() >= endAtMs) {
        this.#transport.forget(address);
        return undefined;
      }
      await new Promise<void>((settle) => timers.after(findPeriodMs, settle));
    }
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
