/**
 * A ring of real processes: nodes as their users run them, each with ports and a directory of its
 * own, founded by `bootstrap yes` on the first. Specs and trials kill, pause and restart them.
 *
 * Ports are chosen below the range from which the kernel takes those of outgoing connections: a
 * node that dials a dead peer for ever would otherwise, one day, meet itself there.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Child, type Exit, spawnRedynamo, temporaryDirectory } from './server-process.ts';

export interface RingOptions {
  readonly nodes: number;
  /** For every node, on its command line. */
  readonly directives?: readonly string[];
  /** For one node alone, by its index. */
  readonly own?: (index: number) => readonly string[];
  /** What a node runs under (`env`, `ip netns exec`), by its index. */
  readonly prefix?: (index: number) => readonly string[];
  /** Its address, by its index; by default 127.0.0.1 for all. */
  readonly host?: (index: number) => string;
}

export interface MemberStatus {
  readonly name: string;
  readonly zone: string;
  readonly weight: number;
  readonly state: string;
  readonly partitions: number;
  readonly first: number;
  readonly pending: number;
}

export interface RingStatus {
  readonly version: number;
  /** 0: one layout is active. */
  readonly transition: number;
  readonly members: readonly MemberStatus[];
}

/** How long a ring may take to be founded, and a node to come back. */
const startTimeoutMs = 20_000;
const pollMs = 25;
const peerPortOffset = 10_000;
const portMin = 11_000;
const portMax = 21_000;

