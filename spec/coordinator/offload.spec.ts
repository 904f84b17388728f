import { expect } from 'chai';
import fc from 'fast-check';
import type { Record } from '../../lib/causal/record.ts';
import { peerKinds } from '../../lib/coordinator/peer-kinds.ts';
import type { Place } from '../../lib/replica/place.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { placeOf } from '../replica/replica-rig.ts';
import { idOf, join, type SmallNode, SmallWorld } from './small-world.ts';

const full = closeRecord().filter(({ vv }) => vv.length > 0);
const places = Array.from({ length: 40 }, (_, index) => placeOf(`k${index}`, index % 3));

async function spread(nodes: readonly SmallNode[], seed: number): Promise<Map<string, Record>> {
  const written = new Map<string, Record>();
  for (const [index, record] of fc.sample(full, { numRuns: places.length, seed }).entries()) {
    const place = places[index] as Place;
    written.set(place.id, record);
    for (const node of nodes) if (node.owns(place)) await node.absorb(place, record);
  }
  return written;
}

describe('an old owner', () => {
  it('gives up what it owns no more, once all owners have it', async () => {
    const world = await SmallWorld.of(1, 'abc');
    const nodes = ['a', 'b', 'c'].map((name) => world.node(name));
    const written = await spread(nodes, 1);
    await world.come('d');
    await world.adopt(world.next(join('d')));
    await world.until(() => world.isAtRest());
    for (const node of world.nodes.values()) {
      const stored = (await node.stored()).map(String).sort();
      const owned = places.filter((place) => node.owns(place)).map(({ storageKey }) => storageKey);
      expect(stored).to.deep.equal(owned.map(String).sort());
      for (const place of places) {
        if (node.owns(place)) expect(await node.read(place)).to.deep.equal(written.get(place.id));
      }
    }
    await world.end();
  });

  it('keeps it while one of them is down, and brings nobody else into trouble', async () => {
    const world = await SmallWorld.of(2, 'abcd');
    await spread([...world.nodes.values()], 2);
    const stray = places.find((place) => !world.node('a').owns(place)) as Place;
    const owner = ['b', 'c', 'd'].find((name) => world.node(name).owns(stray)) ?? '';
    const others = ['b', 'c', 'd'].filter((name) => name !== owner && world.node(name).owns(stray));
    const a = world.node('a');
    const [record] = fc.sample(
      full.filter(({ vv }) => vv.length > 3),
      { numRuns: 1, seed: 5 },
    );
    world.down.add(idOf(owner));
    // A write that was late: nobody else has it.
    await a.absorb(stray, record as Record);
    await world.time.advance(70_000);
    expect((await a.read(stray)).vv).to.deep.equal(record?.vv);
    expect(a.offload.pending).to.equal(true);
    world.down.delete(idOf(owner));
    await world.until(() => !a.offload.pending);
    expect((await a.read(stray)).vv).to.deep.equal([]);
    for (const name of [owner, ...others]) {
      const held = await world.node(name).read(stray);
      for (const { actor, stamp } of record?.vv ?? []) {
        const seen = held.vv.find((dot) => dot.actor === actor)?.stamp ?? 0;
        expect(seen).to.be.at.least(stamp);
      }
    }
    await world.end();
  });

  it('drops nothing while a change is under way, though it own it in neither layout', async () => {
    const world = await SmallWorld.of(3, 'abcd');
    const nodes = ['a', 'b', 'c', 'd'].map((name) => world.node(name));
    await spread(nodes, 3);
    const before = await Promise.all(nodes.map((node) => node.stored()));
    await world.come('e');
    // One old owner hears of it late, so the change is not over.
    await world.adopt(world.next(join('e')), 'abce');
    const a = world.node('a');
    const stray = places.find((place) => !a.owns(place)) as Place;
    const [record] = fc.sample(full, { numRuns: 1, seed: 6 });
    await a.absorb(stray, record as Record);
    await world.time.advance(70_000);
    expect(await a.stored()).to.deep.include(stray.storageKey);
    for (const [index, node] of nodes.entries()) {
      expect(await node.stored()).to.include.deep.members([...(before[index] ?? [])]);
    }
    await world.end();
  });

  it('is left with nothing when it leaves', async () => {
    const world = await SmallWorld.of(4, 'abcd');
    const written = await spread([...world.nodes.values()], 4);
    await world.adopt(world.next({ kind: 'leave', id: idOf('d') }));
    await world.until(() => world.isAtRest());
    expect(await world.node('d').stored()).to.deep.equal([]);
    for (const place of places) {
      for (const name of ['a', 'b', 'c']) {
        expect(await world.node(name).read(place)).to.deep.equal(written.get(place.id));
      }
    }
    await world.end();
  });

  it('sends on what a flush has left, and nothing of what it has hidden', async () => {
    const world = await SmallWorld.of(5, 'abc');
    const nodes = ['a', 'b', 'c'].map((name) => world.node(name));
    await spread(nodes, 5);
    await world.come('d');
    const d = world.node('d');
    for (const { rig } of world.nodes.values()) await rig.run(rig.replica.flush([0, 1, 2], 1e9));
    await world.adopt(world.next(join('d')));
    await world.until(() => world.isAtRest());
    expect(await d.stored()).to.deep.equal([]);
    const pushed = world.handled.filter(([, , kind]) => kind === peerKinds.replicate);
    expect(pushed).to.deep.equal([]);
    await world.end();
  });
});
