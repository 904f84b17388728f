/**
 * Machines on a simulated network, each with a disk and, one after the other, processes that do
 * nothing but come to their ring.
 */
import { Founding, type RingState } from '../../lib/membership/founding.ts';
import type { RingSettings } from '../../lib/membership/identity.ts';
import type { MemberFacts } from '../../lib/membership/member-facts.ts';
import type { System } from '../../lib/runtime/ports.ts';
import { Store } from '../../lib/storage/store.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import type { PeerAddress } from '../../lib/transport/transport.ts';
import { storeOptions } from '../contract/store-contract.ts';
import { SimNetwork } from '../sim/sim-network.ts';
import { SimStorage } from '../sim/sim-storage.ts';
import { silentLog, VirtualTime } from '../sim/virtual-time.ts';

export const settings: RingSettings = {
  clusterName: 'carts',
  partitions: 64,
  databases: 16,
  n: 3,
};

export interface SiteOptions {
  readonly seeds?: readonly string[];
  readonly bootstrap?: boolean;
  readonly given?: readonly string[];
  readonly settings?: Partial<RingSettings>;
  readonly facts?: Partial<MemberFacts>;
  readonly peerPort?: number;
}

export const peerPort = 17_000;

export class World {
  readonly time: VirtualTime;
  readonly network: SimNetwork;

  constructor(seed: number) {
    this.time = new VirtualTime(seed);
    this.network = new SimNetwork(this.time.timers(), this.time.stream('network'));
  }

  sites(...hosts: readonly string[]): readonly Site[] {
    return hosts.map((host) => new Site(this, host));
  }

  /** Runs until all have a ring; fails if that takes long. */
  async settled(...sites: readonly Site[]): Promise<readonly RingState[]> {
    for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 100) {
      if (sites.every(({ state }) => state !== undefined)) break;
      await this.time.advance(100);
    }
    return sites.map((site) => site.ring);
  }
}

export class Site {
  readonly host: string;
  readonly log: string[] = [];
  /** The ring of the process that runs, once it has one. */
  state: RingState | undefined;
  /** Why it gave up. */
  error: unknown;
  readonly #world: World;
  readonly #random: ReturnType<VirtualTime['stream']>;
  disk: SimStorage;
  store: Store | undefined;
  transport: PeerTransport | undefined;
  #founding: Founding | undefined;
  #life = 0;

  constructor(world: World, host: string) {
    this.#world = world;
    this.host = host;
    this.#random = world.time.stream(host);
    this.disk = this.#newDisk();
  }

  get ring(): RingState {
    if (this.state === undefined) throw new Error(`${this.host} has no ring: ${this.error}`);
    return this.state;
  }

  get id(): string {
    return this.ring.identity.nodeId.toString('hex');
  }

  /** Begins a process; what becomes of it shows in `state` and `error`. */
  start(options: SiteOptions = {}): void {
    const system = this.#system();
    const store = new Store(this.disk, system, storeOptions);
    const transport = new PeerTransport(this.#world.network.sockets(this.host), system, {
      clusterName: 'carts',
      secret: '',
      binds: [this.host],
      port: options.peerPort ?? peerPort,
      frameBytesMax: 1024 * 1024,
    });
    const given = options.given ?? [];
    const doors = { system, transport };
    const founding = new Founding(store, doors, {
      settings: { ...settings, ...options.settings },
      isGiven: (directive) => given.includes(directive),
      seeds: (options.seeds ?? []).map(addressOf),
      bootstrap: options.bootstrap ?? false,
      facts: {
        name: this.host,
        host: '',
        port: 7000,
        peerPort: 0,
        zone: '',
        weight: 1,
        ...options.facts,
      },
    });
    this.store = store;
    this.transport = transport;
    this.#founding = founding;
    this.error = undefined;
    const life = this.#life;
    const establishing = store.open().then((report) => founding.establish(report));
    establishing.then(
      (state) => {
        if (life === this.#life) this.state = state;
      },
      (error: unknown) => {
        if (life === this.#life) this.error = error;
      },
    );
  }

  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.state = undefined;
    this.#world.network.crash(this.host);
    this.disk.crash(kind);
  }

  /** The disk is lost as well. */
  wipe(): void {
    this.crash('power');
    this.disk = this.#newDisk();
  }

  async stop(): Promise<void> {
    this.#founding?.stop();
    const { time } = this.#world;
    await time.run(this.transport?.stop());
    await time.run(this.store?.close());
    this.#life += 1;
    this.state = undefined;
  }

  said(pattern: RegExp): boolean {
    return this.log.some((line) => pattern.test(line));
  }

  #newDisk(): SimStorage {
    return new SimStorage(this.#world.time.timers(), this.#random);
  }

  #system(): System {
    const life = this.#life;
    const say = (message: string, fields: object = {}): void => {
      if (life === this.#life) this.log.push(`${message} ${JSON.stringify(fields)}`);
    };
    return {
      ...this.#world.time.system(() => life === this.#life),
      random: this.#random,
      log: { ...silentLog, notice: say, warning: say },
    };
  }
}

/** `a` or `a:1234`. */
export function addressOf(text: string): PeerAddress {
  const [host = '', port] = text.split(':');
  return { host, port: port === undefined ? peerPort : Number(port) };
}
