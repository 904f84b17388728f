/**
 * One connection between two nodes: the handshake, then frames. Who made it (`Dialler`,
 * `ServedLink`) decides what the frames mean.
 *
 *   opening -> proving -> ready -> closed        opening, proving -> refused -> closed
 *
 * Invariant: no frame is read before the handshake is over. What is sent in one turn leaves in one
 * write when the turn is over.
 */
import { type Frame, FrameReader, FrameWriter } from '../protocol/peer-frames.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { Complaints } from './complaints.ts';
import { type Handshake, type Refused, refusals } from './handshake.ts';
import { handshakeMs, pulseMs, refusedMs } from './limits.ts';
import type { Socket, SocketEvents } from './sockets.ts';
import type { PeerId } from './transport.ts';

export interface LinkOwner {
  /** The address that was dialled, `host:port`; undefined: the peer came to us. */
  readonly dialled: string | undefined;
  /** The handshake is over. */
  onReady(): void;
  /** Whatever comes after it, before the frames in it. */
  onHeard(): void;
  onFrame(frame: Frame): void;
  /** Once, unless the owner itself has closed it. */
  onClosed(reason: string): void;
}

/** What all links of a transport share. */
export interface LinkWorld {
  readonly system: System;
  readonly complaints: Complaints;
  readonly frameBytesMax: number;
  /** Without one, only nodes of this machine are peers. */
  readonly hasSecret: boolean;
  /** Calls `flush` of the link when this turn is over. */
  wake(link: PeerLink): void;
}

export class PeerLink implements SocketEvents {
  /** Known once it is ready. */
  peerId: PeerId = '';
  /** The latest heard: of a dialled link, a reading of the peer's clock. */
  token = 0;
  readonly #world: LinkWorld;
  readonly #owner: LinkOwner;
  readonly #handshake: Handshake;
  readonly #reader: FrameReader;
  readonly #writer = new FrameWriter();
  #state: 'opening' | 'proving' | 'refused' | 'ready' | 'closed' = 'opening';
  #socket: Socket | undefined;
  #deadline: Timer | undefined;
  #pulseAtMs = 0;
  #silentMs = 0;

  constructor(world: LinkWorld, owner: LinkOwner, handshake: Handshake) {
    this.#world = world;
    this.#owner = owner;
    this.#handshake = handshake;
    this.#reader = new FrameReader(world.frameBytesMax);
  }

  /** Right after the socket was made; the time for the handshake starts to run. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#deadline = this.#world.system.timers.after(handshakeMs, () => this.#tooLate());
    if (this.#owner.dialled === undefined) this.onOpen();
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Handed over and not taken by the network. */
  get unsentBytes(): number {
    return this.#writer.bytes + (this.#socket?.unsentBytes ?? 0);
  }

  /** Since when nothing was heard; time in which this process itself stood still not counted. */
  get silentMs(): number {
    return this.#silentMs;
  }

  send(kind: number, requestId: number, token: number, body: Buffer): void {
    if (this.#state !== 'ready') return;
    if (this.#writer.bytes === 0) this.#world.wake(this);
    this.#writer.write(kind, requestId, token, body);
  }

  flush(): void {
    if (this.#state === 'ready') this.#socket?.write(this.#writer.take());
  }

  /** Called every `pulseMs`. */
  pulse(nowMs: number): void {
    this.#silentMs += Math.min(nowMs - this.#pulseAtMs, 2 * pulseMs);
    this.#pulseAtMs = nowMs;
  }

  /** Closes, and tells the owner. */
  end(reason: string): void {
    if (this.#state === 'closed') return;
    this.close();
    this.#owner.onClosed(reason);
  }

  /** The peer has proved itself and yet says what it must not. */
  abort(reason: string): void {
    this.#complain(`a peer broke the protocol: ${reason}`);
    this.end(reason);
  }

  /** At once; the owner is not told. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deadline?.cancel();
    this.#socket?.destroy();
  }

  onOpen(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'proving';
    const { hasSecret } = this.#world;
    if (hasSecret || this.#socket?.isLoopback === true) this.#say(this.#handshake.opening());
    else this.#refuse(this.#handshake.refuseRemote());
  }

  onBytes(bytes: Buffer): void {
    if (this.#state === 'ready') this.#readFrames(bytes);
    else if (this.#state === 'proving') this.#prove(bytes);
  }

  onClose(reason: string): void {
    this.end(reason);
  }

  #prove(bytes: Buffer): void {
    const step = this.#handshake.receive(bytes);
    if (step.kind === 'refused') {
      this.#refuse(step);
      return;
    }
    this.#say(step.send);
    if (step.kind === 'more') return;
    this.#deadline?.cancel();
    this.#state = 'ready';
    this.peerId = step.peerId.toString('hex');
    this.token = step.token;
    this.#pulseAtMs = this.#world.system.clock.monotonicMs();
    this.#world.complaints.clear(this.#host);
    this.#owner.onReady();
  }

  #readFrames(bytes: Buffer): void {
    this.#silentMs = 0;
    this.#owner.onHeard();
    const reader = this.#reader;
    reader.push(bytes);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      this.#owner.onFrame(frame);
      if (this.#state !== 'ready') return;
    }
    if (reader.fault !== undefined) this.abort(reader.fault);
  }

  /** Whoever is told why has a moment to read it: bytes unsent at the end would be dropped. */
  #refuse({ by, refusal, theirs, send }: Refused): void {
    const { text } = refusals[refusal];
    const what = by === 'us' ? 'a peer was refused' : 'a peer refused this node';
    this.#complain(`${what}: ${text}`, theirs === undefined ? {} : { theirs });
    if (send.length === 0) {
      this.end(text);
      return;
    }
    this.#state = 'refused';
    this.#say(send);
    this.#deadline?.cancel();
    this.#deadline = this.#world.system.timers.after(refusedMs, () => this.end(text));
  }

  #tooLate(): void {
    if (this.#owner.dialled === undefined) {
      this.#complain('a peer was refused: it did not finish the handshake in time');
    }
    this.end('timed out');
  }

  get remoteHost(): string {
    return this.#socket?.remoteHost ?? '';
  }

  get #host(): string {
    return this.#owner.dialled ?? this.remoteHost;
  }

  #complain(reason: string, fields: object = {}): void {
    this.#world.complaints.complain('warning', this.#host, reason, fields);
  }

  #say(bytes: Buffer): void {
    if (bytes.length > 0) this.#socket?.write([bytes]);
  }
}
