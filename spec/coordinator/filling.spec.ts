import { expect } from 'chai';
import fc from 'fast-check';
import { merge, type Record } from '../../lib/causal/record.ts';
import { peerKinds } from '../../lib/coordinator/peer-kinds.ts';
import type { Place } from '../../lib/replica/place.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { placeOf } from '../replica/replica-rig.ts';
import { idOf, join, SmallWorld } from './small-world.ts';

const full = closeRecord().filter(({ vv }) => vv.length > 0);
const [value] = fc.sample(
  full.filter(({ siblings }) => siblings.length > 1),
  { numRuns: 1, seed: 3 },
);
const record: Record = value ?? { vv: [], siblings: [] };

/** Where each write is kept: by as many owners as W asks. */
async function writeSome(world: SmallWorld, records: readonly Record[]): Promise<readonly Place[]> {
  const places = records.map((_, index) => placeOf(`k${index % 20}`, index % 3));
  for (const [index, place] of places.entries()) {
    const owners = [...world.nodes.values()].filter((node) => node.owns(place));
    const skipped = owners.length > world.w ? index % owners.length : -1;
    for (const [at, owner] of owners.entries()) {
      if (at !== skipped) await owner.absorb(place, records[index] ?? record);
    }
  }
  return places;
}

describe('filling', () => {
  it('gives every new owner all that the old ones hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.constantFrom('a', 'ab', 'abc', 'abcde'),
        fc.array(full, { minLength: 1, maxLength: 40 }),
        async (seed, names, records) => {
          const n = Math.min(3, names.length);
          const world = await SmallWorld.of(seed, names, { n: 3, w: Math.min(2, n) });
          const places = await writeSome(world, records);
          const wholes = new Map<string, Record>();
          for (const place of places) wholes.set(place.id, await world.wholeOf(place));
          await world.come('f');
          await world.adopt(world.next(join('f')));
          await world.until(() => world.isAtRest());
          const newcomer = world.node('f');
          expect(newcomer.topology.pending).to.deep.equal([]);
          for (const place of places) {
            const held = await newcomer.read(place);
            const whole = wholes.get(place.id);
            if (newcomer.owns(place)) expect(held).to.deep.equal(whole);
            else expect(held.vv).to.deep.equal([]);
            expect(await world.wholeOf(place)).to.deep.equal(whole);
          }
          await world.end();
        },
      ),
      { numRuns: 15 },
    );
  });

  it('asks enough of the old owners, and waits for them if it must', async () => {
    const world = await SmallWorld.of(1, 'abc');
    await writeSome(world, [record]);
    await world.come('d');
    const layout = world.next(join('d'));
    world.down.add(idOf('a')).add(idOf('b'));
    await world.adopt(layout, 'cd');
    const { topology } = world.node('d');
    await world.time.advance(5000);
    expect(topology.pending).not.to.deep.equal([]);
    expect(topology.trackers.complete).to.equal(1);
    // The others are told when they are back; one that has not adopted the layout is no source.
    world.down.delete(idOf('b'));
    await world.time.advance(5000);
    expect(topology.pending).not.to.deep.equal([]);
    await world.adopt(layout, 'b');
    await world.until(() => topology.pending.length === 0);
    const asked = world.handled.filter(([from, , kind]) => {
      return from === idOf('d') && kind === peerKinds.transfer;
    });
    expect(new Set(asked.map(([, to]) => to))).to.deep.equal(new Set([idOf('b'), idOf('c')]));
    await world.end();
  });

  it('waits a moment for an owner that is up: it may hold more than a quorum does', async () => {
    const world = await SmallWorld.of(2, 'abc');
    // Acknowledged with the help of a hint: only this owner holds it.
    const place = placeOf('sloppy');
    await world.node('c').absorb(place, record);
    await world.come('d');
    const layout = world.next(join('d'));
    await world.adopt(layout, 'abd');
    await world.time.advance(1000);
    expect(world.node('d').topology.pending).not.to.deep.equal([]);
    await world.adopt(layout, 'c');
    await world.until(() => world.node('d').topology.pending.length === 0);
    const held = await world.node('d').read(place);
    if (world.node('d').parts.ring.owns(2, place.slot)) expect(held).to.deep.equal(record);
    await world.end();
  });

  it('fills again after a failed disk what was not noted as filled', async () => {
    const world = await SmallWorld.of(3, 'ab', { n: 3, w: 2 });
    const places = await writeSome(world, fc.sample(full, { numRuns: 30, seed: 3 }));
    await world.come('d');
    const { rig, topology } = world.node('d');
    await world.adopt(world.next(join('d')));
    rig.disk.failBatches = 1;
    await world.until(() => topology.pending.length === 0);
    for (const place of places) {
      const old = [await world.node('a').read(place), await world.node('b').read(place)] as const;
      expect(await world.node('d').read(place)).to.deep.equal(merge(...old));
    }
    await world.end();
  });
});
