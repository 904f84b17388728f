import { expect } from 'chai';
import fc from 'fast-check';
import { emptyRecord, put, type Record, remove } from '../../lib/causal/record.ts';
import { visible } from '../../lib/causal/visible.ts';
import type { RingEntry, RingPage } from '../../lib/replica/scanner.ts';
import { SlotSet } from '../../lib/ring/slot-set.ts';
import { positionOf } from '../../lib/storage/keys.ts';
import { closeRecord, siblingOf } from '../causal/arbitraries.ts';
import { placeOf, ReplicaRig, setting } from './replica-rig.ts';

const end = 16384 * 2 ** 32;

async function entriesOf(
  rig: ReplicaRig,
  to: number,
  count: number,
  slots?: SlotSet,
): Promise<RingEntry[]> {
  const entries: RingEntry[] = [];
  let from: number | undefined = 0;
  while (from !== undefined) {
    const page: RingPage = await rig.run(rig.scanner.ringPage(0, { from, to, slots }, count));
    const last = page.entries.at(-1);
    if (page.next !== undefined) {
      expect(page.next).to.be.within(from + 1, to - 1);
      if (last !== undefined) expect(last.position).to.be.below(page.next);
    }
    entries.push(...page.entries);
    from = page.next;
  }
  return entries;
}

describe('a page of a scan over the ring', () => {
  it('covers every record of the database once, up to a position, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.integer({ min: 1, max: 9 }), async (seed, count) => {
        const rig = await ReplicaRig.started(seed);
        const { random } = rig.time;
        const records = fc.sample(closeRecord(), { numRuns: 40, seed });
        const held = new Map<string, Record>();
        for (const [index, record] of records.entries()) {
          // Keys of one slot and hash lie at one position: databases make such.
          const place = placeOf(`k${index % 30}`, index < 30 ? 0 : 1);
          await rig.run(rig.replica.absorb(place, record));
          if (index < 30 && record.vv.length > 0) held.set(`k${index}`, record);
        }
        const to = random.below(2) === 0 ? end : Math.floor(end / 2);
        const entries = await entriesOf(rig, to, count);
        const expected = [...held.keys()].filter(
          (name) => positionOf(placeOf(name).storageKey) < to,
        );
        expect(entries.map(({ key }) => String(key)).sort()).to.deep.equal(expected.sort());
        const positions = entries.map(({ position }) => position);
        expect(positions).to.deep.equal(positions.toSorted((a, b) => a - b));
        for (const { key, position, visible: shown } of entries) {
          const record = held.get(String(key)) ?? emptyRecord;
          expect(position).to.equal(positionOf(placeOf(String(key)).storageKey));
          expect(shown).to.equal(visible(record, rig.time.wallMs) !== undefined);
        }
        await rig.end();
      }),
      { numRuns: 25 },
    );
  });

  it('covers only the slots that are asked for, each of their records once', async () => {
    const range = fc
      .tuple(fc.nat({ max: 16383 }), fc.nat({ max: 3000 }))
      .map(([start, more]) => ({ start, end: Math.min(start + more, 16383) }));
    const ranges = fc.array(range, { maxLength: 6 });
    const counts = fc.constantFrom(1, 3, 10, 1000);
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), ranges, counts, async (seed, wanted, count) => {
        const rig = await ReplicaRig.started(seed);
        const names = Array.from({ length: 60 }, (_, index) => `k${index}`);
        await rig.run(
          Promise.all(names.map((name) => rig.replica.mutate(placeOf(name), setting('v')))),
        );
        const slots = SlotSet.of(wanted);
        const to = rig.time.random.below(2) === 0 ? end : Math.floor(end / 2);
        const entries = await entriesOf(rig, to, count, slots);
        const expected = names
          .map((name) => placeOf(name))
          .filter(({ slot, storageKey }) => slots.has(slot) && positionOf(storageKey) < to)
          .map(({ storageKey }) => positionOf(storageKey));
        expect(entries.map(({ position }) => position)).to.deep.equal(
          expected.sort((a, b) => a - b),
        );
        expect(await rig.run(rig.scanner.count(0, slots))).to.deep.equal({
          keys: names.filter((name) => slots.has(placeOf(name).slot)).length,
          expires: 0,
        });
        await rig.end();
      }),
      { numRuns: 40 },
    );
  });

  it('lets the newest of several replicas decide', async () => {
    const rig = await ReplicaRig.started(2);
    const value = { ...siblingOf({ actor: 1, stamp: 5 }), order: 5 };
    const written = put(emptyRecord, [], value);
    const kept = { ...value, dot: { actor: 2, stamp: 8 }, order: 5 };
    const cases = {
      written,
      deleted: remove(written, written.vv),
      tombstone: put(written, written.vv, { ...siblingOf({ actor: 1, stamp: 8 }), order: 8 }),
      persisted: put(written, written.vv, kept),
    };
    for (const [name, record] of Object.entries(cases)) {
      await rig.run(rig.replica.absorb(placeOf(name), record));
    }
    const ranks = new Map(
      (await entriesOf(rig, end, 10)).map(({ key, order, stamp, visible: shown }) => [
        String(key),
        [order, stamp, shown],
      ]),
    );
    expect(Object.fromEntries(ranks)).to.deep.equal({
      written: [5, 5, true],
      deleted: [5, Number.MAX_SAFE_INTEGER, false],
      tombstone: [8, 8, false],
      persisted: [5, 8, true],
    });
    await rig.end();
  });
});
