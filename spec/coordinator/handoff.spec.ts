import { expect } from 'chai';
import fc from 'fast-check';
import type { Record } from '../../lib/causal/record.ts';
import type { Place } from '../../lib/replica/place.ts';
import type { HintKind } from '../../lib/replica/stored-record.ts';
import type { Change } from '../../lib/ring/changes.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { placeOf } from '../replica/replica-rig.ts';
import { idOf, join, SmallWorld } from './small-world.ts';

const places = Array.from({ length: 30 }, (_, index) => placeOf(`k${index}`, index % 3));
const records = fc.sample(
  closeRecord().filter(({ vv }) => vv.length > 0),
  { numRuns: places.length, seed: 9 },
);
const recordOf = (place: Place): Record => records[places.indexOf(place)] as Record;
const kinds: readonly HintKind[] = ['load-bearing', 'courtesy'];

/** Hints at `holder` for all that `target` owns. */
async function keepHints(world: SmallWorld, holder: string, target: string): Promise<Place[]> {
  const owned = places.filter((place) => world.node(target).owns(place));
  const { rig } = world.node(holder);
  for (const [index, place] of owned.entries()) {
    const kind = kinds[index % 2] ?? 'courtesy';
    const bytes = Buffer.from(idOf(target), 'hex');
    await rig.run(rig.hints.keep(bytes, place, recordOf(place), kind));
  }
  expect(owned).not.to.deep.equal([]);
  return owned;
}

async function heldByAllOwners(world: SmallWorld, kept: readonly Place[]): Promise<void> {
  for (const place of kept) {
    for (const node of world.nodes.values()) {
      if (world.down.has(node.id) || !node.owns(place)) continue;
      expect(await node.read(place), node.name).to.deep.equal(recordOf(place));
    }
  }
}

describe('hints', () => {
  it('go to their target alone while it owns the key', async () => {
    const world = await SmallWorld.of(1, 'abcd', { n: 2, w: 2 });
    world.down.add(idOf('b'));
    const kept = await keepHints(world, 'a', 'b');
    const { hints } = world.node('a').rig;
    await world.time.advance(10_000);
    expect(hints.pending).to.equal(kept.length);
    world.down.delete(idOf('b'));
    await world.until(() => hints.pending === 0);
    for (const place of kept) {
      for (const node of world.nodes.values()) {
        const held = node.name === 'b' ? recordOf(place).vv : [];
        expect((await node.read(place)).vv, node.name).to.deep.equal(held);
      }
    }
    expect(world.node('a').parts.counts.hintsDelivered).to.equal(kept.length);
    await world.end();
  });

  const changes: { readonly [what: string]: Change } = {
    'was given up': { kind: 'remove', id: idOf('b') },
    'has left': { kind: 'leave', id: idOf('b') },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`go to all owners when their target ${what}`, async () => {
      const world = await SmallWorld.of(2, 'abcde');
      world.down.add(idOf('b'));
      const kept = await keepHints(world, 'a', 'b');
      const layout = world.next(change);
      await world.adopt(layout, 'acde');
      if (change.kind === 'leave') {
        world.down.delete(idOf('b'));
        await world.adopt(layout, 'b');
      }
      const { hints } = world.node('a').rig;
      await world.until(() => hints.pending === 0);
      await world.until(() => !world.node('a').topology.isChanging);
      await heldByAllOwners(world, kept);
      await world.end();
    });
  }

  it('go to the owners of those keys that their target has lost', async () => {
    const world = await SmallWorld.of(3, 'abc', { n: 2, w: 2 });
    await world.come('d');
    const before = places.filter((place) => world.node('b').owns(place));
    await world.adopt(world.next(join('d')));
    await world.until(() => world.isAtRest());
    const [late, ...lost] = before.filter((place) => !world.node('b').owns(place)) as [Place];
    expect(lost).not.to.deep.equal([]);
    world.down.add(idOf('b'));
    const kept = await keepHints(world, 'a', 'b');
    const { rig } = world.node('a');
    const keep = (place: Place): Promise<Record> => {
      const target = Buffer.from(idOf('b'), 'hex');
      return rig.run(rig.hints.keep(target, place, recordOf(place), 'load-bearing'));
    };
    for (const place of lost) await keep(place);
    await world.until(() => rig.hints.pending === kept.length);
    await heldByAllOwners(world, lost);
    // One that comes after the search is found when its target is back.
    await keep(late);
    await world.time.advance(20_000);
    expect(rig.hints.pending).to.equal(kept.length + 1);
    world.down.delete(idOf('b'));
    await world.until(() => rig.hints.pending === 0);
    await heldByAllOwners(world, [late]);
    await world.end();
  });

  it('astray wait for the last of the owners', async () => {
    const world = await SmallWorld.of(4, 'abcde');
    world.down.add(idOf('b'));
    const kept = await keepHints(world, 'a', 'b');
    await world.adopt(world.next({ kind: 'remove', id: idOf('b') }), 'acde');
    await world.until(() => !world.node('a').topology.isChanging);
    world.down.add(idOf('e'));
    const { hints } = world.node('a').rig;
    await world.time.advance(20_000);
    const waiting = kept.filter((place) => world.node('e').owns(place));
    expect(hints.pending).to.equal(waiting.length);
    world.down.delete(idOf('e'));
    await world.until(() => hints.pending === 0);
    await heldByAllOwners(world, kept);
    await world.end();
  });
});
