/** From one layout to the next, step by step, however the members hear of each other. */
import { expect } from 'chai';
import { isLater, type Later, nothing, outcomeOf } from '../../lib/base/later.ts';
import { type RingTable, readMemory, rememberRing } from '../../lib/membership/ring-rows.ts';
import { Topology, type Trackers } from '../../lib/membership/topology.ts';
import { type Change, nextLayout } from '../../lib/ring/changes.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { partitionsOwned } from '../../lib/ring/preference-list.ts';
import type { PeerId } from '../../lib/transport/transport.ts';
import { alike, memberId } from '../ring/arbitraries.ts';
import { VirtualTime } from '../sim/virtual-time.ts';
import { settings } from './sites.ts';
import { Disk } from './stores.ts';
import { membersOf } from './voters.ts';

const partitions = 16;
const n = 3;

function candidate(index: number): Change {
  return { kind: 'join', candidate: { id: memberId(index), weight: 1, zone: '' } };
}

function atRest(layout: Layout): RingTable {
  const members = membersOf(layout);
  return { layouts: [layout], reading: layout.version, pending: [], members };
}

/** A node with a disk that does nothing but go by layouts. */
class Walker {
  readonly id: PeerId;
  readonly disk: Disk;
  isUp = false;
  #topology: Topology | undefined;

  constructor(time: VirtualTime, id: PeerId) {
    this.id = id;
    this.disk = new Disk(time, id);
  }

