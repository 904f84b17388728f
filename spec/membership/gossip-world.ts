/**
 * Many nodes in virtual time that do nothing but gossip, over links which can break, be slow, lose
 * calls, and come back one after the other as redialled ones do. A node can be killed and started
 * again, or stand still: then its timers and whatever is sent to it wait.
 */
import { Deferred, isLater } from '../../lib/base/later.ts';
import { Gossip } from '../../lib/membership/gossip.ts';
import type { Entry, EntryState } from '../../lib/membership/member-entry.ts';
import { frameHeaderBytes } from '../../lib/protocol/peer-frames.ts';
import type { System } from '../../lib/runtime/ports.ts';
import {
  type Handler,
  type PeerAddress,
  PeerError,
  type PeerId,
  type Transport,
} from '../../lib/transport/transport.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

export interface GossipWorldOptions {
  readonly count: number;
  readonly seed?: number;
  /** Of calls and answers: they vanish with this probability. */
  readonly loss?: number;
  /** Peers learn of a broken link from routing as well. */
  readonly hints?: boolean;
}

export interface Change {
  readonly at: GossipNode;
  readonly atMs: number;
  readonly entry: Entry;
  readonly before: Entry | undefined;
}

const latencyMsMax = 5;
/** Until a link that can be there is there again. */
const redialMsMax = 1500;
/** A silent peer's link is given up. */
const silenceMs = 5000;

export function idOf(index: number): PeerId {
  return (index * 2_654_435_761).toString(16).padStart(40, '0').split('').reverse().join('');
}

export function entryOf(index: number, change: Partial<Entry> = {}): Entry {
  const facts = {
    name: `node-${index}`,
    host: `10.0.${index >> 8}.${index & 255}`,
    port: 6379,
    peerPort: 16_379,
    zone: `zone-${index % 3}`,
    weight: 1,
  };
  const incarnation = 2 ** 20;
  return {
    id: idOf(index),
    incarnation,
    state: 'alive',
    facts,
    nonce: index + 1,
    twins: [],
    ...change,
  };
}

export class GossipWorld {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly nodes: readonly GossipNode[];
  readonly changes: Change[] = [];
  readonly options: GossipWorldOptions;
  readonly #byId: ReadonlyMap<PeerId, GossipNode>;
  readonly #broken = new Set<string>();
  messages = 0;
  /** Sent; as much is received. With the heads of frames. */
  bytes = 0;
  loss: number;
  /** What is said between these vanishes, and no link tells: neither now nor when it is over. */
  isMuted: (from: GossipNode, to: GossipNode) => boolean = () => false;

  constructor(options: GossipWorldOptions) {
    this.options = options;
    this.loss = options.loss ?? 0;
    this.time = new VirtualTime(options.seed ?? 1);
    this.random = this.time.stream('network');
    this.nodes = Array.from({ length: options.count }, (_, index) => new GossipNode(this, index));
    this.#byId = new Map(this.nodes.map((node) => [node.id, node]));
  }

  /** All know each other from their disks. */
  start(nodes: readonly GossipNode[] = this.nodes): void {
    const known = nodes.map(({ index }) => entryOf(index));
    for (const node of nodes) node.begin(entryOf(node.index), known);
  }

  node(index: number): GossipNode {
    return this.nodes[index] as GossipNode;
  }

  byId(id: PeerId): GossipNode | undefined {
    return this.#byId.get(id);
  }

  get running(): readonly GossipNode[] {
    return this.nodes.filter(({ gossip }) => gossip !== undefined);
  }

  /** What each running node thinks of this one, itself left out; one word if all agree. */
  view(index: number): string {
    const observers = this.running.filter((node) => node.index !== index);
    return [...new Set(observers.map((node) => node.stateOf(index) ?? 'unknown'))].sort().join(' ');
  }

  /** Steps until it holds; answers how long that took, or Infinity. */
  async until(holds: () => boolean, limitMs: number, stepMs = 50): Promise<number> {
    for (let waitedMs = 0; waitedMs <= limitMs; waitedMs += stepMs) {
      if (holds()) return waitedMs;
      await this.time.advance(stepMs);
    }
    return Number.POSITIVE_INFINITY;
  }

  isLinked(from: GossipNode, to: GossipNode): boolean {
    if (from.gossip === undefined || to.gossip === undefined) return false;
    return this.#broken.size === 0 || !this.#broken.has(`${from.index}>${to.index}`);
  }

