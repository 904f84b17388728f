import { expect } from 'chai';
import { emptyRecord, put, type Record, remove } from '../../lib/causal/record.ts';
import { countRing, scanRing } from '../../lib/coordinator/ring-scan.ts';
import type { Place } from '../../lib/replica/place.ts';
import { parseDataKey } from '../../lib/storage/keys.ts';
import { siblingOf } from '../causal/arbitraries.ts';
import { placeOf } from '../replica/replica-rig.ts';
import { join, SmallWorld } from './small-world.ts';

const places = Array.from({ length: 30 }, (_, index) => placeOf(`k${index}`));
const nameOf = ({ storageKey }: Place): string => String(parseDataKey(storageKey).key);
const value: Record = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));

async function shown(world: SmallWorld, name: string): Promise<readonly string[]> {
  const { parts } = world.node(name);
  const keys: string[] = [];
  let from = 0;
  do {
    const page = await world.time.run(scanRing(parts, { db: 0, from, count: 4 }));
    keys.push(...page.keys.map(String));
    from = Number(page.cursor);
  } while (from !== 0);
  return keys.sort();
}

describe('a scan over the ring', () => {
  it('shows what the owners hold, before, during and after a change', async () => {
    const world = await SmallWorld.of(1, 'abc', { n: 2, w: 2 });
    for (const place of places) {
      for (const node of world.nodes.values()) {
        if (node.owns(place)) await node.absorb(place, value);
      }
    }
    const expected = places.map(nameOf).sort();
    const looked: number[] = [];
    const look = async (): Promise<void> => {
      for (const { name, parts } of world.nodes.values()) {
        expect(await shown(world, name)).to.deep.equal(expected);
        looked.push(parts.ring.layouts.length);
      }
    };
    await look();
    await world.come('d');
    const layout = world.next(join('d'));
    await world.adopt(layout, 'abd');
    for (let round = 0; round < 10; round += 1) {
      await look();
      await world.time.advance(37);
      if (round === 4) await world.adopt(layout);
    }
    await world.until(() => world.isAtRest());
    await look();
    expect(new Set(looked)).to.deep.equal(new Set([1, 2]));
    const counts = await world.time.run(countRing(world.node('d').parts, 0));
    expect(counts).to.deep.equal({ keys: places.length, expires: 0 });
    await world.end();
  });

  it('counts no entry of a member that does not own the slot', async () => {
    const world = await SmallWorld.of(2, 'abcd', { n: 2, w: 2 });
    const held = places.filter((place) => !world.node('a').owns(place));
    for (const place of held) {
      const deleted = remove(value, value.vv);
      for (const node of world.nodes.values()) {
        if (node.owns(place)) await node.absorb(place, deleted);
      }
      // What it has not given up yet; newer than all that the owners know.
      const wild = { ...siblingOf({ actor: 2, stamp: 9 }), kind: 1 as const, expireAtMs: 0 };
      await world.node('a').absorb(place, put(emptyRecord, [], { ...wild, order: 9 }));
    }
    expect(await world.node('a').stored()).to.have.length(held.length);
    expect(await shown(world, 'a')).to.deep.equal([]);
    await world.end();
  });
});