  get topology(): Topology {
    if (this.#topology === undefined) throw new Error('not started');
    return this.#topology;
  }

  /** `offer` counts where it remembers nothing. */
  async start(offer: RingTable): Promise<void> {
    await this.disk.open();
    const { store, system, time } = this.disk;
    const { identity, ring } = await time.run(readMemory(store, system));
    const membership = {
      identity: identity ?? {
        ...settings,
        nodeId: Buffer.from(this.id, 'hex'),
        ringKey: Buffer.alloc(32, 7),
      },
      ring: ring ?? offer,
    };
    if (ring === undefined) await time.run(rememberRing(store, membership, system));
    this.#topology = new Topology(store, system, membership);
    this.isUp = true;
  }

  crash(kind: 'process' | 'power'): void {
    this.isUp = false;
    this.disk.crash(kind);
  }

  adopt(layout: Layout): Later<void> {
    return this.topology.adopt(layout, membersOf(layout));
  }

  get versions(): readonly number[] {
    return this.topology.layouts.map(({ version }) => version);
  }
}

describe('the layouts of a node', () => {
  const first = firstLayout(alike(3), partitions, n);
  const [self = '', b = '', c = ''] = first.members;
  const second = nextLayout(first, [candidate(3)], n);
  const newcomer = memberId(3);
  let time: VirtualTime;
  let node: Walker;

  beforeEach(async () => {
    time = new VirtualTime(1);
    node = new Walker(time, self);
    await node.start(atRest(first));
  });

  /** All of these are so far: `c2` complete, `r2` reads from the second, `o2` nothing else. */
  function hear(step: 'a2' | 'c2' | 'r2' | 'o2', ...peers: readonly PeerId[]): void {
    const at = ['a2', 'c2', 'r2', 'o2'].indexOf(step);
    const [complete, reading, oldest] = [1, 2, 3].map((least) => (at >= least ? 2 : 1));
    const trackers = { adopted: 2, complete, reading, oldest } as Trackers;
    for (const peer of peers) node.topology.heard(peer, trackers);
  }

  async function begun(layout = second): Promise<Topology> {
    await time.run(node.adopt(layout));
    await time.run(node.topology.filled(node.topology.pending));
    return node.topology;
  }

  it('are two from when the next is on the disk, not before', async () => {
    const told: number[] = [];
    node.topology.onChange(() => told.push(node.topology.layouts.length));
    const adopting = node.adopt(second);
    expect([node.versions, told]).to.deep.equal([[1], []]);
    expect(node.topology.trackers.adopted).to.equal(1);
    await time.run(adopting);
    expect([node.versions, told]).to.deep.equal([[1, 2], [2]]);
    expect(node.topology.trackers).to.include({ adopted: 2, reading: 1, oldest: 1 });
    node.crash('power');
    await node.start(atRest(first));
    expect(node.versions).to.deep.equal([1, 2]);
    expect(node.topology.reading.version).to.equal(1);
  });

  it('are never adopted in part: a power cut on the way leaves the one before', async () => {
    Promise.resolve(node.adopt(second)).then(nothing, nothing);
    node.crash('power');
    await node.start(atRest(first));
    expect(node.versions).to.be.deep.oneOf([[1], [1, 2]]);
    expect(node.topology.reading.version).to.equal(1);
  });

  it('are adopted once, whoever says so, and never an older one', async () => {
    const adopting = node.adopt(second);
    await time.run(Promise.all([adopting, node.adopt(second)]));
    expect(node.versions).to.deep.equal([1, 2]);
    expect(isLater(node.adopt(first))).to.equal(false);
    expect(node.versions).to.deep.equal([1, 2]);
  });

  it('are read from when every member holds what it owns, not before', async () => {
    const topology = await begun();
    hear('c2', b, c);
    expect(topology.reading.version).to.equal(1);
    hear('a2', newcomer);
    expect(topology.reading.version).to.equal(1);
    hear('c2', newcomer);
    expect(topology.reading.version).to.equal(2);
    expect(topology.trackers).to.include({ reading: 2, oldest: 1 });
    expect(node.versions).to.deep.equal([1, 2]);
  });

  it('are not read from while this node itself has something to fill', async () => {
    const grown = nextLayout(first, [{ kind: 'weight', id: self, weight: 1 }, candidate(3)], n);
    const leaving = nextLayout(grown, [{ kind: 'leave', id: b }], n);
    await begun(grown);
    hear('o2', b, c, newcomer);
    await time.run(node.adopt(leaving));
    const { topology } = node;
    const gained = partitionsOwned(leaving, self).filter(
      (one) => !partitionsOwned(grown, self).includes(one),
    );
    expect(topology.pending).to.deep.equal(gained);
    expect(gained).not.to.deep.equal([]);
    const trackers = { adopted: 3, complete: 3, reading: 2, oldest: 2 };
    for (const peer of [c, newcomer]) topology.heard(peer, trackers);
    expect(topology.reading.version).to.equal(2);
    expect(topology.trackers).to.include({ adopted: 3, complete: 2 });
    await time.run(topology.filled(gained.slice(1)));
    expect(topology.reading.version).to.equal(2);
    node.crash('power');
    await node.start(atRest(first));
    expect(node.topology.pending).to.deep.equal(gained.slice(0, 1));
    for (const peer of [c, newcomer]) node.topology.heard(peer, trackers);
    await time.run(node.topology.filled(gained.slice(0, 1)));
    expect(node.topology.reading.version).to.equal(3);
  });

  it('are one again when every member of either reads from the next', async () => {
    await begun();
    hear('c2', b, c, newcomer);
    hear('r2', b, newcomer);
    expect(node.versions).to.deep.equal([1, 2]);
    hear('r2', c);
    expect(node.versions).to.deep.equal([2]);
    expect(node.topology.trackers).to.include({ adopted: 2, complete: 2, reading: 2, oldest: 2 });
  });

  it('are adopted all the same when the one before retires on the way', async () => {
    const topology = await begun();
    const third = nextLayout(second, [candidate(4)], n);
    const adopting = node.adopt(third);
    hear('o2', b, c, newcomer);
    expect(node.versions).to.deep.equal([2]);
    await time.run(adopting);
    expect(node.versions).to.deep.equal([2, 3]);
    for (const member of membersOf(third)) topology.noteMember(member);
    await time.run(node.disk.store.sync());
    node.crash('power');
    await node.start(atRest(first));
    expect(node.versions).to.deep.equal([2, 3]);
  });

  it('are three when a change is given up with who died in it, and that one is never read', async () => {
    const topology = await begun();
    hear('c2', b, c);
    const third = nextLayout(second, [{ kind: 'remove', id: newcomer }], n);
    await time.run(node.adopt(third));
    expect(node.versions).to.deep.equal([1, 2, 3]);
    expect(topology.pending, 'what it owned before it still holds').to.deep.equal([]);
    expect(topology.reading.version).to.equal(1);
    for (const peer of [b, c]) {
      topology.heard(peer, { adopted: 3, complete: 3, reading: 1, oldest: 1 });
    }
    expect(topology.reading.version).to.equal(3);
    expect(node.versions).to.deep.equal([1, 2, 3]);
    for (const peer of [b, c]) {
      topology.heard(peer, { adopted: 3, complete: 3, reading: 3, oldest: 1 });
    }
    expect(node.versions).to.deep.equal([3]);
  });

  it('wait for who leaves, which still reads from the one before', async () => {
    const topology = await begun(nextLayout(first, [{ kind: 'leave', id: c }], n));
    expect(topology.isActive(c)).to.equal(true);
    hear('c2', b);
    expect(topology.reading.version).to.equal(2);
    hear('r2', b);
    expect(node.versions).to.deep.equal([1, 2]);
    hear('r2', c);
    expect(node.versions).to.deep.equal([2]);
    expect([topology.isActive(c), topology.isKnown(c)]).to.deep.equal([false, true]);
    topology.forget(c);
    expect(topology.isKnown(c)).to.equal(false);
  });

  it('do not wait for who was given up', async () => {
    const topology = await begun(nextLayout(first, [{ kind: 'remove', id: c }], n));
    expect([topology.isActive(c), topology.isRemoved(c)]).to.deep.equal([false, true]);
    hear('r2', b);
    expect(node.versions).to.deep.equal([2]);
  });

  it('are disputed as long as somebody who is there may write by the one before', async () => {
    const { topology } = node;
    const isThere = (): boolean => true;
    expect(topology.isDisputed(isThere)).to.equal(false);
    await begun();
    hear('r2', b, c, newcomer);
    expect(node.versions).to.deep.equal([2]);
    expect(topology.isDisputed(isThere)).to.equal(true);
    hear('o2', b, newcomer);
    expect(topology.isDisputed(isThere)).to.equal(true);
    expect(topology.isDisputed((id) => id !== c)).to.equal(false);
    hear('o2', c);
    expect(topology.isDisputed(isThere)).to.equal(false);
  });

  it('are taken from a peer that is one ahead', async () => {
    const members = membersOf(second);
    const theirs = { layouts: [first, second], reading: 1, pending: [], members };
    await time.run(node.topology.take(theirs));
    expect(node.versions).to.deep.equal([1, 2]);
    expect(node.topology.members.map(({ id }) => id)).to.deep.equal([...second.members]);
  });

  it('are taken one after the other from a peer that is two ahead', async () => {
    const third = nextLayout(second, [candidate(4)], n);
    const members = membersOf(third);
    await time.run(node.topology.take({ layouts: [second, third], members }));
    expect(node.versions).to.deep.equal([1, 2, 3]);
    expect(node.topology.reading.version).to.equal(1);
    const held = new Set(partitionsOwned(first, self));
    const lacking = partitionsOwned(third, self).filter((one) => !held.has(one));
    expect(node.topology.pending).to.deep.equal(lacking);
  });

  it('are retired by what a peer says that has heard of all', async () => {
    const topology = await begun();
    const members = membersOf(second);
    const theirs = { layouts: [second], reading: 2, pending: [], members };
    expect(isLater(topology.take(theirs))).to.equal(false);
    expect(node.versions, 'reads from the older').to.deep.equal([1, 2]);
    hear('c2', b, c, newcomer);
    await topology.take({ layouts: [first, second], members });
    expect(node.versions, 'the peer has not').to.deep.equal([1, 2]);
    await topology.take(theirs);
    expect(node.versions).to.deep.equal([2]);
  });

  it('follow a member that has moved, also after a restart', async () => {
    const [, moved] = membersOf(first);
    if (moved === undefined) throw new Error('no second member');
    node.topology.noteMember({ ...moved, host: 'elsewhere' });
    await time.run(node.disk.store.sync());
    node.crash('power');
    await node.start(atRest(first));
    expect(node.topology.members[1]).to.include({ id: b, host: 'elsewhere' });
  });

  it('are those of a ring of one only where nobody else is coming or going', async () => {
    const alone = new Walker(time, self);
    const one = firstLayout([{ id: self, weight: 1, zone: '' }], partitions, n);
    await alone.start(atRest(one));
    expect(alone.topology.isAlone).to.equal(true);
    await time.run(alone.adopt(nextLayout(one, [candidate(3)], n)));
    expect(alone.topology.isAlone).to.equal(false);
    expect(node.topology.isAlone).to.equal(false);
  });
});

/** Members that talk to each other in any order, are slow, crash and come back. */
class Party {
  readonly time: VirtualTime;
  readonly walkers = new Map<PeerId, Walker>();
  /** The furthest that each has ever said it was. */
  readonly #adopted = new Map<PeerId, number>();
  readonly #complete = new Map<PeerId, number>();
  readonly #reading = new Map<PeerId, number>();
  readonly #layouts = new Map<number, Layout>();
  newest: Layout;

