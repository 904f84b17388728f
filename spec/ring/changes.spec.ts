/** A changed layout: as fair as a first one, and reached with as few moves as that takes. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Change, nextLayout, planOf } from '../../lib/ring/changes.ts';
import { type Candidate, firstLayout } from '../../lib/ring/claim.ts';
import { encodeLayout, faultOfLayout, type Layout } from '../../lib/ring/layout.ts';
import { partitionsOf } from '../../lib/ring/preference-list.ts';
import { alike, memberId } from './arbitraries.ts';
import {
  expectFair,
  expectFirstsByWeight,
  expectFirstsLevel,
  expectSixOfThreeZones,
  expectSpread,
  isFree,
  rowsOf,
  sixOfThreeZones,
  zoneMaxOf,
} from './fairness.ts';

interface Shape {
  readonly members: number;
  readonly zones: number;
  readonly weight: number;
  readonly partitions: readonly number[];
}

interface Step {
  readonly kind: Change['kind'];
  readonly pick: number;
  readonly weight: number;
  readonly zone: string;
}

interface History {
  readonly candidates: readonly Candidate[];
  readonly partitions: number;
  readonly n: number;
  readonly batches: readonly (readonly Step[])[];
}

const small: Shape = { members: 12, zones: 4, weight: 8, partitions: [16, 32, 64] };
const large: Shape = { members: 30, zones: 6, weight: 8, partitions: [256, 512, 1024] };
const kinds = ['join', 'join', 'leave', 'remove', 'replace', 'weight'] as const;

/** Rings, and what happens to them, one batch of changes after another. */
function histories(shape: Shape): fc.Arbitrary<History> {
  return fc.integer({ min: 1, max: shape.zones }).chain((zones) => {
    const weight = fc.integer({ min: 1, max: shape.weight });
    const zone = fc.integer({ min: 1, max: zones }).map((index) => `zone ${index}`);
    const first = fc.array(fc.record({ weight, zone }), { minLength: 1, maxLength: shape.members });
    const step = fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(999), weight, zone });
    return fc.record({
      candidates: first.map((drawn) => drawn.map((facts, at) => ({ id: memberId(at), ...facts }))),
      partitions: fc.constantFrom(...shape.partitions),
      n: fc.integer({ min: 1, max: 5 }),
      batches: fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 6 }),
    });
  });
}

interface Stage {
  readonly previous: Layout;
  readonly changes: readonly Change[];
  readonly next: Layout;
}

function stagesOf({ candidates, partitions, n, batches }: History): readonly Stage[] {
  let previous = firstLayout(candidates, partitions, n);
  let born = candidates.length;
  return batches.map((batch) => {
    const ids = [...previous.members];
    const changes = batch.flatMap((step): readonly Change[] => {
      const id = ids[step.pick % ids.length] ?? '';
      const { kind, weight, zone } = step;
      if (kind === 'weight') return [{ kind, id, weight }];
      if ((kind === 'leave' || kind === 'remove') && ids.length === 1) return [];
      if (kind !== 'join') ids.splice(ids.indexOf(id), 1);
      if (kind === 'leave' || kind === 'remove') return [{ kind, id }];
      const candidate = { id: memberId(born), weight, zone };
      born += 1;
      ids.push(candidate.id);
      return [kind === 'join' ? { kind, candidate } : { kind, id, candidate }];
    });
    const stage = { previous, changes, next: nextLayout(previous, changes, n) };
    previous = stage.next;
    return stage;
  });
}

function expectSound(next: Layout): void {
  expect(faultOfLayout(next)).to.equal(undefined);
  expectSpread(next);
  expectFair(next);
}

/** What weights and zones alone demand, whatever the rows: no table can move fewer. */
function simpleBound(previous: Layout, next: Layout): number {
  const before = rowsOf(previous).map((row) => row.map((owner) => previous.members[owner] ?? ''));
  const had = (id: string): number => before.filter((row) => row.includes(id)).length;
  const { owned } = partitionsOf(next);
  return next.members.reduce((all, id, at) => all + Math.max(0, (owned[at] ?? 0) - had(id)), 0);
}

/** By trying all tables with the same loads that keep the rule of zones. */
function fewestMoves(previous: Layout, next: Layout): number {
  const before = rowsOf(previous).map((row) => row.map((owner) => previous.members[owner] ?? ''));
  const zoneMax = zoneMaxOf(next);
  const rows = subsets(next.members.length, next.n).filter((row) =>
    next.zones.every((zone) => row.filter((at) => next.zones[at] === zone).length <= zoneMax),
  );
  const left = [...partitionsOf(next).owned];
  let fewest = Number.POSITIVE_INFINITY;
  const fill = (partition: number, moves: number): void => {
    if (moves >= fewest) return;
    if (partition === next.partitions) {
      fewest = moves;
      return;
    }
    for (const row of rows) {
      if (row.some((at) => left[at] === 0)) continue;
      for (const at of row) left[at] = (left[at] ?? 0) - 1;
      const came = row.filter((at) => !before[partition]?.includes(next.members[at] ?? ''));
      fill(partition + 1, moves + came.length);
      for (const at of row) left[at] = (left[at] ?? 0) + 1;
    }
  };
  fill(0, 0);
  return fewest;
}

