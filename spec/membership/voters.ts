/**
 * Members on a simulated network who do nothing but agree on layouts: each with a disk that can be
 * crashed, and, one after the other, processes that vote. What a node adopts lies on its disk.
 */
import { type Later, nothing } from '../../lib/base/later.ts';
import type { Proposal } from '../../lib/membership/ballot-messages.ts';
import { Ballots } from '../../lib/membership/ballots.ts';
import type { Member } from '../../lib/membership/member.ts';
import { readMemory, rememberRing } from '../../lib/membership/ring-rows.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { encodeLayout, type Layout } from '../../lib/ring/layout.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import type { PeerId } from '../../lib/transport/transport.ts';
import { alike } from '../ring/arbitraries.ts';
import { SimNetwork } from '../sim/sim-network.ts';
import { VirtualTime } from '../sim/virtual-time.ts';
import { peerPort, settings } from './sites.ts';
import { Disk } from './stores.ts';

export const partitions = 16;
const ringKey = Buffer.alloc(32, 7);

export function membersOf(layout: Layout): readonly Member[] {
  return layout.members.map((id) => ({
    id,
    name: id.slice(0, 8),
    host: 'somewhere',
    port: 7000,
    peerPort,
    zone: '',
    weight: 1,
  }));
}

/** One that differs by its weights, which nobody here minds. */
export function proposalOf(before: Layout, weight: number, layout: Partial<Layout> = {}): Proposal {
  const id = Buffer.alloc(8);
  id.writeUInt32BE(weight);
  const weights = before.members.map(() => weight);
  const next = { ...before, weights, ...layout, version: before.version + 1 };
  return { id, layout: next, members: membersOf(next) };
}

export class Parliament {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly voters: readonly Voter[];
  /** What was ever adopted, by version; more than one text is a split ring. */
  readonly adopted = new Map<number, Set<string>>();
  /** Of all that were adopted. */
  readonly weights = new Set<number | undefined>();

  constructor(seed: number, count: number) {
    this.time = new VirtualTime(seed);
    this.network = new SimNetwork(this.time.timers(), this.time.stream('network'));
    const layout = firstLayout(alike(count), partitions, 3);
    this.voters = layout.members.map((id) => new Voter(this, id, layout));
  }

  async open(): Promise<void> {
    for (const voter of this.voters) await voter.start();
    await this.time.advance(1000);
  }

  voter(index: number): Voter {
    const voter = this.voters[index];
    if (voter === undefined) throw new Error(`no voter ${index}`);
    return voter;
  }

  of(id: PeerId): Voter | undefined {
    return this.voters.find((voter) => voter.id === id);
  }

  split(...halves: readonly (readonly Voter[])[]): void {
    for (const half of halves) {
      for (const voter of half) {
        for (const other of this.voters) {
          if (!half.includes(other)) this.network.cut(voter.host, other.host);
        }
      }
    }
  }

  /** All hear of the newest layout, as by pings. */
  async meet(): Promise<void> {
    for (const voter of this.voters) {
      for (const other of this.voters) voter.learnFrom(other);
    }
    await this.time.advance(100);
  }

  noteAdopted(layout: Layout): void {
    const texts = this.adopted.get(layout.version) ?? new Set();
    this.weights.add(layout.weights[0]);
    this.adopted.set(layout.version, texts.add(encodeLayout(layout).toString('hex')));
  }
}

export class Voter {
  readonly id: PeerId;
  readonly disk: Disk;
  readonly #parliament: Parliament;
  readonly #first: Layout;
  layout: Layout;
  isBusy = false;
  isUp = false;
  /** Counts its processes. */
  life = 0;
  /** Peers that know more than this node, resp. less. */
  readonly behind: PeerId[] = [];
  readonly ahead: PeerId[] = [];
  /** Asks whoever knows more, as a whole node would. */
  learns = true;
  ballots: Ballots | undefined;
  transport: PeerTransport | undefined;

  constructor(parliament: Parliament, id: PeerId, first: Layout) {
    this.id = id;
    this.#parliament = parliament;
    this.#first = first;
    this.layout = first;
    this.disk = new Disk(parliament.time, id);
  }

  get host(): string {
    return this.id.slice(0, 8);
  }

  async start(): Promise<void> {
    const { time, network, voters } = this.#parliament;
    await this.disk.open();
    const { store, system } = this.disk;
    const memory = await time.run(readMemory(store, system));
    this.layout = memory.ring?.layouts[0] ?? this.#first;
    const transport = new PeerTransport(network.sockets(this.host), system, {
      clusterName: 'carts',
      secret: '',
      binds: [this.host],
      port: peerPort,
      frameBytesMax: 1024 * 1024,
    });
    const ballots = new Ballots(store, transport, system, {
      self: this.id,
      current: () => ({ layout: this.layout, busy: this.isBusy }),
      decided: ({ layout }) => this.#adopt(layout),
      behind: (peer) => {
        this.behind.push(peer);
        this.learnFrom(this.#parliament.of(peer));
      },
      ahead: (peer) => {
        this.ahead.push(peer);
        const other = this.#parliament.of(peer);
        if (other?.isUp) other.learnFrom(this);
      },
    });
    await time.run(ballots.restore());
    ballots.start();
    await time.run(transport.start(Buffer.from(this.id, 'hex')));
    for (const other of voters) {
      if (other !== this) transport.dial({ host: other.host, port: peerPort });
    }
    this.ballots = ballots;
    this.transport = transport;
    this.isUp = true;
  }

  crash(kind: 'process' | 'power'): void {
    this.isUp = false;
    this.life += 1;
    this.disk.crash(kind);
    this.#parliament.network.crash(this.host);
  }

  /** `OK`, `other` (somebody else's is decided), or the text of the error. */
  propose(proposal: Proposal): Promise<string> {
    if (this.ballots === undefined) throw new Error('not started');
    return Promise.resolve(this.ballots.propose(proposal)).then(
      ({ id }) => (id.equals(proposal.id) ? 'OK' : 'other'),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }

  learnFrom(other: Voter | undefined): void {
    if (!this.learns || other === undefined || other.layout.version <= this.layout.version) return;
    const adopted = this.#adopt(other.layout);
    Promise.resolve(adopted).then(nothing, nothing);
  }

  #adopt(layout: Layout): Later<void> {
    if (layout.version <= this.layout.version) return undefined;
    const identity = { ...settings, nodeId: Buffer.from(this.id, 'hex'), ringKey };
    const members = membersOf(layout);
    const ring = { layouts: [layout], reading: layout.version, pending: [], members };
    const { store, system } = this.disk;
    return rememberRing(store, { identity, ring }, system).then(() => {
      this.#parliament.noteAdopted(layout);
      if (this.isUp && layout.version > this.layout.version) this.layout = layout;
    });
  }
}