export class RingNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly dir: string;
  readonly #prefix: readonly string[];
  #child: Child | undefined;
  #client: Redis | undefined;

  constructor(index: number, port: number, { host, prefix }: RingOptions) {
    this.name = `n${index + 1}`;
    this.host = host?.(index) ?? '127.0.0.1';
    this.port = port;
    this.peerPort = port + peerPortOffset;
    this.dir = join(temporaryDirectory(), this.name);
    this.#prefix = prefix?.(index) ?? [];
  }

  get pid(): number {
    return this.child.process.pid ?? 0;
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} has not been started`);
    return this.#child;
  }

  get isStarted(): boolean {
    return this.#child !== undefined;
  }

  /** Everything this life of the node has logged. */
  get log(): string {
    return this.child.stdout + this.child.stderr;
  }

  spawn(directives: readonly string[]): void {
    const own = ['--node-name', this.name, '--bind', this.host, '--dir', this.dir];
    const ports = ['--port', String(this.port), '--peer-port', String(this.peerPort)];
    this.#child = spawnRedynamo([...own, ...ports, ...directives], this.#prefix);
  }

  /** For the rig's own questions; a stock client that repeats nothing. */
  get client(): Redis {
    this.#client ??= newClient(this);
    return this.#client;
  }

  /** A connection more; the caller closes it. */
  connect(): Redis {
    return newClient(this);
  }

  disconnect(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  /** SIGSTOP and SIGCONT are in force at once; any other signal is waited for. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
      this.child.process.kill(signal);
      return;
    }
    this.disconnect();
    await this.child.kill(signal);
  }

  async info(field: string): Promise<string> {
    const text = await this.client.info('dynamo');
    const found = new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`INFO of ${this.name} has no ${field}`);
    return found;
  }

  async status(): Promise<RingStatus> {
    const status = asMap(await this.client.call('DYN.RING', 'STATUS'));
    return {
      version: Number(status.get('version')),
      transition: Number(status.get('transition')),
      members: (status.get('members') as unknown[]).map(memberOf),
    };
  }

  async members(): Promise<readonly MemberStatus[]> {
    return (await this.status()).members;
  }

  /** What this node itself holds: undefined if it is no owner. */
  async local(key: string): Promise<string[] | undefined> {
    const reply = await this.client.call('DYN.GET', key, 'LOCAL');
    return reply === null ? undefined : (reply as [string, string[]])[1];
  }
}

export class RingProcess {
  readonly #nodes: RingNode[];
  readonly #options: RingOptions;

  static async start(options: RingOptions): Promise<RingProcess> {
    const first = await freePorts(options.nodes);
    const nodes = Array.from(
      { length: options.nodes },
      (_, index) => new RingNode(index, first + index, options),
    );
    const ring = new RingProcess(nodes, options);
    for (const [index] of nodes.entries()) ring.#spawn(index);
    await ring.allUp();
    return ring;
  }

  /** A node that is no member and knows only where the ring is. The caller kills it. */
  static async spawnStranger(
    { seeds, nodes }: RingProcess,
    directives: readonly string[],
  ): Promise<RingNode> {
    const stranger = new RingNode(nodes.length, await freePorts(1), { nodes: 1 });
    stranger.spawn(['--seeds', seeds, ...directives]);
    return stranger;
  }

  private constructor(nodes: RingNode[], options: RingOptions) {
    this.#nodes = nodes;
    this.#options = options;
  }

  get nodes(): readonly RingNode[] {
    return this.#nodes;
  }

  get seeds(): string {
    return this.nodes.map(({ host, peerPort }) => `${host}:${peerPort}`).join(',');
  }

  node(index: number): RingNode {
    const found = this.nodes[index];
    if (found === undefined) throw new Error(`there is no node ${index}`);
    return found;
  }

  /** One more, started with the others as seeds; it joins when it can. */
  async add(): Promise<RingNode> {
    const index = this.#nodes.length;
    const node = new RingNode(index, await freePorts(1), this.#options);
    this.#nodes.push(node);
    this.#spawn(index);
    return node;
  }

  /** Stops one that has left, and forgets it. */
  async drop(node: RingNode): Promise<void> {
    await node.kill('SIGTERM');
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    rmSync(join(node.dir, '..'), { recursive: true, force: true });
  }

  /** Starts again what has ended, under its old directory; it takes commands when this settles. */
  async restart(index: number, ...extra: readonly string[]): Promise<void> {
    this.#spawn(index, extra);
    await this.answers(index);
  }

  /** All at once, none knowing where the others are but from its disk. */
  async restartAllWithoutSeeds(): Promise<void> {
    for (const [index, node] of this.nodes.entries()) node.spawn(this.#directives(index));
    await this.allUp();
  }

  async killAll(signal: NodeJS.Signals = 'SIGKILL'): Promise<readonly Exit[]> {
    for (const node of this.nodes) node.disconnect();
    return Promise.all(this.nodes.map(({ child }) => child.kill(signal)));
  }

  async answers(index: number): Promise<void> {
    const node = this.node(index);
    await until(`${node.name} takes commands`, async () => {
      if (node.child.process.exitCode !== null) throw new Ended(`${node.name}: ${node.log}`);
      return (await node.client.ping()) === 'PONG';
    });
  }

  /** Each node takes commands and sees all others up. */
  async allUp(): Promise<void> {
    for (const [index, node] of this.nodes.entries()) {
      await this.answers(index);
      await until(`${node.name} sees all up`, async () => {
        const members = await node.members();
        return members.length === this.nodes.length && members.every((m) => m.state === 'up');
      });
    }
  }

  /** One layout at rest, the same everywhere, and every node sees all others up. */
  async settled(timeoutMs: number = startTimeoutMs): Promise<RingStatus> {
    let found: RingStatus | undefined;
    await until(
      'the ring is at rest',
      async () => {
        const all = await Promise.all(this.nodes.map((node) => node.status()));
        const [first] = all;
        const isSame = all.every((one) => JSON.stringify(one) === JSON.stringify(first));
        const isUp = first?.members.every(({ state }) => state === 'up');
        const isWhole = first?.members.length === this.nodes.length && isUp === true;
        if (isSame && isWhole && first?.transition === 0) found = first;
        return found !== undefined;
      },
      timeoutMs,
    );
    if (found === undefined) throw new Error('a ring at rest has a status');
    return found;
  }

  /** No node keeps a hint. */
  async hintsDelivered(timeoutMs: number = startTimeoutMs): Promise<void> {
    for (const node of this.nodes) {
      const isEmpty = async () => (await node.info('hints_pending')) === '0';
      await until(`the hints of ${node.name} are delivered`, isEmpty, timeoutMs);
    }
  }

  /** Ends all, however they stand, and takes their directories away. */
  async remove(): Promise<void> {
    await this.killAll('SIGKILL');
    for (const { dir } of this.nodes) rmSync(join(dir, '..'), { recursive: true, force: true });
  }

  #spawn(index: number, extra: readonly string[] = []): void {
    const seeds = this.nodes.length === 1 ? [] : ['--seeds', this.seeds];
    const bootstrap = this.nodes.length > 1 && index === 0 ? ['--bootstrap', 'yes'] : [];
    this.node(index).spawn([...seeds, ...bootstrap, ...this.#directives(index), ...extra]);
  }

  #directives(index: number): string[] {
    const { directives = [], own } = this.#options;
    return [...directives, ...(own?.(index) ?? [])];
  }
}

/** Asking again cannot help. */
class Ended extends Error {}

/** Asks until the answer is yes; an error means not yet. */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  timeoutMs: number = startTimeoutMs,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < endMs) {
    try {
      if (await isSo()) return;
      last = undefined;
    } catch (error) {
      if (error instanceof Ended) throw error;
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
}

/** One connection that hides nothing: no repetition, no queue while it is not connected. */
function newClient({ host, port }: RingNode): Redis {
  const client = new Redis({
    host,
    port,
    retryStrategy: () => pollMs,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
  });
  client.on('error', () => {});
  return client;
}

/** A map of RESP3, or the flat array that stands for it in RESP2. */
function asMap(reply: unknown): Map<string, unknown> {
  if (reply instanceof Map) return reply as Map<string, unknown>;
  if (!Array.isArray(reply)) return new Map(Object.entries(reply as object));
  const pairs = reply.flatMap((name, at) =>
    at % 2 === 0 ? [[String(name), reply[at + 1]] as const] : [],
  );
  return new Map(pairs);
}

function memberOf(row: unknown): MemberStatus {
  const member = asMap(row);
  return {
    name: String(member.get('name')),
    zone: String(member.get('zone')),
    weight: Number(member.get('weight')),
    state: String(member.get('state')),
    partitions: Number(member.get('partitions')),
    first: Number(member.get('first')),
    pending: Number(member.get('pending')),
  };
}

/** The first of `count` ports in a row of which each, and its peer port, is free. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = portMin + Math.floor(Math.random() * (portMax - portMin));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const all = ports.flatMap((port) => [port, port + peerPortOffset]);
    if ((await Promise.all(all.map(canListen))).every((isFree) => isFree)) return first;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** One ring for the specs of the surrounding `describe`. */
export function useRing(options: RingOptions): () => RingProcess {
  let ring: RingProcess | undefined;
  before(async function () {
    this.timeout(2 * startTimeoutMs);
    ring = await RingProcess.start(options);
  });
  after(() => ring?.remove());
  return () => {
    if (ring === undefined) throw new Error('the ring runs only inside specs');
    return ring;
  };
}
