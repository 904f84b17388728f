/**
 * The `Transport`: who is dialled, who was accepted, which link leads to which peer.
 *
 *   call    -> Dialler -> PeerLink ~~ frames ~~> PeerLink -> ServedLink -> handler
 *
 * Invariant: at most one dialled link is used per peer. When two addresses lead to one peer the
 * newer link is kept and the other address rests until it breaks. A link that was accepted is never
 * closed in favour of another, because requests on it may be under way.
 */
import { assert } from '../base/assert.ts';
import type { Deferred } from '../base/later.ts';
import { requestKindMax } from '../protocol/peer-frames.ts';
import { listenOnAll } from '../runtime/listening.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { Complaints } from './complaints.ts';
import { Deadlines } from './deadlines.ts';
import { addressText, Dialler, type DiallerPorts, failed } from './dialler.ts';
import { AcceptorHandshake, DiallerHandshake, nonceBytes, type Party } from './handshake.ts';
import { pulseMs, unprovenLinksMax } from './limits.ts';
import { type LinkWorld, PeerLink } from './peer-link.ts';
import { ServedLink, type ServedLinkPorts } from './served-link.ts';
import type { Listener, Socket, SocketEvents, Sockets } from './sockets.ts';
import type { Handler, PeerAddress, PeerId, Transport } from './transport.ts';

export interface PeerTransportOptions {
  /** At most 255 bytes. */
  readonly clusterName: string;
  /** Empty: only nodes of this machine are peers. */
  readonly secret: string;
  /** As the words of `bind`. */
  readonly binds: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  readonly frameBytesMax: number;
}

interface Peer {
  /** Whose link is ready; undefined: there is none. */
  dialler: Dialler | undefined;
  heard: number;
}

export class PeerTransport implements Transport {
  readonly #sockets: Sockets;
  readonly #system: System;
  readonly #options: PeerTransportOptions;
  readonly #handlers: (Handler | undefined)[] = new Array(requestKindMax + 1).fill(undefined);
  readonly #diallers = new Map<string, Dialler>();
  readonly #peers = new Map<PeerId, Peer>();
  /** Accepted, in the order in which they came, before and after the handshake. */
  readonly #unproven = new Set<ServedLink>();
  readonly #served = new Set<ServedLink>();
  readonly #connectedListeners: ((peer: PeerId, address: PeerAddress) => void)[] = [];
  readonly #disconnectedListeners: ((peer: PeerId) => void)[] = [];
  readonly #ownAddressListeners: ((address: PeerAddress) => void)[] = [];
  readonly #deadlines: Deadlines;
  readonly #world: LinkWorld;
  readonly #diallerPorts: DiallerPorts;
  readonly #servedPorts: ServedLinkPorts;
  /** Links with something to send when this turn is over. */
  #woken: PeerLink[] = [];
  #nodeId: Buffer | undefined;
  #listeners: readonly Listener[] = [];
  #port = 0;
  #pulse: Timer | undefined;
  #stopped: Promise<void> | undefined;