  /** Both ways; whoever has dialled notices at once. */
  cut(some: readonly GossipNode[], others: readonly GossipNode[]): void {
    for (const a of some) {
      for (const b of others) {
        if (a === b) continue;
        this.#break(a, b);
        this.#break(b, a);
      }
    }
  }

  /** Every link comes back when it is redialled. */
  mend(some: readonly GossipNode[], others: readonly GossipNode[]): void {
    for (const a of some) {
      for (const b of others) {
        if (a === b) continue;
        this.#redial(a, b);
        this.#redial(b, a);
      }
    }
  }

  kill(node: GossipNode): void {
    node.kill();
    for (const other of this.running) {
      other.lost(node.id);
      this.#broken.add(`${other.index}>${node.index}`);
      this.#broken.add(`${node.index}>${other.index}`);
    }
    if (this.options.hints !== true) return;
    for (const other of this.running) {
      const noticedMs = this.random.unit() * latencyMsMax;
      this.time.timers().after(noticedMs, () => other.gossip?.suspectNow(node.id));
    }
  }

  /** With what it wrote down; a boot epoch later. */
  restart(node: GossipNode): void {
    const { incarnation } = node.remembered;
    const nextEpoch = (Math.floor(incarnation / 2 ** 20) + 1) * 2 ** 20;
    const nonce = node.remembered.nonce + 1000;
    node.begin({ ...node.remembered, incarnation: nextEpoch, nonce }, node.disk);
    this.mend([node], this.running);
  }

  /** As SIGSTOP. */
  pause(node: GossipNode): void {
    node.isPaused = true;
    this.time.timers().after(silenceMs, () => {
      if (!node.isPaused) return;
      for (const other of this.running) if (other !== node) this.#break(other, node);
    });
  }

  /** SIGCONT, in the order of the loop of Node: timers, then sockets, its lost links among these. */
  resume(node: GossipNode): void {
    node.isPaused = false;
    const others = this.running.filter((other) => other !== node);
    const wasGivenUp = others.some((other) => !this.isLinked(other, node));
    node.catchUp();
    if (!wasGivenUp) return;
    for (const other of others) this.#break(node, other);
    this.mend([node], others);
  }

  #break(from: GossipNode, to: GossipNode): void {
    this.#broken.add(`${from.index}>${to.index}`);
    from.lost(to.id);
    if (this.options.hints === true) from.enter(() => from.gossip?.suspectNow(to.id));
  }

  #redial(from: GossipNode, to: GossipNode): void {
    this.time.timers().after(this.random.unit() * redialMsMax, () => {
      if (from.gossip === undefined || to.gossip === undefined) return;
      if (!this.#broken.delete(`${from.index}>${to.index}`)) return;
      from.enter(() => from.connected(to.id));
    });
  }
}

export class GossipNode implements Transport {
  readonly world: GossipWorld;
  readonly index: number;
  readonly id: PeerId;
  readonly port = 16_379;
  gossip: Gossip | undefined;
  isPaused = false;
  /** Of its monotonic clock. */
  aheadMs = 0;
  /** Own entry, as it would start again. */
  remembered: Entry;
  disk: readonly Entry[] = [];
  layoutsDiffered = 0;
  fingerprint: Buffer = Buffer.alloc(8);
  readonly strangers = new Set<PeerId>();
  readonly #random: SeededRandom;
  #handlers = new Map<number, Handler>();
  #listeners: ((peer: PeerId, address: PeerAddress) => void)[] = [];
  #missedTimers: (() => void)[] = [];
  #missed: (() => void)[] = [];
  #life = 0;
  readonly #underWay = new Map<Deferred<Buffer>, PeerId>();

  constructor(world: GossipWorld, index: number) {
    this.world = world;
    this.index = index;
    this.id = idOf(index);
    this.remembered = entryOf(index);
    this.#random = new SeededRandom((world.options.seed ?? 1) * 10_007 + index);
  }

