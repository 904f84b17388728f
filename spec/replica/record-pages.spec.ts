import { expect } from 'chai';
import fc from 'fast-check';
import type { Record } from '../../lib/causal/record.ts';
import { withoutFlushed } from '../../lib/causal/visible.ts';
import type { Place } from '../../lib/replica/place.ts';
import {
  type PagedRecord,
  type PageLimits,
  RecordPages,
  type Slots,
} from '../../lib/replica/record-pages.ts';
import { tallyDeleted, tallyLive } from '../../lib/replica/tallies.ts';
import { slotCount } from '../../lib/ring/slots.ts';
import { agendaRange } from '../../lib/storage/keys.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { placeOf, ReplicaRig, setting } from './replica-rig.ts';

const everything: Slots = { from: 0, to: slotCount };
const wide: PageLimits = { bytes: 1e6, rows: 1e6 };
const full = closeRecord().filter(({ vv }) => vv.length > 0);

async function walk(rig: ReplicaRig, slots: Slots, limits: PageLimits): Promise<PagedRecord[][]> {
  const pages = new RecordPages(rig.replica, rig.store);
  const found: PagedRecord[][] = [];
  let behind: Buffer | undefined;
  do {
    const page = await rig.run(pages.page(behind, slots, limits));
    found.push([...page.records]);
    behind = page.next;
  } while (behind !== undefined);
  return found;
}

async function filled(seed: number, records: readonly Record[]): Promise<[ReplicaRig, Place[]]> {
  const rig = await ReplicaRig.started(seed);
  const places = records.map((_, index) => placeOf(`k${index}`, index % 3));
  for (const [index, place] of places.entries()) {
    await rig.run(rig.replica.absorb(place, records[index] as Record));
  }
  return [rig, places];
}

describe('pages of records', () => {
  it('show each record of the slots once, in the order of the keys, whatever their size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.array(full, { maxLength: 30 }),
        fc.record({
          bytes: fc.integer({ min: 1, max: 400 }),
          rows: fc.integer({ min: 1, max: 9 }),
        }),
        fc.tuple(fc.nat(slotCount - 1), fc.nat(slotCount - 1)),
        async (seed, records, limits, [a, b]) => {
          const [rig, places] = await filled(seed, records);
          const slots = { from: Math.min(a, b), to: Math.max(a, b) + 1 };
          const expected = places
            .map((place, index) => ({ place, record: records[index] }))
            .filter(({ place: { slot } }) => slot >= slots.from && slot < slots.to)
            .sort((x, y) => x.place.storageKey.compare(y.place.storageKey))
            .map(({ place, record }) => ({ key: place.storageKey, db: place.db, record }));
          const pages = await walk(rig, slots, limits);
          for (const page of pages) {
            expect(page.length).to.be.at.most(limits.rows);
            const bytes = page.reduce((sum, { row }) => sum + row.length, 0);
            if (page.length > 1) expect(bytes).to.be.at.most(limits.bytes);
          }
          const shown = pages.flat().map(({ place, record }) => {
            return { key: place.storageKey, db: place.db, record };
          });
          expect(shown).to.deep.equal(expected);
          await rig.end();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('leave out what a flush hides, and keep what it does not know', async () => {
    const records = fc.sample(full, { seed: 4, numRuns: 30 });
    const [rig] = await filled(4, records);
    await rig.run(rig.replica.flush([0], 3));
    const byKey = new Map(records.map((record, index) => [`k${index}`, { record, db: index % 3 }]));
    const shown = (await walk(rig, everything, wide)).flat();
    expect(shown).to.have.length(30);
    for (const { place, record } of shown) {
      const name = place.storageKey.subarray(9).toString();
      const known = byKey.get(name);
      if (known === undefined) throw new Error(`${name} was never written`);
      expect(record).to.deep.equal(withoutFlushed(known.record, known.db === 0 ? 3 : 0));
    }
    await rig.end();
  });

  it('pass over a corrupt row, which the store counts', async () => {
    const rig = await ReplicaRig.started(5);
    for (const name of ['a', 'b', 'c'])
      await rig.run(rig.replica.mutate(placeOf(name), setting(name)));
    const sick = placeOf('b');
    rig.disk.flipBit((key) => key.equals(sick.storageKey));
    const shown = (await walk(rig, everything, { bytes: 1e6, rows: 1 })).flat();
    const others = [placeOf('a'), placeOf('c')].map(({ storageKey }) => String(storageKey));
    expect(shown.map(({ place }) => String(place.storageKey))).to.have.members(others);
    expect(rig.store.corruptRecords).to.equal(1);
    await rig.end();
  });
});

describe('a record that is dropped', () => {
  const place = placeOf('k');

  async function rowOf(rig: ReplicaRig): Promise<Buffer> {
    const [found] = (await walk(rig, everything, wide)).flat();
    if (found === undefined) throw new Error('nothing is stored');
    return found.row;
  }

  it('is gone with its agenda row and what it counted for', async () => {
    const rig = await ReplicaRig.started(1);
    await rig.run(rig.replica.mutate(place, setting('v')));
    const expiring = placeOf('e');
    const { clock } = rig;
    const dot = { actor: 5, stamp: clock.tick(rig.time.wallMs) };
    const expireAtMs = rig.time.wallMs + 1e6;
    const sibling = {
      dot,
      order: dot.stamp,
      kind: 1,
      expireAtMs,
      bytes: Buffer.from('x'),
    } as const;
    await rig.run(rig.replica.absorb(expiring, { vv: [dot], siblings: [sibling] }));
    for (const { place: at, row } of (await walk(rig, everything, wide)).flat()) {
      expect(await rig.run(rig.replica.dropIfUnchanged(at, row))).to.equal(true);
    }
    expect(rig.store.tally(tallyLive(0))).to.equal(0);
    expect(rig.store.tally(tallyDeleted)).to.equal(0);
    expect(rig.store.records).to.equal(0);
    const agenda = rig.store.cursor(agendaRange('expires', expireAtMs));
    expect(await rig.run(agenda.next(10))).to.deep.equal([]);
    await rig.run(agenda.close());
    expect((await rig.run(rig.replica.readRecord(place))).vv).to.deep.equal([]);
    await rig.end();
  });

  it('takes its actors along', async () => {
    const rig = await ReplicaRig.started(2);
    const before = await rig.run(rig.replica.mutate(place, setting('v')));
    await rig.run(rig.replica.dropIfUnchanged(place, await rowOf(rig)));
    await rig.run(rig.replica.absorb(place, before));
    const after = await rig.run(rig.replica.mutate(place, setting('w')));
    expect(after.vv).to.have.length(2);
    await rig.end();
  });

  it('stays if it has changed, committed or not', async () => {
    const rig = await ReplicaRig.started(3);
    await rig.run(rig.replica.mutate(place, setting('v')));
    const row = await rowOf(rig);
    const writing = rig.replica.mutate(place, setting('w'));
    expect(await rig.run(rig.replica.dropIfUnchanged(place, row))).to.equal(false);
    await rig.run(writing);
    expect(await rig.run(rig.replica.dropIfUnchanged(place, row))).to.equal(false);
    const visible = await rig.run(rig.replica.readVisible(place));
    expect(String(visible?.bytes)).to.equal('w');
    await rig.end();
  });

  it('is a matter of this node: nothing there is no drop', async () => {
    const rig = await ReplicaRig.started(4);
    expect(await rig.run(rig.replica.dropIfUnchanged(place, Buffer.from('row')))).to.equal(false);
    await rig.end();
  });
});
