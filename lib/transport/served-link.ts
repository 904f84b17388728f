/**
 * A link that a peer has dialled: its requests go to the handlers, their answers go back, in
 * whatever order they come. Every answer hands out a reading of the clock; the request that carries
 * it back was sent after that moment.
 */

import { CodecError } from '../base/byte-reader.ts';
import { emptyBytes } from '../base/bytes.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';
import {
  answerKinds,
  type Frame,
  frameHeaderBytes,
  pingKind,
  requestKindMax,
} from '../protocol/peer-frames.ts';
import { handledRequestsMax, requestAgeMsMax, unsentBytesMax } from './limits.ts';
import type { LinkOwner, LinkWorld, PeerLink } from './peer-link.ts';
import type { Handler } from './transport.ts';

export interface ServedLinkPorts {
  readonly world: LinkWorld;
  handlerOf(kind: number): Handler | undefined;
  onReady(served: ServedLink): void;
  onClosed(served: ServedLink): void;
}

/** The id that answers nothing: only a sign of life. */
const lifeSignId = 0;

export class ServedLink implements LinkOwner {
  readonly dialled = undefined;
  readonly #ports: ServedLinkPorts;
  #link: PeerLink | undefined;
  #handledCount = 0;
  #heardSincePulse = false;
  #saidSincePulse = false;

  constructor(ports: ServedLinkPorts) {
    this.#ports = ports;
  }

  set link(link: PeerLink) {
    this.#link = link;
  }

  end(reason: string): void {
    this.#link?.end(reason);
  }

  close(): void {
    this.#link?.close();
  }

  /**
   * Called every `pulseMs`. While a long request trickles in there is nothing to answer, so its
   * sender is told that somebody listens. And a peer is gone that lets nothing be heard for so long
   * that all it has sent is too old by now.
   */
  pulse(nowMs: number): void {
    const link = this.#link;
    if (link === undefined) return;
    link.pulse(nowMs);
    if (link.silentMs > requestAgeMsMax) link.end('the peer is silent');
    else if (this.#heardSincePulse && !this.#saidSincePulse) this.#ok(lifeSignId, emptyBytes);
    this.#heardSincePulse = false;
    this.#saidSincePulse = false;
  }

  onReady(): void {
    this.#ports.onReady(this);
  }

  onHeard(): void {
    this.#heardSincePulse = true;
  }

  onClosed(): void {
    this.#ports.onClosed(this);
  }

  onFrame(frame: Frame): void {
    const { kind, requestId } = frame;
    const ageMs = Math.max(0, this.#nowMs - frame.token);
    if (kind === pingKind) this.#ok(requestId, emptyBytes);
    else if (kind > requestKindMax) this.#link?.abort(`kind ${kind} is no request`);
    else if (ageMs > requestAgeMsMax) this.#refuse(requestId, 'ERR stale request');
    else if (this.#isBusy) this.#refuse(requestId, 'BUSY too many requests are being handled');
    else this.#handle(frame, ageMs);
  }

  #handle({ kind, requestId, body }: Frame, ageMs: number): void {
    const handler = this.#ports.handlerOf(kind);
    if (handler === undefined) {
      this.#refuse(requestId, `ERR unknown request kind ${kind}`);
      return;
    }
    let answer: Later<Buffer>;
    try {
      answer = handler({
        from: this.#link?.peerId ?? '',
        fromHost: this.#link?.remoteHost ?? '',
        body,
        ageMs,
      });
    } catch (error) {
      this.#fail(requestId, error);
      return;
    }
    if (isLater(answer)) this.#expect(requestId, answer);
    else this.#ok(requestId, answer);
  }

  #expect(requestId: number, answer: PromiseLike<Buffer>): void {
    this.#handledCount += 1;
    const onValue = (body: Buffer): void => {
      this.#handledCount -= 1;
      this.#ok(requestId, body);
    };
    const onError = (error: unknown): void => {
      this.#handledCount -= 1;
      this.#fail(requestId, error);
    };
    if (answer instanceof Deferred) answer.listen(onValue, onError);
    else answer.then(onValue, onError);
  }

  get #isBusy(): boolean {
    const unsentBytes = this.#link?.unsentBytes ?? 0;
    return this.#handledCount >= handledRequestsMax || unsentBytes >= unsentBytesMax;
  }

  #ok(requestId: number, body: Buffer): void {
    if (body.length + frameHeaderBytes <= this.#ports.world.frameBytesMax) {
      this.#answer(answerKinds.ok, requestId, body);
    } else this.#refuse(requestId, 'ERR the answer is longer than a frame may be');
  }

  #refuse(requestId: number, text: string): void {
    this.#answer(answerKinds.refused, requestId, Buffer.from(text));
  }

  /** Anything but these is a fault of this program, and not the peer's business. */
  #fail(requestId: number, error: unknown): void {
    if (error instanceof RedisError) this.#refuse(requestId, error.message);
    else if (error instanceof CodecError) this.#refuse(requestId, `ERR ${error.message}`);
    else if (error instanceof StoreError) this.#refuse(requestId, `STORE ${error.code}`);
    else this.#ports.world.system.timers.soon(() => raise(error));
  }

  #answer(kind: number, requestId: number, body: Buffer): void {
    this.#saidSincePulse = true;
    this.#link?.send(kind, requestId, Math.floor(this.#nowMs), body);
  }

  get #nowMs(): number {
    return this.#ports.world.system.clock.monotonicMs();
  }
}

function raise(error: unknown): never {
  throw error;
}