  private constructor(seed: number, count: number) {
    this.time = new VirtualTime(seed);
    this.newest = firstLayout(alike(count), partitions, n);
  }

  static async of(seed: number, count: number): Promise<Party> {
    const party = new Party(seed, count);
    party.#layouts.set(1, party.newest);
    for (const id of party.newest.members) await party.come(id, atRest(party.newest));
    return party;
  }

  /** Knows the ring as a node does that a member has offered it to. */
  async come(id: PeerId, ring: RingTable): Promise<void> {
    const walker = new Walker(this.time, id);
    await walker.start(ring);
    this.walkers.set(id, walker);
  }

  get there(): readonly Walker[] {
    return [...this.walkers.values()].filter(({ isUp }) => isUp);
  }

  /** Those that go by the newest layout. */
  get mayPropose(): readonly Walker[] {
    return this.there.filter(({ topology }) => topology.newest.version === this.newest.version);
  }

  pick(among: readonly Walker[] = this.there): Walker {
    const walker = among[this.time.random.below(among.length)];
    if (walker === undefined) throw new Error('nobody is there');
    return walker;
  }

  /** Somebody whom the others agree with has the next layout; nobody else knows yet. */
  async change(change: Change): Promise<void> {
    const next = nextLayout(this.newest, [change], n);
    const proposer = this.pick(this.mayPropose.filter(({ id }) => next.members.includes(id)));
    this.#layouts.set(next.version, next);
    this.newest = next;
    await this.time.run(proposer.adopt(next));
    if (change.kind !== 'join') return;
    const { id } = change.candidate;
    await this.come(id, { ...proposer.topology.table, pending: partitionsOwned(next, id) });
  }

