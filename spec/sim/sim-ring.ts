/**
 * A whole ring in one process, from one seed: machines with the real node on each, the simulated
 * network between them. It knows no more of replication than whoever types commands.
 */
import type { Deferred } from '../../lib/base/later.ts';
import type { Session } from '../../lib/commands/session.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import type { System } from '../../lib/runtime/ports.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import { plain } from '../support/fake-ports.ts';
import { type Chaos, ChaosTransport, noChaos } from './chaos-transport.ts';
import { SimConnection, type Word } from './sim-connection.ts';
import { SimMachine } from './sim-machine.ts';
import { SimNetwork } from './sim-network.ts';
import { Trace } from './trace.ts';
import { VirtualTime } from './virtual-time.ts';

export interface RingOptions {
  /** They found the ring; one that is alone has no seeds. */
  readonly nodes: number;
  /** Machines, these included; the others come by `join`. */
  readonly machines?: number;
  readonly quorum?: readonly [n: number, r: number, w: number];
  readonly directives?: Readonly<Record<string, string>>;
  readonly offsetsMs?: readonly number[];
  readonly drifts?: readonly number[];
}

const peerPort = 17_000;
const frameBytesMax = 64 * 1024 * 1024;
const foundingMsMax = 60_000;
/** What a node logs when its storage is whole again. */
const fenceLeft = 'the storage has been opened again';

export class SimRing {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly machines: readonly SimMachine[];
  readonly trace: Trace;
  /** Of calls between nodes, from now on. */
  chaos: Chaos = noChaos;
  /** A rare state was reached. */
  onMark: (name: string) => void = () => {};
  /** Copies of machines, and nodes of other rings. */
  readonly outsiders = new Set<SimMachine>();
  readonly #options: RingOptions;
  /** Those that belong to the ring, or want to. */
  readonly #present: Set<number>;
  readonly #seeds = new Map<string, readonly string[]>();
  /** Directed links that are cut. */
  readonly #cuts = new Set<string>();

  constructor(seed: number, options: RingOptions) {
    this.time = new VirtualTime(seed, { shuffled: true });
    this.trace = new Trace(() => this.time.nowMs);
    this.network = new SimNetwork(this.time.timers(), this.time.stream('network'));
    this.#options = options;
    const { nodes, machines = nodes } = options;
    const hosts = Array.from({ length: machines }, (_, index) => `n${index + 1}`);
    const founders = hosts.slice(0, nodes);
    this.#present = new Set(founders.keys());
    for (const host of founders) this.#seeds.set(host, nodes > 1 ? founders : []);
    this.machines = hosts.map((host, index) => {
      return this.#machine(host, index, () => this.#directives(host, host));
    });
  }

