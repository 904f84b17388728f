/**
 * One address, dialled for ever, and the calls over the link to whoever answers there.
 *
 *   dialling -> ready -> waiting -> dialling ...      after `end`: ended
 *   ready -> resting        another address leads to the same peer; `start` dials again
 */
import { emptyBytes } from '../base/bytes.ts';
import { Deferred } from '../base/later.ts';
import { answerKinds, type Frame, frameHeaderBytes, pingKind } from '../protocol/peer-frames.ts';
import type { Timer } from '../runtime/ports.ts';
import { Calls } from './calls.ts';
import type { Handshake } from './handshake.ts';
import {
  backoffMsMax,
  backoffMsMin,
  pingAfterMs,
  silenceMsMax,
  unansweredCallsMax,
  unsentBytesMax,
} from './limits.ts';
import { type LinkOwner, type LinkWorld, PeerLink } from './peer-link.ts';
import type { Sockets } from './sockets.ts';
import { type PeerAddress, PeerError, type PeerErrorCode, type PeerId } from './transport.ts';

export interface DiallerPorts {
  readonly world: LinkWorld;
  readonly sockets: Sockets;
  handshake(): Handshake;
  /** The link is ready. */
  onReady(dialler: Dialler): void;
  /** It no longer is; its calls fail after this. */
  onLost(dialler: Dialler): void;
  onHeard(peer: PeerId): void;
}

/** Request ids of calls begin at 1. */
const pingId = 0;

export class Dialler implements LinkOwner {
  readonly address: PeerAddress;
  readonly dialled: string;
  readonly #ports: DiallerPorts;
  readonly #calls = new Calls();
  #state: 'resting' | 'dialling' | 'ready' | 'waiting' | 'ended' = 'resting';
  #link: PeerLink | undefined;
  #peerId: PeerId = '';
  #backoffMs = backoffMsMin;
  #redial: Timer | undefined;
  #isPinged = false;

  constructor(ports: DiallerPorts, address: PeerAddress) {
    this.#ports = ports;
    this.address = address;
    this.dialled = addressText(address);
  }

  /** Who answered here last. */
  get peerId(): PeerId {
    return this.#peerId;
  }

  get isResting(): boolean {
    return this.#state === 'resting';
  }

  start(): void {
    if (this.#state === 'resting') this.#dial();
  }

  /** Another address leads to the same peer: this link is given up until `start`. */
  rest(): void {
    this.#leave('resting');
  }

  /** For good. */
  end(): void {
    this.#leave('ended');
  }

  call(kind: number, body: Buffer, deadlineAtMs: number): Deferred<Buffer> {
    const link = this.#link;
    if (link === undefined || this.#state !== 'ready') return failed('unreachable');
    if (this.#calls.count >= unansweredCallsMax || link.unsentBytes >= unsentBytesMax) {
      return failed('overloaded');
    }
    if (body.length + frameHeaderBytes > this.#ports.world.frameBytesMax) {
      return failed('overloaded', 'the request is longer than a frame may be');
    }
    const answer = this.#calls.add(deadlineAtMs);
    link.send(kind, this.#calls.lastId, link.token, body);
    return answer;
  }

  /** Returns the earliest deadline that is left. */
  expire(nowMs: number): number {
    return this.#calls.expire(nowMs);
  }

  /** Called every `pulseMs`: asks a silent peer whether it is there, gives a mute one up. */
  pulse(nowMs: number): void {
    const link = this.#link;
    if (link === undefined || this.#state !== 'ready') return;
    link.pulse(nowMs);
    if (link.silentMs >= silenceMsMax) link.end('the peer is silent');
    else if (link.silentMs < pingAfterMs) this.#isPinged = false;
    else if (!this.#isPinged) {
      this.#isPinged = true;
      link.send(pingKind, pingId, link.token, emptyBytes);
    }
  }

  onReady(): void {
    this.#state = 'ready';
    this.#peerId = this.#link?.peerId ?? '';
    this.#backoffMs = backoffMsMin;
    this.#isPinged = false;
    this.#ports.onReady(this);
  }

  onHeard(): void {
    this.#ports.onHeard(this.#peerId);
  }

  onFrame({ kind, requestId, token, body }: Frame): void {
    const link = this.#link;
    if (link === undefined) return;
    link.token = token;
    if (kind === answerKinds.ok) this.#calls.settle(requestId, body);
    else if (kind === answerKinds.refused) this.#calls.refuse(requestId, body.toString());
    else link.abort(`kind ${kind} is no answer`);
  }

  onClosed(reason: string): void {
    const { system, complaints } = this.#ports.world;
    const wasReady = this.#state === 'ready';
    complaints.complain('verbose', this.dialled, 'there is no link to a peer', { reason });
    this.#state = 'waiting';
    this.#link = undefined;
    const jitterMs = system.random.below(this.#backoffMs / 2);
    this.#redial = system.timers.after(this.#backoffMs + jitterMs, () => this.#dial());
    this.#backoffMs = Math.min(2 * this.#backoffMs, backoffMsMax);
    if (wasReady) this.#lose();
  }

  #dial(): void {
    const { world, sockets } = this.#ports;
    const link = new PeerLink(world, this, this.#ports.handshake());
    this.#state = 'dialling';
    this.#link = link;
    link.attach(sockets.connect(this.address, link));
  }

  #leave(state: 'resting' | 'ended'): void {
    if (this.#state === 'ended') return;
    const wasReady = this.#state === 'ready';
    this.#state = state;
    this.#redial?.cancel();
    this.#link?.close();
    this.#link = undefined;
    if (wasReady) this.#lose();
  }

  #lose(): void {
    this.#ports.onLost(this);
    this.#calls.lose();
  }
}

export function addressText({ host, port }: PeerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function failed(code: PeerErrorCode, message?: string): Deferred<Buffer> {
  const answer = new Deferred<Buffer>();
  answer.fail(new PeerError(code, message));
  return answer;
}