function subsets(count: number, size: number): readonly (readonly number[])[] {
  if (size === 0) return [[]];
  if (count < size) return [];
  const last = count - 1;
  return [...subsets(last, size), ...subsets(last, size - 1).map((rest) => [...rest, last])];
}

describe('a changed layout', () => {
  for (const [name, shape, numRuns] of [
    ['small', small, 1000],
    ['large', large, 40],
  ] as const) {
    it(`is legal, spread over zones and fair, after any changes of ${name} rings`, () => {
      fc.assert(
        fc.property(histories(shape), (history) => {
          for (const { previous, next } of stagesOf(history)) {
            expectSound(next);
            expect(next.version).to.equal(previous.version + 1);
            expect(next.n).to.equal(Math.min(history.n, next.members.length));
          }
        }),
        { numRuns },
      );
    });
  }

  it('lists who is there, and for ever who was removed or replaced', () => {
    fc.assert(
      fc.property(histories(small), (history) => {
        const removed = new Set<string>();
        for (const { changes, next } of stagesOf(history)) {
          for (const change of changes) {
            if (change.kind === 'remove' || change.kind === 'replace') removed.add(change.id);
          }
          expect(next.removed).to.deep.equal([...removed].sort());
          const last = changes.at(-1);
          if (last?.kind === 'join' || last?.kind === 'replace') {
            const { id, weight, zone } = last.candidate;
            const at = next.members.indexOf(id);
            expect([next.weights[at], next.zones[at]]).to.deep.equal([weight, zone]);
          } else if (last?.kind === 'weight') {
            expect(next.weights[next.members.indexOf(last.id)]).to.equal(last.weight);
          } else if (last !== undefined) expect(next.members).to.not.include(last.id);
        }
      }),
    );
  });

  it('is the same whenever it is computed', () => {
    fc.assert(
      fc.property(histories(small), (history) => {
        const encoded = (): readonly string[] =>
          stagesOf(history).map(({ next }) => encodeLayout(next).toString('hex'));
        expect(encoded()).to.deep.equal(encoded());
      }),
    );
  });

  it('moves as little as any table with these loads', () => {
    fc.assert(
      fc.property(histories(small), (history) => {
        for (const { previous, next } of stagesOf(history)) {
          const { moves, lowerBound } = planOf(previous, next);
          expect(lowerBound).to.be.at.least(simpleBound(previous, next));
          expect(moves).to.equal(lowerBound);
        }
      }),
      { numRuns: 600 },
    );
  });

  it('moves only what the newcomer is given among members alike', () => {
    fc.assert(
      fc.property(histories({ ...small, zones: 1, weight: 1 }), ({ batches, ...history }) => {
        const joins = batches.flat().map((step): readonly Step[] => [{ ...step, kind: 'join' }]);
        for (const { previous, next } of stagesOf({ ...history, batches: joins })) {
          expect(planOf(previous, next).moves).to.equal(simpleBound(previous, next));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('knows the fewest moves, as trying all tables finds them', () => {
    const tiny: Shape = { members: 4, zones: 3, weight: 3, partitions: [1, 2, 4] };
    fc.assert(
      fc.property(histories(tiny), (history) => {
        for (const { previous, next } of stagesOf({ ...history, n: Math.min(history.n, 3) })) {
          if (next.members.length > 5) continue;
          expect(planOf(previous, next).lowerBound).to.equal(fewestMoves(previous, next));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('makes members of equal weight first equally often, as far as who owns what allows', () => {
    fc.assert(
      fc.property(histories({ ...small, weight: 1 }), (history) => {
        for (const { next } of stagesOf(history)) expectFirstsLevel(next);
      }),
      { numRuns: 300 },
    );
  });

  it('makes members first by weight, within one, where no zone or size is in the way', () => {
    fc.assert(
      fc.property(histories({ ...small, zones: 1 }), (history) => {
        for (const { next } of stagesOf(history)) {
          const members = next.weights.map((weight) => ({ weight }));
          if (isFree(members, next.n)) expectFirstsByWeight(next);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('spreads what a member holds over all others, after many joins as in a first layout', () => {
    let layout = firstLayout(alike(3), 1024, 3);
    for (let born = 3; born < 10; born += 1) {
      const candidate = { id: memberId(born), weight: 1, zone: '' };
      layout = nextLayout(layout, [{ kind: 'join', candidate }], 3);
    }
    const rows = rowsOf(layout);
    for (let one = 0; one < 10; one += 1) {
      for (let other = 0; other < one; other += 1) {
        const together = rows.filter((row) => row.includes(one) && row.includes(other)).length;
        expect(together).to.be.within(60, 76);
      }
    }
  });

  it('changes few first places: hardly more than it must', () => {
    const ten = firstLayout(alike(10), 1024, 3);
    const candidate = { id: memberId(10), weight: 1, zone: '' };
    const changes: readonly Change[] = [
      { kind: 'join', candidate },
      { kind: 'leave', id: memberId(3) },
    ];
    for (const change of changes) {
      const next = nextLayout(ten, [change], 3);
      const after = rowsOf(next).map(([first = 0]) => next.members[first]);
      const kept = rowsOf(ten).filter(([first = 0], at) => ten.members[first] === after[at]);
      expect(1024 - kept.length).to.be.within(93, 140);
    }
  });

  it('gives a candidate all places of whom it replaces, and moves nothing else', () => {
    const before = firstLayout(sixOfThreeZones, 256, 3);
    const id = memberId(2);
    const candidate = { id: memberId(9), weight: 2, zone: 'a' };
    const next = nextLayout(before, [{ kind: 'replace', id, candidate }], 3);
    const named = ({ members }: Layout, row: readonly number[]): readonly string[] =>
      row
        .map((owner) => members[owner] ?? '')
        .map((other) => (other === id ? candidate.id : other));
    for (const [partition, row] of rowsOf(next).entries()) {
      const old = named(before, rowsOf(before)[partition] ?? []);
      expect(named(next, row)[0]).to.equal(old[0]);
      expect(named(next, row)).to.have.members([...old]);
    }
    const { moves, lowerBound, transfers } = planOf(before, next);
    expect(moves).to.equal(lowerBound);
    for (const { from, to } of transfers) expect([from, to]).to.deep.equal([id, candidate.id]);
  });

  it('only adds owners while there are too few of them', () => {
    let layout = firstLayout(alike(1), 64, 3);
    for (const count of [2, 3]) {
      const candidate = { id: memberId(count), weight: 1, zone: '' };
      const next = nextLayout(layout, [{ kind: 'join', candidate }], 3);
      const { moves, transfers } = planOf(layout, next);
      expect(next.n).to.equal(count);
      expect(moves).to.equal(64);
      for (const { from, to } of transfers)
        expect([from, to]).to.deep.equal([undefined, candidate.id]);
      layout = next;
    }
  });

  it('spreads over three zones of two nodes of weights 1 and 2, joined one after another', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...sixOfThreeZones], { minLength: 6 }), (joining) => {
        const [founder, ...others] = joining;
        let layout = firstLayout(founder === undefined ? [] : [founder], 256, 3);
        for (const candidate of others) {
          layout = nextLayout(layout, [{ kind: 'join', candidate }], 3);
          expectSound(layout);
        }
        expectSixOfThreeZones(layout);
      }),
      { numRuns: 20 },
    );
  });

  it('takes joins close together as one change, and changes in their order', () => {
    const two = firstLayout(alike(2), 64, 3);
    const joins = [2, 3, 4].map((at): Change => {
      return { kind: 'join', candidate: { id: memberId(at), weight: 1, zone: '' } };
    });
    const next = nextLayout(two, [...joins, { kind: 'weight', id: memberId(4), weight: 2 }], 3);
    expect(next).to.include({ version: 2, n: 3 });
    expect(next.weights[next.members.indexOf(memberId(4))]).to.equal(2);
    const back = nextLayout(next, [{ kind: 'leave', id: memberId(4) }, ...joins.slice(2)], 3);
    expect(back.members).to.deep.equal(next.members);
    expect(back.weights).to.deep.equal([1, 1, 1, 1, 1]);
  });

  it('refuses what cannot be', () => {
    const [a, b, c] = [memberId(0), memberId(1), memberId(2)];
    const fresh: Candidate = { id: c, weight: 1, zone: '' };
    const two = firstLayout(alike(2), 8, 3);
    const without = nextLayout(two, [{ kind: 'remove', id: b }], 3);
    const refused: readonly [Layout, readonly Change[], string][] = [
      [two, [{ kind: 'leave', id: c }], `${c} is not a member`],
      [two, [{ kind: 'weight', id: c, weight: 2 }], `${c} is not a member`],
      [two, [{ kind: 'replace', id: c, candidate: fresh }], `${c} is not a member`],
      [two, [{ kind: 'join', candidate: { ...fresh, id: a } }], `${a} is a member already`],
      [
        two,
        [{ kind: 'replace', id: a, candidate: { ...fresh, id: b } }],
        `${b} is a member already`,
      ],
      [without, [{ kind: 'join', candidate: { ...fresh, id: b } }], `${b} was removed`],
      [two, [{ kind: 'replace', id: b, candidate: { ...fresh, id: b } }], `${b} was removed`],
      [without, [{ kind: 'leave', id: a }], 'the last member cannot go'],
      [without, [{ kind: 'remove', id: a }], 'the last member cannot go'],
      [two, [{ kind: 'weight', id: a, weight: 0 }], 'a member of weight 0'],
      [two, [{ kind: 'join', candidate: { ...fresh, id: 'x' } }], 'a member without a node id'],
      [two, [{ kind: 'join', candidate: { ...fresh, zone: 'x'.repeat(256) } }], 'longer than 255'],
    ];
    for (const [layout, changes, text] of refused) {
      expect(() => nextLayout(layout, changes, 3)).to.throw(RangeError, text);
    }
  });
});