  /** Something small that a network or a slow node might do. */
  async step(): Promise<void> {
    const { time } = this;
    const walker = this.pick();
    const { topology } = walker;
    const dice = time.random.below(4);
    if (dice === 0 && topology.pending.length > 0) {
      const some = topology.pending.slice(0, 1 + time.random.below(topology.pending.length));
      this.#fill(topology, some);
    } else {
      const other = this.pick();
      if (other !== walker) {
        if (dice === 1) this.#take(topology, other);
        topology.heard(other.id, other.topology.trackers);
      }
    }
    await time.advance(time.random.below(3));
    this.check();
  }

  async rest(): Promise<void> {
    for (let round = 0; round < 30; round += 1) {
      for (const { topology } of this.there) {
        for (const other of this.there) {
          if (other.id === topology.selfId) continue;
          this.#take(topology, other);
          topology.heard(other.id, other.topology.trackers);
        }
        if (topology.pending.length > 0) this.#fill(topology, topology.pending);
      }
      await this.time.advance(20);
      this.check();
    }
    for (const { topology } of this.there) {
      const { version } = this.newest;
      const all = { adopted: version, complete: version, reading: version, oldest: version };
      expect(topology.trackers).to.deep.equal(all);
      expect(topology.isDisputed((id) => this.walkers.has(id))).to.equal(false);
    }
  }

