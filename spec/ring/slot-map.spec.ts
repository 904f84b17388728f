import { expect } from 'chai';
import fc from 'fast-check';
import { firstLayout } from '../../lib/ring/claim.ts';
import {
  rangesByMaster,
  type SlotMap,
  type SlotMapMember,
  slotMapOf,
  slotsOfSelf,
} from '../../lib/ring/slot-map.ts';
import { type SlotRange, SlotSet } from '../../lib/ring/slot-set.ts';
import { slotCount } from '../../lib/ring/slots.ts';

function idOf(index: number): string {
  return index.toString(16).padStart(40, '0');
}

function memberOf(index: number, state: SlotMapMember['state']): SlotMapMember {
  return {
    id: idOf(index),
    host: `h${index}`,
    port: 7000 + index,
    peerPort: 17_000 + index,
    state,
  };
}

const states = fc.constantFrom<SlotMapMember['state']>('up', 'up', 'suspect', 'down', 'leaving');

/** A layout, some of its members down, and maybe somebody who joins. */
const world = fc
  .record({
    states: fc.array(states, { minLength: 1, maxLength: 9 }),
    joining: fc.boolean(),
    partitions: fc.constantFrom(1, 4, 64, 256),
    n: fc.integer({ min: 1, max: 4 }),
    self: fc.nat({ max: 9 }),
  })
  .map((given) => {
    const members = given.states.map((state, index) => memberOf(index, state));
    const candidates = members.map(({ id }) => ({ id, weight: 1, zone: '' }));
    const layout = firstLayout(candidates, given.partitions, given.n);
    const shown = given.joining ? [memberOf(members.length, 'joining'), ...members] : members;
    const selfId = idOf(given.self % shown.length);
    return { layout, members: shown, selfId, map: slotMapOf(layout, shown, selfId) };
  });

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function runAt(map: SlotMap, slot: number) {
  return map.runs.find(({ start, end }) => start <= slot && slot <= end);
}

function isDown({ members }: SlotMap, owner: number): boolean {
  return members[owner]?.state === 'down';
}

function idsOf({ members }: SlotMap, owners: readonly number[]): string[] {
  return owners.map((owner) => members[owner]?.id ?? '');
}

function rowOf({ layout }: World, partition: number): string[] {
  const row = layout.owners.subarray(partition * layout.n, (partition + 1) * layout.n);
  return Array.from(row, (owner) => layout.members[owner] ?? '');
}

describe('a slot map', () => {
  it('covers every slot once, in order, and joins neighbours with equal rows', () => {
    fc.assert(
      fc.property(world, ({ map }) => {
        let next = 0;
        let before = '';
        for (const { start, end, owners } of map.runs) {
          expect(start).to.equal(next);
          expect(owners.join()).to.not.equal(before);
          next = end + 1;
          before = owners.join();
        }
        expect(next).to.equal(slotCount);
      }),
    );
  });

  it('shows the row of the layout, those that are down behind the others', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { layout, map } = given;
        for (let partition = 0; partition < layout.partitions; partition += 1) {
          const owners = runAt(map, (partition * slotCount) / layout.partitions)?.owners ?? [];
          const up = owners.filter((owner) => !isDown(map, owner));
          const down = owners.filter((owner) => isDown(map, owner));
          expect(owners).to.deep.equal([...up, ...down]);
          const row = rowOf(given, partition);
          const byPlace = (ids: string[]): string[] =>
            ids.sort((a, b) => row.indexOf(a) - row.indexOf(b));
          expect(idsOf(map, up)).to.deep.equal(byPlace(idsOf(map, up)));
          expect(idsOf(map, down)).to.deep.equal(byPlace(idsOf(map, down)));
          expect(idsOf(map, owners).sort()).to.deep.equal(row.sort());
        }
      }),
    );
  });

  it('gives each slot one master, which is down only where all its owners are', () => {
    fc.assert(
      fc.property(world, ({ map }) => {
        const ranges = rangesByMaster(map);
        const all = ranges.flat().sort((a, b) => a.start - b.start);
        let next = 0;
        for (const { start, end } of all) {
          expect(start).to.equal(next);
          next = end + 1;
        }
        expect(next).to.equal(slotCount);
        for (const { owners } of map.runs) {
          const [master = -1] = owners;
          if (isDown(map, master))
            expect(owners.every((owner) => isDown(map, owner))).to.equal(true);
        }
      }),
    );
  });

  it('is the same on every node but for who it is', () => {
    fc.assert(
      fc.property(world, ({ layout, members, map }) => {
        for (const { id } of members) {
          const theirs = slotMapOf(layout, [...members].reverse(), id);
          expect({ ...theirs, self: 0 }).to.deep.equal({ ...map, self: 0 });
          expect(theirs.members[theirs.self]?.id).to.equal(id);
        }
      }),
    );
  });

  it('gives every node slots of its own, and who joins none', () => {
    fc.assert(
      fc.property(world, ({ layout, members }) => {
        const owned = new Uint8Array(slotCount);
        for (const { id, state } of members) {
          const slots = slotsOfSelf(slotMapOf(layout, members, id));
          if (state === 'joining') expect(slots.nextFrom(0)).to.equal(slotCount);
          for (let slot = 0; slot < slotCount; slot += 1) {
            if (slots.has(slot)) owned[slot] = (owned[slot] ?? 0) + 1;
          }
        }
        expect(owned.every((count) => count === 1)).to.equal(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a set of slots', () => {
  const range = fc
    .tuple(fc.nat({ max: slotCount - 1 }), fc.nat({ max: 400 }))
    .map(([start, more]): SlotRange => ({ start, end: Math.min(start + more, slotCount - 1) }));

  it('holds what its ranges hold, and steps from one to the next', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
        const set = SlotSet.of(ranges);
        const wanted = Array.from({ length: slotCount }, (_, slot) => slot).filter((slot) =>
          ranges.some(({ start, end }) => start <= slot && slot <= end),
        );
        const stepped: number[] = [];
        for (let slot = set.nextFrom(0); slot < slotCount; slot = set.nextFrom(slot + 1)) {
          stepped.push(slot);
          expect(set.has(slot)).to.equal(true);
        }
        expect(stepped).to.deep.equal(wanted);
        expect(new SlotSet(Buffer.from(set.bytes)).bytes).to.deep.equal(set.bytes);
      }),
      { numRuns: 50 },
    );
  });
});
