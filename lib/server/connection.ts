/**
 * One client: bytes in, requests started in their order, replies out in their order.
 *
 * A request that overlaps starts although earlier ones are unanswered; any other starts when
 * nothing is unanswered, and nothing starts until it is answered. Replies that are ready leave in
 * one write at the end of the turn. A connection starts and reads no more while its socket, its
 * replies or its input have reached a limit of `limits.ts`, so the memory it takes is bounded by
 * them and by one reply.
 *
 *   open -> ending -> closed      ending: nothing more starts, replies still leave
 */
import type { Socket } from 'node:net';
import { Deferred, isLater } from '../base/later.ts';
import { isWord } from '../commands/arguments.ts';
import type { Dispatch } from '../commands/dispatch.ts';
import type { Client, ClientUse } from '../commands/ports.ts';
import type { Session } from '../commands/session.ts';
import { ErrorReply, type Reply } from '../protocol/reply.ts';
import { type Request, RequestReader } from '../protocol/resp-reader.ts';
import type { OutputPages } from '../protocol/resp-writer.ts';
import type { System } from '../runtime/ports.ts';
import type { ClientRegistry } from './client-registry.ts';
import {
  authenticationMs,
  type ClientLimits,
  inputPauseBytes,
  outputPauseBytes,
  placesMax,
  requestsPerTimeCheck,
  requestsPerTurnMax,
  strangerOutputPauseBytes,
  stuckMs,
  turnMs,
} from './limits.ts';
import { type Place, ReplyQueue } from './reply-queue.ts';
import type { Turns, TurnTaker } from './turns.ts';

/** What the connections of one server share. */
export interface Surroundings {
  readonly dispatch: Dispatch;
  readonly registry: ClientRegistry;
  readonly limits: ClientLimits;
  readonly system: System;
  readonly pages: OutputPages;
  readonly turns: Turns;
  /** Calls `turn` of the connection, once, when what runs now is over. */
  wake(connection: Connection): void;
  closed(connection: Connection): void;
  /** The connection's peer seems to speak HTTP. */
  attacked(session: Session): void;
  /** A fault of this program; stops the node. */
  broken(error: unknown): void;
}

export class Connection implements Client, TurnTaker {
  readonly session: Session;
  readonly #around: Surroundings;
  readonly #socket: Socket;
  readonly #reader: RequestReader;
  readonly #replies: ReplyQueue;
  #state: 'open' | 'ending' | 'closed' = 'open';
  /** A request that was read and must wait for the replies before it. */
  #held: Request | undefined;
  /** The one unanswered request lets nothing overtake it. */
  #alone = false;
  /** It has asked for a turn that it has not had. */
  #queued = false;
  /** All input has been looked at: only more bytes lead to more requests. */
  #drained = true;
  #inputEnded = false;
  #lastInputAtMs: number;
  #strangerSinceMs = Number.POSITIVE_INFINITY;
  #softLimitSinceMs = Number.POSITIVE_INFINITY;
  #stuckBytes = -1;
  #stuckSinceMs = 0;

  constructor(around: Surroundings, socket: Socket, session: Session) {
    this.#around = around;
    this.#socket = socket;
    this.session = session;
    this.#reader = new RequestReader(around.limits.bulkBytesMax);
    this.#replies = new ReplyQueue(around.pages);
    this.#lastInputAtMs = session.createdAtMs;
  }