  #take(topology: Topology, from: Walker): void {
    outcomeOf(() => topology.take(from.topology.table), nothing, nothing);
  }

  #fill(topology: Topology, some: readonly number[]): void {
    outcomeOf(() => topology.filled(some), nothing, nothing);
  }

  check(): void {
    for (const { id, topology } of this.there) {
      const { adopted, complete, reading } = topology.trackers;
      expect(adopted, 'what is adopted stays so').to.be.at.least(this.#adopted.get(id) ?? 0);
      const before = this.#complete.get(id) ?? 0;
      // Of three layouts a process does not remember whether the middle one was complete.
      if (topology.layouts.length < 3) {
        expect(complete, 'what is complete stays so').to.be.at.least(before);
      }
      this.#adopted.set(id, adopted);
      this.#complete.set(id, Math.max(complete, before));
      this.#reading.set(id, Math.max(reading, this.#reading.get(id) ?? 0));
    }
    for (const { topology } of this.there) {
      this.#expectAll(topology, topology.trackers.reading, this.#complete, 'reads');
      this.#expectAll(topology, topology.trackers.oldest, this.#reading, 'retires');
    }
  }

  #expectAll(
    { newest }: Topology,
    version: number,
    come: ReadonlyMap<PeerId, number>,
    verb: string,
  ): void {
    const layout = this.#layouts.get(version);
    for (const id of layout?.members ?? []) {
      if (newest.removed.includes(id) || version === 1) continue;
      expect(come.get(id) ?? 0, `${verb} before ${id}`).to.be.at.least(version);
    }
  }
}

describe('the members of a ring that changes', () => {
  const kinds = ['join', 'leave', 'weight', 'remove'] as const;

  function changeOf(party: Party, kind: (typeof kinds)[number], fresh: number): Change {
    const { members } = party.newest;
    const id = members[party.time.random.below(members.length)] ?? '';
    if (kind === 'join' || members.length < 3) return candidate(fresh);
    return kind === 'weight' ? { kind, id, weight: 2 + (fresh % 3) } : { kind, id };
  }

  for (const [how, crashes, dies] of [
    ['in any order of words', false, false],
    ['with power cuts', true, false],
    ['also if one dies in between and is given up', false, true],
  ] as const) {
    it(`read what is complete, retire what nobody reads, and end at rest, ${how}`, async () => {
      for (let seed = 1; seed <= 15; seed += 1) {
        const party = await Party.of(seed, 2 + (seed % 4));
        const { random } = party.time;
        for (let round = 0; round < 3; round += 1) {
          const change = changeOf(party, kinds[random.below(4)] ?? 'join', 10 + round);
          if (change.kind === 'remove') party.walkers.get(change.id)?.crash('power');
          const gone = new Set(change.kind === 'remove' ? [change.id] : []);
          await party.change(change);
          const first = atRest(party.newest);
          const dyingAt = dies ? random.below(60) : -1;
          for (let step = 0; step < 60; step += 1) {
            await party.step();
            const heirs = party.mayPropose.filter(({ id }) => party.newest.members.includes(id));
            if (step === dyingAt && heirs.length > 1 && party.newest.members.length > 3) {
              const { id } = party.pick(heirs);
              party.walkers.get(id)?.crash('power');
              gone.add(id);
              await party.change({ kind: 'remove', id });
            }
            if (!crashes || random.below(8) > 0) continue;
            const dead = [...party.walkers.values()].filter(
              (one) => !one.isUp && !gone.has(one.id),
            );
            if (dead.length > 0) await party.pick(dead).start(first);
            else if (party.there.length > 1) {
              party.pick().crash(random.below(2) === 0 ? 'power' : 'process');
            }
          }
          for (const id of gone) party.walkers.delete(id);
          for (const walker of party.walkers.values()) if (!walker.isUp) await walker.start(first);
          await party.rest();
        }
      }
    });
  }
});
