/**
 * A transport that loses, repeats and delays the calls of another, by a stream of its own: what TCP
 * never does to the bytes of one connection, but two connections, a paused process or a queue may do
 * to requests. A repeated call is sent again later, its answer thrown away; but not one that asks for
 * a write to be coordinated: those are sent at most once, which TCP keeps.
 */
import { Deferred } from '../../lib/base/later.ts';
import { peerKinds } from '../../lib/coordinator/peer-kinds.ts';
import type { Timers } from '../../lib/runtime/ports.ts';
import {
  type Handler,
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../../lib/transport/transport.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Probabilities, and how long what is late may be late. */
export interface Chaos {
  readonly lose: number;
  readonly loseAnswer: number;
  readonly repeat: number;
  readonly delay: number;
  readonly delayMaxMs: number;
}

export interface ChaosOptions {
  /** In force now. */
  chaos(): Chaos;
  /** A rare state was reached. */
  mark(name: string): void;
}

/** A link that has lost something is found out by its silence. */
const noticedMs = 5000;

export const noChaos: Chaos = { lose: 0, loseAnswer: 0, repeat: 0, delay: 0, delayMaxMs: 0 };

const atMostOnce: ReadonlySet<number> = new Set([peerKinds.forward, peerKinds.delegate]);

export class ChaosTransport implements Transport {
  readonly #inner: Transport;
  readonly #timers: Timers;
  readonly #random: SeededRandom;
  readonly #options: ChaosOptions;
  /** Bodies of forwarded writes: who sends one again repeats it. */
  readonly #forwarded = new WeakSet<Buffer>();

  constructor(inner: Transport, timers: Timers, random: SeededRandom, options: ChaosOptions) {
    this.#inner = inner;
    this.#timers = timers;
    this.#random = random;
    this.#options = options;
  }

  get port(): number {
    return this.#inner.port;
  }

  start(nodeId: Buffer): Promise<void> {
    return this.#inner.start(nodeId);
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  handle(kind: number, handler: Handler): void {
    this.#inner.handle(kind, handler);
  }

  dial(address: PeerAddress): void {
    this.#inner.dial(address);
  }

  forget(address: PeerAddress): void {
    this.#inner.forget(address);
  }

  isConnected(peer: PeerId): boolean {
    return this.#inner.isConnected(peer);
  }

  heard(peer: PeerId): number {
    return this.#inner.heard(peer);
  }

  onConnected(listener: (peer: PeerId, address: PeerAddress) => void): void {
    this.#inner.onConnected(listener);
  }

  onDisconnected(listener: (peer: PeerId) => void): void {
    this.#inner.onDisconnected(listener);
  }

  onOwnAddress(listener: (address: PeerAddress) => void): void {
    this.#inner.onOwnAddress(listener);
  }

  call(peer: PeerId, kind: number, body: Buffer, timeoutMs: number): Deferred<Buffer> {
    this.#note(kind, body);
    const chaos = this.#options.chaos();
    const random = this.#random;
    if (chaos === noChaos || !this.#inner.isConnected(peer)) {
      return this.#inner.call(peer, kind, body, timeoutMs);
    }
    if (random.chance(chaos.repeat) && !atMostOnce.has(kind)) {
      this.#timers.after(random.unit() * chaos.delayMaxMs, () => {
        this.#inner.call(peer, kind, body, timeoutMs);
      });
    }
    const answer = new Deferred<Buffer>();
    if (random.chance(chaos.lose)) this.#expire(answer, timeoutMs);
    else if (random.chance(chaos.loseAnswer)) {
      this.#inner.call(peer, kind, body, timeoutMs);
      this.#expire(answer, timeoutMs);
    } else if (random.chance(chaos.delay)) {
      this.#expire(answer, timeoutMs);
      this.#timers.after(random.unit() * chaos.delayMaxMs, () => {
        if (answer.pending) follow(this.#inner.call(peer, kind, body, timeoutMs), answer);
      });
    } else return this.#inner.call(peer, kind, body, timeoutMs);
    return answer;
  }

  #note(kind: number, body: Buffer): void {
    if (kind === peerKinds.delegate) this.#options.mark('batch delegated');
    if (kind !== peerKinds.forward) return;
    if (this.#forwarded.has(body)) this.#options.mark('forward repeated');
    this.#forwarded.add(body);
  }

  #expire(answer: Deferred<Buffer>, timeoutMs: number): void {
    this.#timers.after(Math.min(timeoutMs, noticedMs), () => answer.fail(new PeerError('timeout')));
  }
}

function follow(from: Deferred<Buffer>, to: Deferred<Buffer>): void {
  from.listen(
    (body) => to.settle(body),
    (error) => to.fail(error),
  );
}