  start(): void {
    const { log } = this.#around.system;
    this.#around.registry.add(this);
    this.#socket
      .on('data', (chunk: Buffer) => this.#receive(chunk))
      .on('end', () => this.#receiveEnd())
      .on('drain', () => this.turn())
      .on('error', ({ message }) => log.verbose('client connection failed', this.#facts(message)))
      .on('close', () => this.#close());
  }

  use(): ClientUse {
    return {
      fd: descriptor(this.#socket),
      queryBytes: this.#reader.heldBytes,
      outputBytes: this.#outputBytes,
      pendingReplies: this.#replies.placesCount,
    };
  }

  kill(when: 'now' | 'after-replies'): void {
    if (when === 'now') this.#close();
    else {
      this.#finish();
      this.#around.wake(this);
    }
  }

  /** Something has changed: a reply is ready, the socket has room, the input has ended. */
  turn(): void {
    if (!this.#queued && this.#mayStart) this.#askForTurn();
    this.#flush();
    this.#steerReading();
  }

  /** Starts requests until input, turn or room are used up; then sends what is ready. */
  takeTurn(nowMs: number): void {
    this.#queued = false;
    for (let started = 0; this.#hasRoom && this.#startNext(); ) {
      started += 1;
      if (this.#turnIsOver(started, nowMs)) {
        this.#queued = true;
        this.#around.turns.askAgain(this);
        break;
      }
    }
    this.#flush();
    this.#steerReading();
  }

  /** Looks at the clocks. Called every `sweepPeriodMs`. */
  sweep(nowMs: number): void {
    const { limits, registry } = this.#around;
    const isSoft = this.#outputBytes > limits.outputSoftBytes;
    this.#softLimitSinceMs = since(this.#softLimitSinceMs, isSoft, nowMs);
    this.#strangerSinceMs = since(this.#strangerSinceMs, !this.session.authenticated, nowMs);
    if (nowMs - this.#softLimitSinceMs > limits.outputSoftMs) {
      registry.outputLimitDisconnections += 1;
      this.#cut('its replies stayed above the soft output limit');
    } else if (nowMs - this.#strangerSinceMs > authenticationMs) {
      this.#cut('it did not authenticate in time');
    } else if (nowMs - this.#lastInputAtMs > limits.idleMs && this.#replies.placesCount === 0) {
      this.#cut('it was idle');
    } else if (this.#state === 'ending') this.#sweepEnding(nowMs);
  }

  /** A peer that takes its last replies slowly is waited for, one that takes nothing is not. */
  #sweepEnding(nowMs: number): void {
    const bytes = this.#outputBytes;
    if (bytes !== this.#stuckBytes || this.#replies.placesCount > 0) {
      this.#stuckBytes = bytes;
      this.#stuckSinceMs = nowMs;
    } else if (nowMs - this.#stuckSinceMs > stuckMs) this.#cut('it did not take its last replies');
  }

  get #outputBytes(): number {
    const replies = this.#replies;
    return replies.readyBytes + replies.waitingBytes + this.#socket.writableLength;
  }

  #receive(chunk: Buffer): void {
    this.#around.registry.bytesRead += chunk.length;
    if (this.#state !== 'open') return;
    this.#lastInputAtMs = this.#around.system.clock.monotonicMs();
    this.#reader.push(chunk);
    this.#drained = false;
    if (!this.#queued) this.#askForTurn();
    this.#steerReading();
  }

  /** The client sends no more, and still wants its replies. */
  #receiveEnd(): void {
    this.#inputEnded = true;
    this.turn();
  }

  /** Not to be asked for in vain: most who are woken only have replies to send. */
  get #mayStart(): boolean {
    return this.#held !== undefined || !this.#drained || this.#inputEnded;
  }

  #askForTurn(): void {
    this.#queued = true;
    this.#around.turns.ask(this);
  }

  #turnIsOver(started: number, sinceMs: number): boolean {
    if (started % requestsPerTimeCheck !== 0) return false;
    if (started >= requestsPerTurnMax) return true;
    return this.#around.system.clock.monotonicMs() - sinceMs > turnMs;
  }

  get #hasRoom(): boolean {
    const bytesMax = this.session.authenticated ? outputPauseBytes : strangerOutputPauseBytes;
    return (
      this.#state === 'open' &&
      this.#replies.placesCount < placesMax &&
      this.#outputBytes <= bytesMax
    );
  }

  /** False: there is no request, or the next one must wait. */
  #startNext(): boolean {
    const request = this.#held ?? this.#readRequest();
    if (request === undefined) return false;
    const { dispatch } = this.#around;
    const waits = this.#replies.placesCount > 0;
    if (waits && (this.#alone || !dispatch.overlaps(this.session, request))) {
      this.#held = request;
      return false;
    }
    this.#held = undefined;
    const reply = dispatch.execute(this.session, request);
    if (!(reply instanceof Uint8Array) && isLater(reply))
      this.#expect(reply, !waits && !dispatch.overlaps(this.session, request));
    else this.#replies.add(reply, this.session.protocol);
    if (this.session.closing) this.#finish();
    return true;
  }

  #readRequest(): Request | undefined {
    const reader = this.#reader;
    reader.authenticated = this.session.authenticated;
    reader.bulkBytesMax = this.#around.limits.bulkBytesMax;
    const request = reader.next();
    this.#drained = request === undefined;
    if (request === undefined) this.#starve();
    else if (!Array.isArray(request)) {
      this.#replies.add(new ErrorReply(`ERR ${request.text}`), this.session.protocol);
      this.#finish();
    } else if (isWord(request[0], 'post') || isWord(request[0], 'host:')) {
      this.#around.attacked(this.session);
      this.#finish();
    } else return request;
    return undefined;
  }

  /** Only more bytes can help; the question is whether they may come. */
  #starve(): void {
    const { limits, registry } = this.#around;
    if (this.#inputEnded) this.#finish();
    else if (this.#reader.heldBytes > limits.queryBytesMax) {
      registry.queryLimitDisconnections += 1;
      this.#cut('its request passed client-query-buffer-limit');
    }
  }

  #expect(later: PromiseLike<Reply>, alone: boolean): void {
    const place = this.#replies.reserve();
    const onReply = (reply: Reply) => this.#fill(place, reply);
    this.#alone = alone;
    if (later instanceof Deferred) later.listen(onReply, this.#around.broken);
    else void later.then(onReply).then(undefined, this.#around.broken);
  }

  #fill(place: Place, reply: Reply): void {
    if (this.#state === 'closed') return;
    this.#replies.fill(place, reply, this.session.protocol);
    if (this.session.closing) this.#finish();
    this.#around.wake(this);
  }

  #flush(): void {
    if (this.#state === 'closed') return;
    const { limits, registry } = this.#around;
    if (this.#replies.readyBytes > 0) this.#send(this.#replies.take());
    if (this.#outputBytes > limits.outputHardBytes) {
      registry.outputLimitDisconnections += 1;
      this.#cut('its replies passed client-output-buffer-limit');
    } else if (this.#state === 'ending' && this.#replies.placesCount === 0) {
      if (!this.#socket.writableEnded) this.#socket.end(() => this.#close());
    }
  }

  /** One system call, whatever the number of chunks. */
  #send(chunks: readonly Buffer[]): void {
    const socket = this.#socket;
    if (chunks.length > 1) socket.cork();
    for (const chunk of chunks) {
      this.#around.registry.bytesWritten += chunk.length;
      socket.write(chunk);
    }
    if (chunks.length > 1) socket.uncork();
  }

  /** An ending connection reads on and drops what it reads: unread input would reset the peer. */
  #steerReading(): void {
    const isPiled = !this.#drained && this.#reader.heldBytes > inputPauseBytes;
    const mayRead = this.#state !== 'open' || (this.#hasRoom && !isPiled);
    if (mayRead !== this.#socket.isPaused()) return;
    if (mayRead) this.#socket.resume();
    else this.#socket.pause();
  }

  /** Starts nothing more; closes when the replies so far are sent. */
  #finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#held = undefined;
  }

  #cut(reason: string): void {
    this.#around.system.log.notice('client disconnected', this.#facts(reason));
    this.#close();
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#held = undefined;
    this.#socket.destroy();
    this.#around.closed(this);
  }

  #facts(reason: string): object {
    return { client: this.session.id, address: this.session.address, reason };
  }
}

/** When a state began that lasts: infinity while it does not. */
function since(beganAtMs: number, lasts: boolean, nowMs: number): number {
  return lasts ? Math.min(beganAtMs, nowMs) : Number.POSITIVE_INFINITY;
}

/** Node does not publish it; CLIENT LIST shows it. */
function descriptor(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const hasOne = typeof handle === 'object' && handle !== null && 'fd' in handle;
  return hasOne && typeof handle.fd === 'number' ? handle.fd : -1;
}