  constructor(sockets: Sockets, system: System, options: PeerTransportOptions) {
    this.#sockets = sockets;
    this.#system = system;
    this.#options = options;
    this.#deadlines = new Deadlines(system, (nowMs) => this.#expire(nowMs));
    this.#world = {
      system,
      complaints: new Complaints(system),
      frameBytesMax: options.frameBytesMax,
      hasSecret: options.secret !== '',
      wake: (link) => this.#wake(link),
    };
    this.#diallerPorts = {
      world: this.#world,
      sockets,
      handshake: () => new DiallerHandshake(this.#party()),
      onReady: (dialler) => this.#connected(dialler),
      onLost: (dialler) => this.#lost(dialler),
      onHeard: (peer) => {
        const known = this.#peers.get(peer);
        if (known !== undefined) known.heard += 1;
      },
    };
    this.#servedPorts = {
      world: this.#world,
      handlerOf: (kind) => this.#handlers[kind],
      onReady: (served) => {
        this.#unproven.delete(served);
        this.#served.add(served);
      },
      onClosed: (served) => {
        this.#unproven.delete(served);
        this.#served.delete(served);
      },
    };
  }

  get port(): number {
    return this.#port;
  }

  /** Rejects with a ListenError that says it all in one line. */
  async start(nodeId: Buffer): Promise<void> {
    const { binds, port } = this.#options;
    this.#nodeId = nodeId;
    const bound = await listenOnAll(binds, port, (host, at) =>
      this.#sockets.listen({ host, port: at }, (socket) => this.#accept(socket)),
    );
    this.#listeners = bound.listeners;
    this.#port = bound.port;
    this.#pulse = this.#system.timers.every(pulseMs, () => this.#beat());
    for (const dialler of this.#diallers.values()) dialler.start();
  }

  /** Idempotent; after `start` has ended. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#pulse?.cancel();
    this.#deadlines.stop();
    for (const dialler of this.#diallers.values()) dialler.end();
    for (const served of [...this.#unproven, ...this.#served]) served.close();
    this.#unproven.clear();
    this.#served.clear();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  handle(kind: number, handler: Handler): void {
    assert(kind >= 1 && kind <= requestKindMax, 'kinds of requests are 1..200');
    assert(this.#handlers[kind] === undefined, 'a kind has one handler');
    this.#handlers[kind] = handler;
  }

  dial(address: PeerAddress): void {
    const name = addressText(address);
    if (this.#stopped !== undefined || this.#diallers.has(name)) return;
    const dialler = new Dialler(this.#diallerPorts, address);
    this.#diallers.set(name, dialler);
    if (this.#nodeId !== undefined) dialler.start();
  }

  forget(address: PeerAddress): void {
    const name = addressText(address);
    const dialler = this.#diallers.get(name);
    this.#diallers.delete(name);
    dialler?.end();
  }

  call(peer: PeerId, kind: number, body: Buffer, timeoutMs: number): Deferred<Buffer> {
    assert(kind >= 1 && kind <= requestKindMax, 'kinds of requests are 1..200');
    const dialler = this.#peers.get(peer)?.dialler;
    if (dialler === undefined) return failed('unreachable');
    const nowMs = this.#system.clock.monotonicMs();
    this.#deadlines.add(nowMs + timeoutMs, nowMs);
    return dialler.call(kind, body, nowMs + timeoutMs);
  }

  isConnected(peer: PeerId): boolean {
    return this.#peers.get(peer)?.dialler !== undefined;
  }

  heard(peer: PeerId): number {
    return this.#peers.get(peer)?.heard ?? 0;
  }

  onConnected(listener: (peer: PeerId, address: PeerAddress) => void): void {
    this.#connectedListeners.push(listener);
  }

  onDisconnected(listener: (peer: PeerId) => void): void {
    this.#disconnectedListeners.push(listener);
  }

  onOwnAddress(listener: (address: PeerAddress) => void): void {
    this.#ownAddressListeners.push(listener);
  }

  #party(): Party {
    const { clusterName, secret } = this.#options;
    const { random, hashes } = this.#system;
    assert(this.#nodeId !== undefined, 'links are made after the start');
    return { nodeId: this.#nodeId, clusterName, secret, nonce: random.bytes(nonceBytes), hashes };
  }

  /** A stranger who opens links and says nothing ends up ending his own. */
  #accept(socket: Socket): SocketEvents {
    const [oldest] = this.#unproven;
    if (this.#unproven.size >= unprovenLinksMax) oldest?.end('too many strangers');
    const served = new ServedLink(this.#servedPorts);
    const token = (): number => Math.floor(this.#system.clock.monotonicMs());
    const handshake = new AcceptorHandshake(this.#party(), token);
    const link = new PeerLink(this.#world, served, handshake);
    served.link = link;
    this.#unproven.add(served);
    link.attach(socket);
    return link;
  }

  #connected(dialler: Dialler): void {
    const { peerId, address } = dialler;
    if (peerId === this.#nodeId?.toString('hex')) {
      this.#system.log.debug('an address is this node itself', address);
      dialler.end();
      for (const listener of this.#ownAddressListeners) listener(address);
      return;
    }
    const peer = this.#peers.get(peerId) ?? { dialler: undefined, heard: 0 };
    const before = peer.dialler;
    peer.dialler = dialler;
    this.#peers.set(peerId, peer);
    if (before !== undefined) {
      this.#tellDisconnected(peerId);
      before.rest();
    }
    for (const listener of this.#connectedListeners) listener(peerId, address);
  }

  #lost(dialler: Dialler): void {
    const { peerId } = dialler;
    const peer = this.#peers.get(peerId);
    if (peer?.dialler !== dialler) return;
    peer.dialler = undefined;
    for (const other of this.#diallers.values()) {
      if (other.peerId === peerId && other.isResting) other.start();
    }
    this.#tellDisconnected(peerId);
  }

  #tellDisconnected(peer: PeerId): void {
    for (const listener of this.#disconnectedListeners) listener(peer);
  }

  #expire(nowMs: number): number {
    let earliestAtMs = Number.POSITIVE_INFINITY;
    for (const dialler of this.#diallers.values()) {
      earliestAtMs = Math.min(earliestAtMs, dialler.expire(nowMs));
    }
    return earliestAtMs;
  }

  #beat(): void {
    const nowMs = this.#system.clock.monotonicMs();
    for (const dialler of this.#diallers.values()) dialler.pulse(nowMs);
    for (const served of this.#served) served.pulse(nowMs);
  }

  #wake(link: PeerLink): void {
    if (this.#woken.length === 0) this.#system.timers.soon(this.#flush);
    this.#woken.push(link);
  }

  readonly #flush = (): void => {
    const woken = this.#woken;
    this.#woken = [];
    for (const link of woken) link.flush();
  };
}
