/** The ring as routing sees it: numbers that outlive layouts, owners by each of them. */
import { expect } from 'chai';
import { RingView } from '../../lib/coordinator/ring-view.ts';
import type { Verdict } from '../../lib/membership/member.ts';
import { readMemory } from '../../lib/membership/ring-rows.ts';
import { Topology } from '../../lib/membership/topology.ts';
import { type Change, nextLayout } from '../../lib/ring/changes.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { settings } from '../membership/sites.ts';
import { Disk } from '../membership/stores.ts';
import { membersOf } from '../membership/voters.ts';
import { alike, memberId } from '../ring/arbitraries.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

const partitions = 16;
const slots = Array.from({ length: partitions }, (_, partition) => partition * 1024 + 5);

describe('the view of a ring', () => {
  const first = firstLayout(alike(4), partitions, 3);
  const [self = '', b = '', c = '', d = ''] = first.members;
  let time: VirtualTime;
  let topology: Topology;
  let view: RingView;
  const verdicts = new Map<number, Verdict>();
  const latencies = new Map<number, number>();

  beforeEach(async () => {
    verdicts.clear();
    latencies.clear();
    time = new VirtualTime(1);
    const disk = new Disk(time);
    await disk.open();
    await time.run(readMemory(disk.store, disk.system));
    const nodeId = Buffer.from(self, 'hex');
    const identity = { ...settings, partitions, nodeId, ringKey: Buffer.alloc(32, 1) };
    const ring = { layouts: [first], reading: 1, pending: [], members: membersOf(first) };
    topology = new Topology(disk.store, disk.system, { identity, ring });
    view = new RingView(topology, {
      health: {
        verdict: (member) => verdicts.get(member) ?? 'up',
        latencyMs: (member) => latencies.get(member) ?? 1,
      },
      takesWrites: () => true,
      gossiped: (id) => (id === b ? 'suspect' : 'up'),
    });
  });

  async function change(...changes: readonly Change[]): Promise<Layout> {
    const next = nextLayout(topology.newest, changes, 3);
    await time.run(topology.adopt(next, membersOf(next)));
    await time.run(topology.filled(topology.pending));
    return next;
  }

  function everybody(step: 'complete' | 'reading' | 'oldest', version: number): void {
    const least = (at: typeof step): number =>
      ['complete', 'reading', 'oldest'].indexOf(at) <=
      ['complete', 'reading', 'oldest'].indexOf(step)
        ? version
        : version - 1;
    const trackers = {
      adopted: version,
      complete: least('complete'),
      reading: least('reading'),
      oldest: least('oldest'),
    };
    for (const { id } of topology.members) if (id !== self) topology.heard(id, trackers);
  }

  /** Ids of the owners of a slot in a layout. */
  function rowOf({ n, members, owners }: Layout, slot: number): readonly string[] {
    const at = view.partitionOf(slot) * n;
    return [...owners.subarray(at, at + n)].map((index) => members[index] ?? '');
  }

  const idsOf = (members: readonly number[]): readonly string[] =>
    members.map((member) => view.idOf(member));

  it('names owners and fallbacks by the layout that is in force', () => {
    for (const slot of slots) {
      expect(idsOf(view.ownersOf(slot))).to.deep.equal(rowOf(first, slot));
      expect(view.ownerSets(slot)).to.deep.equal([view.ownersOf(slot)]);
      expect([...view.ownersOf(slot), ...view.fallbacksOf(slot)].sort()).to.deep.equal([
        0, 1, 2, 3,
      ]);
      expect(view.isOwner(slot)).to.equal(rowOf(first, slot).includes(self));
    }
    expect([view.version, view.oldest, view.n]).to.deep.equal([1, 1, 3]);
  });

  it('writes to both layouts during a change, reads from one, coordinates by the older', async () => {
    const next = await change({
      kind: 'join',
      candidate: { id: memberId(9), weight: 1, zone: '' },
    });
    expect([view.version, view.oldest, view.reading.version]).to.deep.equal([2, 1, 1]);
    const expectRows = (reading: Layout): void => {
      for (const slot of slots) {
        const [was, will] = [rowOf(first, slot), rowOf(next, slot)];
        expect(idsOf(view.ownersOf(slot))).to.deep.equal(rowOf(reading, slot));
        expect(idsOf(view.coordinatorsOf(slot))).to.deep.equal(was);
        const both = new Set([...was, ...will]);
        expect(new Set(idsOf(view.ownerSets(slot).flat()))).to.deep.equal(both);
        expect(idsOf(view.fallbacksOf(slot)).some((id) => both.has(id))).to.equal(false);
        expect(view.isOwner(slot)).to.equal(both.has(self));
        expect(view.owns(1, slot)).to.equal(was.includes(self));
        expect(view.owns(2, slot)).to.equal(will.includes(self));
        expect(view.owns(3, slot)).to.equal(false);
      }
    };
    expectRows(first);
    everybody('complete', 2);
    expect(view.reading.version).to.equal(2);
    expectRows(next);
    everybody('reading', 2);
    expect([view.oldest, view.active.length]).to.deep.equal([2, 5]);
    for (const slot of slots) expect(view.ownerSets(slot)).to.have.length(1);
    expect(view.isDisputed).to.equal(true);
    everybody('oldest', 2);
    expect(view.isDisputed).to.equal(false);
  });

  it('never gives the number of a member to another one', async () => {
    const numberOfC = view.indexOf(c);
    await change({ kind: 'remove', id: c });
    everybody('oldest', 2);
    expect(view.active).not.to.include(numberOfC);
    await change({ kind: 'join', candidate: { id: memberId(9), weight: 1, zone: '' } });
    everybody('oldest', 3);
    expect(view.indexOf(c)).to.equal(numberOfC);
    expect(view.indexOf(memberId(9))).to.equal(4);
    expect(view.idOf(4)).to.equal(memberId(9));
    expect(view.idBytesOf(4).toString('hex')).to.equal(memberId(9));
    expect([view.indexOf('f'.repeat(40)), view.idOf(77), view.nameOf(77)]).to.deep.equal([
      undefined,
      '',
      '',
    ]);
  });

  it('shows operators who comes, who goes, and else what gossip says', async () => {
    const stateOf = (id: string): string => view.stateOf(view.indexOf(id) ?? -1);
    expect([self, b, c].map(stateOf)).to.deep.equal(['up', 'suspect', 'up']);
    await change(
      { kind: 'join', candidate: { id: memberId(9), weight: 1, zone: '' } },
      { kind: 'leave', id: d },
    );
    expect([memberId(9), d, b].map(stateOf)).to.deep.equal(['joining', 'leaving', 'suspect']);
    everybody('oldest', 2);
    expect([memberId(9), d].map(stateOf)).to.deep.equal(['up', 'leaving']);
  });

  it('says when it has changed, to those who listen and to who waits for the next time', async () => {
    let told = 0;
    let waited = 0;
    view.onChange(() => {
      told += 1;
    });
    view.nextChange().listen(
      () => {
        waited += 1;
      },
      () => {},
    );
    await change({ kind: 'weight', id: b, weight: 2 });
    expect(told).to.be.above(0);
    expect(waited).to.equal(1);
    const before = told;
    view.changed();
    expect([told, waited]).to.deep.equal([before + 1, 1]);
  });

  it('asks itself first, then the nearest, and whoever is silent last', () => {
    const [near, far, silent] = [1, 2, 3];
    latencies.set(far, 50);
    verdicts.set(silent, 'suspect');
    expect(view.byNearness([silent, far, near, view.self])).to.deep.equal([
      view.self,
      near,
      far,
      silent,
    ]);
    expect(view.isOverdue(near, 11)).to.equal(true);
    expect(view.isOverdue(far, 11)).to.equal(false);
    expect(view.isOverdue(silent, 0)).to.equal(true);
    expect(view.takesWrites(silent)).to.equal(true);
    verdicts.set(silent, 'down');
    expect([view.isDown(silent), view.takesWrites(silent)]).to.deep.equal([true, false]);
    expect(view.verdict(view.self)).to.equal('up');
  });

  it('waits for who has been let in and has not come up, until that is known to be dead', async () => {
    expect(view.awaitsNewcomers).to.equal(false);
    verdicts.set(view.indexOf(b) ?? -1, 'down');
    expect(view.awaitsNewcomers, 'an old member that is down is not waited for').to.equal(false);
    const next = await change({
      kind: 'join',
      candidate: { id: memberId(4), weight: 1, zone: '' },
    });
    const newcomer = view.indexOf(next.members.find((id) => !first.members.includes(id)) ?? '');
    verdicts.set(newcomer ?? -1, 'down');
    expect(view.awaitsNewcomers).to.equal(true);
    verdicts.set(newcomer ?? -1, 'up');
    expect(view.awaitsNewcomers).to.equal(false);
  });
});
