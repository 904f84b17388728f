/**
 * Whom it is worth asking at this moment, and how far away each peer is. Every peer is pinged all
 * the time; both bodies of a ping are what its sender says in every ping, so that both sides hear
 * of each other whoever asks. Each node judges for itself, and a verdict changes nothing but the
 * order in which peers are asked: ownership never depends on it (RELIABILITY 1.8).
 */
import { RedisError } from '../base/errors.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { PeerError, type PeerId, type Transport } from '../transport/transport.ts';
import type { Verdict } from './member.ts';
import { PeerHealthCore, tickMs } from './peer-health-core.ts';
import { membershipKinds } from './peer-kinds.ts';

export interface PeerHealthOptions {
  /** What this node says in every ping. */
  ping(): Buffer;
  /** What a member said, after that moment of the own clock. Borrowed for the turn. */
  onPing(member: number, body: Buffer, sentAfterMs: number): void;
  /** A member takes no pings of this node. */
  onRefused(reason: string): void;
}

const pingPeriodMs = 100;
const pingTimeoutMs = 1000;
/** Of a new sample in the smoothed round trip. */
const sampleWeight = 1 / 8;
/** Before the first sample. */
const latencyGuessMs = 1;

interface Peer {
  readonly member: number;
  readonly id: PeerId;
  readonly core: PeerHealthCore;
  latencyMs: number | undefined;
  pingedAtMs: number;
  isPinged: boolean;
}

export class PeerHealth {
  readonly #transport: Transport;
  readonly #system: System;
  readonly #options: PeerHealthOptions;
  /** By number. */
  readonly #peers: (Peer | undefined)[] = [];
  readonly #byId = new Map<PeerId, Peer>();
  readonly #upListeners: ((member: number) => void)[] = [];
  readonly #downListeners: ((member: number, id: PeerId) => void)[] = [];
  #timer: Timer | undefined;
  #tickedAtMs = Number.NEGATIVE_INFINITY;

  constructor(transport: Transport, system: System, options: PeerHealthOptions) {
    this.#transport = transport;
    this.#system = system;
    this.#options = options;
  }

  /** Judges exactly these, by their numbers; who is new to it is down until it answers. */
  watch(ids: ReadonlyMap<number, PeerId>): void {
    for (const [member, id] of ids) {
      if (this.#byId.has(id)) continue;
      const peer: Peer = {
        member,
        id,
        core: new PeerHealthCore(),
        latencyMs: undefined,
        pingedAtMs: Number.NEGATIVE_INFINITY,
        isPinged: false,
      };
      this.#peers[member] = peer;
      this.#byId.set(id, peer);
      if (this.#timer !== undefined) this.#ping(peer);
    }
    for (const { id, member } of [...this.#byId.values()]) {
      if (ids.has(member)) continue;
      this.#byId.delete(id);
      this.#peers[member] = undefined;
    }
  }

  /** Says at once what is said in every ping, to all. */
  pingAll(): void {
    if (this.#timer === undefined) return;
    for (const peer of this.#byId.values()) this.#ping(peer, 'beside');
  }

  /** From now on this node answers pings, and so is up to others: everything else is in place. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#transport.handle(membershipKinds.ping, ({ from, body, ageMs }) => {
      const peer = this.#byId.get(from);
      if (peer === undefined) throw new RedisError('ERR you are no member of this ring');
      this.#options.onPing(peer.member, body, this.#system.clock.monotonicMs() - ageMs);
      return this.#options.ping();
    });
    this.#transport.onConnected((id) => {
      const peer = this.#byId.get(id);
      if (peer !== undefined) this.#ping(peer);
    });
    this.#transport.onDisconnected((id) => {
      const peer = this.#byId.get(id);
      if (peer !== undefined) this.#judge(peer, () => peer.core.lost());
    });
    this.#timer = this.#system.timers.every(tickMs, () => this.#tick());
    for (const peer of this.#byId.values()) this.#ping(peer);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  verdict(member: number): Verdict {
    return this.#peers[member]?.core.verdict ?? 'down';
  }

  /** Smoothed round trip. */
  latencyMs(member: number): number {
    return this.#peers[member]?.latencyMs ?? latencyGuessMs;
  }

  /** A call was answered after so long. */
  observe(member: number, ms: number): void {
    const peer = this.#peers[member];
    if (peer === undefined) return;
    const known = peer.latencyMs ?? ms;
    peer.latencyMs = known + (ms - known) * sampleWeight;
  }

  /** A member that was down is up. */
  onUp(listener: (member: number) => void): void {
    this.#upListeners.push(listener);
  }

  onDown(listener: (member: number, id: PeerId) => void): void {
    this.#downListeners.push(listener);
  }

  /** Ticks that a standstill has piled up are one. */
  #tick(): void {
    const nowMs = this.#system.clock.monotonicMs();
    if (nowMs - this.#tickedAtMs < tickMs / 2) return;
    this.#tickedAtMs = nowMs;
    for (const peer of this.#byId.values()) {
      const heard = this.#transport.heard(peer.id);
      this.#judge(peer, () => peer.core.tick(heard, peer.isPinged));
      if (nowMs - peer.pingedAtMs >= pingPeriodMs) this.#ping(peer);
    }
  }

  /** One after another, unless there is something to say. */
  #ping(peer: Peer, beside?: 'beside'): void {
    if (peer.isPinged && beside === undefined) return;
    if (!this.#transport.isConnected(peer.id)) return;
    const sentAtMs = this.#system.clock.monotonicMs();
    peer.pingedAtMs = sentAtMs;
    peer.isPinged = true;
    const ping = this.#options.ping();
    this.#transport.call(peer.id, membershipKinds.ping, ping, pingTimeoutMs).listen(
      (body) => {
        peer.isPinged = false;
        this.observe(peer.member, this.#system.clock.monotonicMs() - sentAtMs);
        this.#options.onPing(peer.member, body, sentAtMs);
        this.#judge(peer, () => peer.core.answered());
      },
      (error) => {
        peer.isPinged = false;
        if (!(error instanceof PeerError && error.code === 'refused')) return;
        this.#options.onRefused(error.message);
      },
    );
  }

  /** Tells who came up or went down by it. */
  #judge(peer: Peer, happen: () => void): void {
    const before = peer.core.verdict;
    happen();
    const now = peer.core.verdict;
    if (before !== 'down' && now === 'down')
      for (const tell of this.#downListeners) tell(peer.member, peer.id);
    if (before === 'down' && now !== 'down')
      for (const tell of this.#upListeners) tell(peer.member);
  }
}
