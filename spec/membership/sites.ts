/**
 * Machines on a simulated network, each with a disk and, one after the other, processes that do
 * nothing but come to their ring and be members of it: they own partitions, and there is no data.
 */
import { outcomeOf } from '../../lib/base/later.ts';
import { type Belonging, Founding } from '../../lib/membership/founding.ts';
import type { Identity, RingSettings } from '../../lib/membership/identity.ts';
import type { Member } from '../../lib/membership/member.ts';
import type { MemberFacts } from '../../lib/membership/member-facts.ts';
import { Membership, type Said } from '../../lib/membership/membership.ts';
import type { Topology } from '../../lib/membership/topology.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import type { System } from '../../lib/runtime/ports.ts';
import { Store } from '../../lib/storage/store.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import type { PeerAddress, PeerId } from '../../lib/transport/transport.ts';
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
  /** Name or id of the dead member whose place to take. */
  readonly replace?: string;
  /** no: never has all that it owns, so that a change stays under way. */
  readonly fills?: boolean;
}

/** A ring as one of its members knows it. */
export interface RingState {
  readonly identity: Identity;
  /** The newest. */
  readonly layout: Layout;
  /** Of the layout, in its order. */
  readonly members: readonly Member[];
  /** Index of the one that knows it. */
  readonly self: number;
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
      if (sites.every(({ belonging }) => belonging !== undefined)) break;
      await this.time.advance(100);
    }
    return sites.map((site) => site.ring);
  }

  /** Until it is so; fails if that takes long. */
  async until(isSo: () => boolean, withinMs = 60_000): Promise<void> {
    for (let waitedMs = 0; !isSo(); waitedMs += 100) {
      if (waitedMs > withinMs) throw new Error('it has not come to be');
      await this.time.advance(100);
    }
  }

  /** Until all go by one layout of so many members, and no change is under way. */
  async rest(count: number, ...sites: readonly Site[]): Promise<readonly RingState[]> {
    await this.until(() =>
      sites.every(
        ({ belonging: there }) =>
          there?.topology.isChanging === false && there.topology.newest.members.length === count,
      ),
    );
    return sites.map((site) => site.ring);
  }
}

export class Site {
  readonly host: string;
  readonly log: string[] = [];
  /** The ring of the process that runs, once it has one. */
  belonging: Belonging | undefined;
  /** As long as it runs: from then on it is a member like any. */
  membership: Membership | undefined;
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

  get topology(): Topology {
    const { belonging, host, error } = this;
    if (belonging === undefined) throw new Error(`${host} has no ring: ${error}`);
    return belonging.topology;
  }

  get ring(): RingState {
    const { identity, members, newest: layout, selfId } = this.topology;
    const known = new Map(members.map((member) => [member.id, member]));
    return {
      identity,
      layout,
      members: layout.members.flatMap((id) => known.get(id) ?? []),
      self: layout.members.indexOf(selfId),
    };
  }

  get id(): PeerId {
    return this.topology.selfId;
  }

  /** Why it refuses its clients, if it does. */
  get refusal(): string | undefined {
    return this.membership?.standing.refusal?.text;
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
      replace: options.replace ?? '',
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
    const isAlive = (): boolean => life === this.#life;
    const begin = async (): Promise<void> => {
      const belonging = await founding.establish(await store.open());
      if (!isAlive()) return;
      this.belonging = belonging;
      const membership = await memberOf({ store, ...doors }, belonging, options.fills ?? true);
      if (!isAlive()) return;
      this.membership = membership;
      membership.start();
    };
    begin().catch((error: unknown) => {
      if (isAlive()) this.error = error;
    });
  }

  /** DYN.RING JOIN: `OK`, or the text of the refusal. On OK it is started again by the caller. */
  joinAnother(address: string): Promise<string> {
    if (this.#founding === undefined) throw new Error(`${this.host} has not been started`);
    return this.#founding.joinAnother(addressOf(address)).then(
      () => 'OK',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }

  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.belonging = undefined;
    this.membership = undefined;
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
    this.membership?.stop();
    const { time } = this.#world;
    await time.run(this.transport?.stop());
    await time.run(this.store?.close());
    this.#life += 1;
    this.belonging = undefined;
    this.membership = undefined;
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

type Doors = Parameters<typeof Membership.create>[0];

/** Without data there is nothing to fill: what is adopted is complete. */
async function memberOf(
  doors: Doors,
  { topology, keeper }: Belonging,
  fills: boolean,
): Promise<Membership> {
  const ids: PeerId[] = [];
  const numberOf = (id: PeerId): number => {
    if (!ids.includes(id)) ids.push(id);
    return ids.indexOf(id);
  };
  const { store, system } = doors;
  const membership = await Membership.create(
    doors,
    { topology, keeper },
    {
      ping: () => Buffer.from(JSON.stringify([store.bootNonce, topology.trackers])),
      onPing: (member, body, sentAfterMs) => {
        const [nonce, trackers] = JSON.parse(body.toString()) as [number, Said['trackers']];
        membership.heard(ids[member] ?? '', { nonce, trackers, sentAfterMs });
      },
      numberOf,
      stateChanged: () => {},
    },
  );
  let isFilling = !fills;
  const fill = (): void => {
    if (isFilling || topology.pending.length === 0) return;
    isFilling = true;
    const over = (): void => {
      isFilling = false;
    };
    outcomeOf(() => topology.filled(topology.pending), over, over);
  };
  topology.onChange(() => system.timers.soon(fill));
  fill();
  return membership;
}

/** `a` or `a:1234`. */
export function addressOf(text: string): PeerAddress {
  const [host = '', port] = text.split(':');
  return { host, port: port === undefined ? peerPort : Number(port) };
}