  /** Machines of the ring: those that have started, and are neither removed nor gone. */
  get present(): number[] {
    return [...this.#present].sort((a, b) => a - b);
  }

  /** All are up, but for those that start for the first time. */
  get isWhole(): boolean {
    return this.present.every((index) => {
      const { isUp, lives } = this.at(index);
      return isUp || lives === 0;
    });
  }

  isPresent(index: number): boolean {
    return this.#present.has(index);
  }

  /** It is no machine of the ring any more. */
  leave(index: number): void {
    this.#present.delete(index);
  }

  /** Starts all machines and waits for the ring to be founded. */
  async found(): Promise<this> {
    await this.startAll();
    return this;
  }

  async startAll(): Promise<void> {
    const down = this.machines.filter((machine, index) => {
      return machine.state === 'down' && this.isPresent(index);
    });
    for (const machine of down) void this.#run(machine);
    await this.until(
      () => down.every(({ isUp, startError }) => isUp || startError !== undefined),
      foundingMsMax,
      'all nodes serve clients',
    );
    for (const { startError } of down) if (startError !== undefined) throw startError;
    await this.until(() => this.#allSeeAll(), foundingMsMax, 'all nodes see each other');
  }

  at(index: number): SimMachine {
    const machine = this.machines[index];
    if (machine === undefined) throw new Error(`there is no machine ${index}`);
    return machine;
  }

  /** A machine with an empty disk starts, and is to find the ring through these. */
  join(index: number, seeds: readonly number[]): Promise<void> {
    this.#present.add(index);
    this.#seeds.set(
      this.at(index).host,
      seeds.map((seed) => this.at(seed).host),
    );
    return this.start(index);
  }

  /** Another machine with a copy of what is on the disk of this one now. */
  clone(index: number): SimMachine {
    const { host, disk } = this.at(index);
    // Its number is the original's: what is known of `n3` is known of `c3`.
    const name = host.replace('n', 'c');
    const copy = this.#machine(name, index, () => this.#directives(name, host));
    copy.disk.copyOf(disk);
    this.trace.add(name, `is a copy of ${host}`);
    this.outsiders.add(copy);
    return copy;
  }

  /** A machine that is none of this ring's. */
  stranger(directives: () => Readonly<Record<string, string>>): SimMachine {
    const host = 'x1';
    const machine = this.#machine(host, 0, () => ({
      ...this.#directives(host, host),
      ...directives(),
    }));
    this.outsiders.add(machine);
    return machine;
  }

  /** An outsider is taken away for good. */
  discard(machine: SimMachine): void {
    this.#kill(machine, 'process');
    this.outsiders.delete(machine);
  }

  crash(index: number, kind: 'process' | 'power'): void {
    this.#kill(this.at(index), kind);
  }

  #kill(machine: SimMachine, kind: 'process' | 'power'): void {
    this.trace.add(machine.host, `crash (${kind})`);
    machine.crash(kind);
    this.network.crash(machine.host);
  }

  /** Settles when the process has ended. */
  async stop(index: number): Promise<void> {
    const machine = this.at(index);
    this.trace.add(machine.host, 'stop');
    const life = machine.lives;
    await machine.stop();
    if (machine.lives === life + 1 && machine.state === 'down') this.network.crash(machine.host);
  }

  start(index: number): Promise<void> {
    const machine = this.at(index);
    this.trace.add(machine.host, 'start');
    return this.#run(machine);
  }

  async #run(machine: SimMachine): Promise<void> {
    const { lives } = machine;
    await machine.start();
    // A process that gives up leaves nothing open.
    if (machine.lives === lives + 1 && machine.state === 'down') this.network.crash(machine.host);
  }

  pause(index: number): void {
    const machine = this.at(index);
    this.trace.add(machine.host, 'pause');
    this.network.pause(machine.host);
    machine.pause();
  }

  resume(index: number): void {
    const machine = this.at(index);
    this.trace.add(machine.host, 'resume');
    machine.resume();
    this.network.resume(machine.host);
  }

  /** Nothing goes from `from` to `to` any more. */
  cut(from: number, to: number): void {
    this.#cuts.add(`${from} ${to}`);
    this.network.cut(this.at(from).host, this.at(to).host);
  }

  mend(from: number, to: number): void {
    if (!this.#cuts.delete(`${from} ${to}`)) return;
    this.network.mend(this.at(from).host, this.at(to).host);
  }

  reset(a: number, b: number): void {
    this.network.reset(this.at(a).host, this.at(b).host);
  }

  /** Nodes that this one can reach, whatever way, itself included. */
  reach(from: number): Set<number> {
    const reached = new Set([from]);
    for (const a of reached) {
      this.machines.forEach((machine, b) => {
        const cut = this.#cuts.has(`${a} ${b}`) || this.#cuts.has(`${b} ${a}`);
        if (!cut && this.isPresent(b) && machine.state !== 'down' && !machine.paused)
          reached.add(b);
      });
    }
    return reached;
  }

  connect(index: number): SimConnection {
    const machine = this.at(index);
    const timers = this.time.timers();
    return new SimConnection(machine, (run) => timers.soon(() => machine.deliver(run)));
  }

  session(index: number): Session {
    return this.at(index).session();
  }

  begin(index: number, session: Session, ...words: readonly Word[]): Deferred<unknown> {
    const args = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    return this.at(index)
      .begin(session, args)
      .then((reply: Reply) => plain(reply));
  }

  /** One command on a connection of its own, answered as plain data. */
  run(index: number, ...words: readonly Word[]): Promise<unknown> {
    return this.time.run(this.begin(index, this.session(index), ...words));
  }

  /** A section of INFO; empty if the node is not up. */
  async info(index: number, section = 'dynamo'): Promise<Map<string, string>> {
    if (!this.at(index).isUp) return new Map();
    const text = String(await this.run(index, 'INFO', section));
    const lines = text.split('\r\n').filter((line) => line.includes(':'));
    return new Map(
      lines.map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1)]),
    );
  }

  /** Lets time pass until `holds`, looking every 20 ms; fails after `withinMs`. */
  async until(
    holds: () => boolean | Promise<boolean>,
    withinMs: number,
    what: string,
  ): Promise<void> {
    const endMs = this.time.nowMs + withinMs;
    while (!(await holds())) {
      if (this.time.nowMs >= endMs) throw new Error(`${withinMs} ms passed, and not: ${what}`);
      await this.time.advance(20);
    }
  }

  async #allSeeAll(): Promise<boolean> {
    const { present } = this;
    for (const index of present) {
      const info = await this.info(index);
      if (Number(info.get('members_up')) !== present.length) return false;
    }
    return true;
  }

  #machine(
    host: string,
    index: number,
    directives: () => Readonly<Record<string, string>>,
  ): SimMachine {
    return new SimMachine(this.time, {
      host,
      directives,
      offsetMs: this.#options.offsetsMs?.[index] ?? 0,
      drift: this.#options.drifts?.[index] ?? 0,
      transport: (system, clusterName) => this.#transport(host, system, clusterName),
      log: (text) => {
        this.trace.add(host, text);
        if (text.includes(fenceLeft)) this.onMark('fence entered and left');
      },
    });
  }

  /** Of the machine `host`, with the seeds of another, or its own. */
  #directives(host: string, seedsOf: string): Record<string, string> {
    const { quorum = [3, 2, 2], directives, nodes } = this.#options;
    const seeds = (this.#seeds.get(seedsOf) ?? []).map((name) => `${name}:${peerPort}`);
    return {
      'node-name': host,
      'announce-host': host,
      'peer-port': String(peerPort),
      'cluster-name': 'sim',
      'peer-secret': 'sim',
      ...(seeds.length > 0 && { seeds: seeds.join(' ') }),
      bootstrap: seeds.length > 0 && nodes > 1 && host === 'n1' ? 'yes' : 'no',
      partitions: '64',
      quorum: quorum.join(' '),
      'cache-bytes': '1mb',
      ...directives,
    };
  }

  #transport(host: string, system: System, clusterName: string): ChaosTransport {
    const inner = new PeerTransport(this.network.sockets(host), system, {
      clusterName,
      secret: 'sim',
      binds: [host],
      port: peerPort,
      frameBytesMax,
    });
    const chance = this.time.stream(`chaos ${host} ${this.time.nowMs}`);
    return new ChaosTransport(inner, system.timers, chance, {
      chaos: () => this.chaos,
      mark: (name) => this.onMark(name),
    });
  }
}
