import { expect } from 'chai';
import fc from 'fast-check';
import type { Later } from '../../lib/base/later.ts';
import { SlotSet } from '../../lib/ring/slot-set.ts';
import { slotCount } from '../../lib/ring/slots.ts';
import { placeOf, ReplicaRig, setting } from './replica-rig.ts';

const all = SlotSet.of([{ start: 0, end: slotCount - 1 }]);
const names = Array.from({ length: 12 }, (_, index) => `key ${index}`);

type Step =
  | { readonly kind: 'set'; readonly name: string; readonly db: number; readonly ttlMs: number }
  | { readonly kind: 'flush'; readonly db: number }
  | { readonly kind: 'recount' | 'crash' }
  | { readonly kind: 'advance'; readonly byMs: number };

const name = fc.constantFrom(...names);
const db = fc.constantFrom(0, 0, 0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      name,
      db,
      ttlMs: fc.constantFrom(0, 0, 500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), db }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'recount' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat({ max: 20 }) }),
  },
);

/** Begins it; what settles once it is done. */
function start(rig: ReplicaRig, step: Step): Later<unknown> {
  if (step.kind === 'set') {
    const { ttlMs } = step;
    return rig.replica.mutate(placeOf(step.name, step.db), (current) => {
      const { record } = setting('v')(current);
      if (record === undefined || ttlMs === 0) return { ...(record && { record }), result: 0 };
      const expireAtMs = current.nowMs + ttlMs;
      const siblings = record.siblings.map((sibling) => ({ ...sibling, expireAtMs }));
      return { record: { ...record, siblings }, result: 0 };
    });
  }
  if (step.kind === 'flush') return rig.replica.flush([step.db]);
  if (step.kind === 'recount') rig.store.recount();
  return undefined;
}

/** What reading everything finds. */
async function found(rig: ReplicaRig): Promise<number[]> {
  const counts: number[] = [];
  for (const key of names) {
    const { slot } = placeOf(key);
    const set = SlotSet.of([{ start: slot, end: slot }]);
    counts.push((await rig.run(rig.scanner.count(0, set))).keys);
  }
  return counts;
}

describe('the counts of slots', () => {
  it('are what reading every row finds, whatever happens while a census is under way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), async (seed, steps) => {
        const rig = await ReplicaRig.started(seed);
        let begun: Later<unknown>[] = [];
        for (const one of steps) {
          if (one.kind === 'crash') {
            await rig.run(Promise.all(begun));
            begun = [];
            await rig.crash();
          } else if (one.kind === 'advance') await rig.time.advance(one.byMs);
          else begun.push(start(rig, one));
        }
        await rig.run(Promise.all(begun));
        await rig.run(rig.store.verified);
        while (rig.store.state === 'checking') await rig.time.advance(10);
        const { slotCounts } = rig;
        expect(slotCounts.complete).to.equal(true);
        const counted = names.map((key) => slotCounts.of(placeOf(key).slot).keys);
        expect(counted).to.deep.equal(await found(rig));
        expect(slotCounts.sum(all)).to.deep.equal(await rig.run(rig.scanner.count(0, all)));
        await rig.end();
      }),
      { numRuns: 150 },
    );
  });

  it('are not complete before a census has counted everything', async () => {
    const rig = await ReplicaRig.started(1);
    expect(rig.slotCounts.complete).to.equal(false);
    await rig.run(rig.store.verified);
    expect(rig.slotCounts.complete).to.equal(true);
    await rig.end();
  });
});