  begin(self: Entry, known: readonly Entry[] = []): void {
    this.#life += 1;
    this.remembered = self;
    const gossip = new Gossip(this, this.#system(), {
      self,
      known,
      rememberIncarnation: (incarnation) => {
        this.remembered = { ...this.remembered, incarnation };
      },
      fingerprint: () => this.fingerprint,
      layoutsDiffer: () => {
        this.layoutsDiffered += 1;
      },
      changed: (entry, before) => {
        const atMs = this.world.time.nowMs;
        this.world.changes.push({ at: this, atMs, entry, before });
      },
      isMember: (peer) => !this.strangers.has(peer),
    });
    this.gossip = gossip;
    gossip.start();
  }

  get running(): Gossip {
    if (this.gossip === undefined) throw new Error('this node does not run');
    return this.gossip;
  }

  kill(): void {
    this.disk = [...this.running.entries()];
    this.running.stop();
    this.gossip = undefined;
    this.isPaused = false;
    this.#life += 1;
    this.#handlers = new Map();
    this.#listeners = [];
    this.#missed = [];
    this.#missedTimers = [];
    this.#underWay.clear();
  }

  stateOf(index: number): EntryState | undefined {
    return this.gossip?.entry(idOf(index))?.state;
  }

  enter(run: () => void): void {
    if (this.isPaused) this.#missed.push(run);
    else run();
  }

  catchUp(): void {
    const [timers, others] = [this.#missedTimers, this.#missed];
    [this.#missedTimers, this.#missed] = [[], []];
    for (const run of [...timers, ...others]) run();
  }

  connected(peer: PeerId): void {
    for (const listener of this.#listeners) listener(peer, { host: '', port: 0 });
  }

  /** The link to it: with all that is under way. */
  lost(peer: PeerId): void {
    for (const [answer, to] of this.#underWay) {
      if (to !== peer) continue;
      this.#underWay.delete(answer);
      this.enter(() => answer.fail(new PeerError('lost')));
    }
  }

  handle(kind: number, handler: Handler): void {
    this.#handlers.set(kind, handler);
  }

  call(peer: PeerId, kind: number, body: Buffer, timeoutMs: number): Deferred<Buffer> {
    const { world } = this;
    const answer = new Deferred<Buffer>();
    const to = world.byId(peer);
    if (to === undefined || !world.isLinked(this, to)) {
      answer.fail(new PeerError('unreachable'));
      return answer;
    }
    this.#underWay.set(answer, peer);
    const timer = this.#timers().after(timeoutMs, () => {
      this.#underWay.delete(answer);
      answer.fail(new PeerError('timeout'));
    });
    this.#carry(this, to, body, (request) => {
      to.#serve(this.id, kind, request, (served, isRefused) => {
        this.#carry(to, this, served, (bytes) => {
          timer.cancel();
          this.#underWay.delete(answer);
          if (isRefused) answer.fail(new PeerError('refused', bytes.toString()));
          else answer.settle(bytes);
        });
      });
    });
    return answer;
  }

  isConnected(peer: PeerId): boolean {
    const to = this.world.byId(peer);
    return to !== undefined && this.world.isLinked(this, to);
  }

  onConnected(listener: (peer: PeerId, address: PeerAddress) => void): void {
    this.#listeners.push(listener);
  }

  heard(): number {
    return 0;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  dial(): void {}
  forget(): void {}
  onDisconnected(): void {}
  onOwnAddress(): void {}

  #serve(
    from: PeerId,
    kind: number,
    body: Buffer,
    reply: (answer: Buffer, isRefused: boolean) => void,
  ): void {
    const handler = this.#handlers.get(kind);
    if (handler === undefined) return;
    try {
      const answer = handler({ from, fromHost: '', body, ageMs: 0 });
      if (!isLater(answer)) reply(answer, false);
      else answer.then((bytes) => reply(bytes, false));
    } catch (error) {
      reply(Buffer.from(String(error)), true);
    }
  }

  /** What was borrowed is overwritten afterwards, so that nobody gets away with keeping it. */
  #carry(from: GossipNode, to: GossipNode, body: Buffer, arrive: (body: Buffer) => void): void {
    const { world } = this;
    world.messages += 1;
    world.bytes += body.length + frameHeaderBytes;
    if (world.loss > 0 && world.random.chance(world.loss)) return;
    if (world.isMuted(from, to)) return;
    const life = to.#life;
    const copy = Buffer.from(body);
    world.time.timers().after(world.random.unit() * latencyMsMax, () => {
      to.enter(() => {
        if (to.#life !== life || from.gossip === undefined) return;
        arrive(copy);
        copy.fill(0xaa);
      });
    });
  }

  #timers(): System['timers'] {
    const life = this.#life;
    return this.world.time.timersOf({
      enter: (run) => {
        if (this.#life !== life) return;
        if (this.isPaused) this.#missedTimers.push(run);
        else run();
      },
    });
  }

  #system(): System {
    const { time } = this.world;
    const system = time.system();
    const clock = { ...system.clock, monotonicMs: () => time.nowMs + this.aheadMs };
    return { ...system, clock, timers: this.#timers(), random: this.#random };
  }
}
