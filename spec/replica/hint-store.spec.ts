import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import { emptyRecord, merge, type Record } from '../../lib/causal/record.ts';
import type { HintKind } from '../../lib/replica/stored-record.ts';
import { familyRange } from '../../lib/storage/keys.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { failureOf } from '../contract/storage-contract.ts';
import { nodeId, placeOf, ReplicaRig, setting } from './replica-rig.ts';

const a = nodeId(1);
const b = nodeId(255);
const place = placeOf('k');
const kinds: readonly HintKind[] = ['courtesy', 'load-bearing'];
const full = closeRecord().filter(({ vv }) => vv.length > 0);

/** What is on the disk, told from the rows. */
async function counted(rig: ReplicaRig): Promise<readonly number[]> {
  const cursor = rig.store.cursor(familyRange('hint'));
  const rows = await rig.run(cursor.next(10_000));
  await rig.run(cursor.close());
  const bytes = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  return [rows.length, rows.filter(({ value }) => value[1] === 5).length, bytes];
}

describe('the hints of a node', () => {
  it('are merged as records are, for each target and key by itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.array(full, { minLength: 1 }), async (seed, records) => {
        const rig = await ReplicaRig.started(seed);
        let expected: Record = emptyRecord;
        const kept = records.map((record) => {
          const before = expected;
          expected = merge(before, record);
          return rig.hints.keep(a, place, record, 'courtesy');
        });
        expect(await rig.run(Promise.all(kept).then((all) => all.at(-1)))).to.deep.equal(expected);
        expect(await rig.run(rig.hints.read([a], place))).to.deep.equal(expected);
        expect(await rig.run(rig.hints.read([b], place))).to.equal(undefined);
        expect(await rig.run(rig.hints.read([b], placeOf('other')))).to.equal(undefined);
        await rig.end();
      }),
      { numRuns: 40 },
    );
  });

  it('are read as one over several targets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), full, full, async (seed, first, second) => {
        const rig = await ReplicaRig.started(seed);
        await rig.run(rig.hints.keep(a, place, first, 'load-bearing'));
        await rig.run(rig.hints.keep(b, place, second, 'courtesy'));
        const read = await rig.run(rig.hints.read([a, nodeId(2), b], place));
        expect(read).to.deep.equal(merge(first, second));
        expect(await rig.run(rig.hints.list(place, [b, nodeId(2), a]))).to.deep.equal([
          [b, 'courtesy'],
          [a, 'load-bearing'],
        ]);
        await rig.end();
      }),
      { numRuns: 20 },
    );
  });

  it('stay load-bearing once they are', async () => {
    const rig = await ReplicaRig.started(1);
    const [first, second] = fc.sample(full, { numRuns: 2, seed: 3 });
    for (const kind of ['courtesy', 'load-bearing', 'courtesy'] as const) {
      await rig.run(rig.hints.keep(a, place, first ?? emptyRecord, kind));
    }
    await rig.run(rig.hints.keep(a, place, second ?? emptyRecord, 'courtesy'));
    expect(rig.tallies.slice(0, 2)).to.deep.equal([1, 1]);
    await rig.end();
  });

  it('survive crashes with what is counted of them, and the check of the disk agrees', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.array(full, { minLength: 6 }), async (seed, records) => {
        const rig = await ReplicaRig.started(seed);
        const acknowledged = new Map<number, Record>();
        const { random } = rig.time;
        for (const record of records) {
          const key = random.below(3);
          const target = random.below(2) === 0 ? a : b;
          const kind = kinds[random.below(2)] ?? 'courtesy';
          const hint = target === a ? key : key + 3;
          const kept = rig.run(rig.hints.keep(target, placeOf(`k${key}`), record, kind));
          acknowledged.set(hint, await kept);
          if (random.below(4) === 0) await rig.crash(random.below(2) === 0 ? 'power' : 'process');
          expect(rig.tallies).to.deep.equal(await counted(rig));
        }
        const before = rig.tallies;
        await rig.crash('power');
        expect(rig.tallies).to.deep.equal(before);
        expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
        await rig.run(rig.store.sync());
        expect(rig.tallies, 'after the check').to.deep.equal(before);
        for (const [hint, record] of acknowledged) {
          const read = rig.hints.read([hint < 3 ? a : b], placeOf(`k${hint % 3}`));
          expect(await rig.run(read)).to.deep.equal(record);
        }
        await rig.end();
      }),
      { numRuns: 25 },
    );
  });

  it('are counted anew by the check when rows are gone', async () => {
    const rig = await ReplicaRig.started(5);
    const [record = emptyRecord] = fc.sample(full, { numRuns: 1, seed: 1 });
    for (const name of ['x', 'y', 'z']) {
      await rig.run(rig.hints.keep(a, placeOf(name), record, 'load-bearing'));
    }
    const lost = (await rig.run(rig.hints.page(a, undefined, 9)))[0];
    const hintKeys = rig.store.cursor(familyRange('hint'));
    const [first] = await rig.run(hintKeys.next(1));
    await rig.crash();
    rig.disk.revert(first?.key ?? Buffer.alloc(0), undefined);
    await rig.crash();
    expect((await rig.run(rig.store.verified)).sound).to.equal(false);
    await rig.time.advance(100);
    expect(rig.tallies).to.deep.equal(await counted(rig));
    expect(rig.hints.pending).to.equal(2);
    expect(await rig.run(rig.hints.read([a], lost?.place ?? place))).to.equal(undefined);
    await rig.end();
  });

  it('are refused at the quota with nothing changed, unless they get no bigger', async () => {
    const rig = await ReplicaRig.started(7);
    const value = setting('x'.repeat(100));
    const held = await rig.run(rig.hints.coordinate(a, place, value));
    rig.quotaBytes = rig.hints.bytes;
    const { tallies } = rig;
    const attempts = [
      () => rig.hints.keep(b, place, held, 'load-bearing'),
      () => rig.hints.keep(a, placeOf('other'), held, 'courtesy'),
      () => rig.hints.coordinate(a, placeOf('other'), value),
    ];
    for (const attempt of attempts) {
      const failure = await failureOf(rig.run((async () => attempt())()));
      expect(String(failure)).to.equal('RedisError: ERR hint quota reached');
    }
    expect(rig.tallies).to.deep.equal(tallies);
    const shorter = await rig.run(rig.replica.absorb(place, held));
    const newer = await rig.run(rig.replica.mutate(place, setting('x')));
    expect(newer.vv.length).to.equal(shorter.vv.length + 1);
    expect(await rig.run(rig.hints.keep(a, place, newer, 'courtesy'))).to.deep.equal(newer);
    expect(rig.hints.bytes).to.be.below(rig.quotaBytes);
    await rig.end();
  });

  it('keep within the quota what is on its way to the disk too', async () => {
    const rig = await ReplicaRig.started(8);
    const [record = emptyRecord] = fc.sample(full, { numRuns: 1, seed: 1 });
    await rig.run(rig.hints.keep(a, place, record, 'courtesy'));
    const each = rig.hints.bytes;
    rig.quotaBytes = each * 3;
    const kept = ['p', 'q', 'r', 's'].map((name) =>
      failureOf((async () => rig.hints.keep(a, placeOf(name), record, 'courtesy'))()),
    );
    const failures = (await rig.run(Promise.all(kept))).filter((failure) => failure !== undefined);
    expect(failures).to.have.length(2);
    expect(rig.hints.bytes).to.equal(rig.quotaBytes);
    await rig.end();
  });

  it('are removed only as they were delivered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), full, full, async (seed, first, second) => {
        const rig = await ReplicaRig.started(seed);
        await rig.run(rig.hints.keep(a, place, first, 'load-bearing'));
        const [hint] = await rig.run(rig.hints.page(a, undefined, 1));
        const row = hint?.row ?? Buffer.alloc(0);
        const kept = rig.hints.keep(a, place, second, 'courtesy');
        const removed = rig.hints.removeIfUnchanged(a, place, row);
        const merged = merge(first, second);
        const unchanged = merged === first;
        expect(await rig.run(removed)).to.equal(unchanged);
        await rig.run(kept);
        const left = await rig.run(rig.hints.read([a], place));
        expect(left).to.deep.equal(unchanged ? undefined : merged);
        expect(rig.tallies).to.deep.equal(await counted(rig));
        await rig.end();
      }),
      { numRuns: 40 },
    );
  });

  it('lose to a merge that comes behind their removal nothing of it', async () => {
    const rig = await ReplicaRig.started(9);
    const [first = emptyRecord, second = emptyRecord] = fc.sample(full, { numRuns: 2, seed: 3 });
    await rig.run(rig.hints.keep(a, place, first, 'load-bearing'));
    const [hint] = await rig.run(rig.hints.page(a, undefined, 1));
    const removed = rig.hints.removeIfUnchanged(a, place, hint?.row ?? Buffer.alloc(0));
    const kept = rig.hints.keep(a, place, second, 'courtesy');
    expect(await rig.run(removed)).to.equal(true);
    expect(await rig.run(kept)).to.deep.equal(second);
    expect(await rig.run(rig.hints.list(place, [a]))).to.deep.equal([[a, 'courtesy']]);
    await rig.end();
  });

  it('give a fallback a new actor once they have been handed back', async () => {
    const rig = await ReplicaRig.started(10);
    const first = await rig.run(rig.hints.coordinate(a, place, setting('1')));
    const second = await rig.run(rig.hints.coordinate(a, place, setting('2')));
    expect(second.vv.map(({ actor }) => actor)).to.deep.equal(first.vv.map(({ actor }) => actor));
    expect(await rig.run(rig.hints.list(place, [a]))).to.deep.equal([[a, 'load-bearing']]);
    const [hint] = await rig.run(rig.hints.page(a, undefined, 1));
    expect(await rig.run(rig.hints.removeIfUnchanged(a, place, hint?.row ?? a))).to.equal(true);
    const third = await rig.run(rig.hints.coordinate(a, place, setting('3')));
    expect(third.vv).to.have.length(1);
    expect(third.vv[0]?.actor).to.not.equal(second.vv[0]?.actor);
    const forOther = await rig.run(rig.hints.coordinate(b, place, setting('4')));
    expect(forOther.vv[0]?.actor).to.not.equal(third.vv[0]?.actor);
    await rig.end();
  });

  it('keep their actors when a record is merged into them, but not over a crash', async () => {
    const rig = await ReplicaRig.started(11);
    const own = await rig.run(rig.hints.coordinate(a, place, setting('1')));
    const peers = await rig.run(rig.replica.mutate(place, setting('2')));
    await rig.run(rig.hints.keep(a, place, peers, 'courtesy'));
    const next = await rig.run(rig.hints.coordinate(a, place, setting('3')));
    expect(next.vv).to.have.length(2);
    expect(next.siblings[0]?.dot.actor).to.equal(own.vv[0]?.actor);
    await rig.crash();
    const later = await rig.run(rig.hints.coordinate(a, place, setting('4')));
    expect(later.vv).to.have.length(3);
    await rig.end();
  });

  it('have never been when their commit failed', async () => {
    const rig = await ReplicaRig.started(12);
    const first = await rig.run(rig.hints.coordinate(a, place, setting('1')));
    const { tallies } = rig;
    rig.disk.failBatches = 1;
    rig.disk.failedBatches = 'lose';
    const failed = rig.hints.coordinate(a, place, setting('2'));
    const kept = rig.hints.keep(b, place, first, 'load-bearing');
    for (const work of [failed, kept]) {
      expect(await failureOf(rig.run(work))).to.be.instanceOf(StoreError);
    }
    await rig.awaitFenceLifted();
    expect(rig.tallies).to.deep.equal(tallies);
    expect(await rig.run(rig.hints.read([a, b], place))).to.deep.equal(first);
    const next = await rig.run(rig.hints.coordinate(a, place, setting('3')));
    expect(next.vv, 'a new actor').to.have.length(2);
    rig.quotaBytes = rig.hints.bytes + 1000;
    await rig.run(rig.hints.keep(b, place, first, 'load-bearing'));
    await rig.end();
  });

  it('come page by page in the order of the keys, each target by itself', async () => {
    const rig = await ReplicaRig.started(13);
    const [record = emptyRecord] = fc.sample(full, { numRuns: 1, seed: 1 });
    expect(await rig.run(rig.hints.targets())).to.deep.equal([]);
    const names = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const targets = [nodeId(0), a, b];
    for (const name of names) {
      for (const target of targets) {
        await rig.run(rig.hints.keep(target, placeOf(name, 2), record, 'courtesy'));
      }
    }
    expect(await rig.run(rig.hints.targets())).to.deep.equal(targets);
    for (const target of targets) {
      const found: string[] = [];
      let behind: Buffer | undefined;
      for (;;) {
        const page = await rig.run(rig.hints.page(target, behind, 7));
        if (page.length === 0) break;
        for (const hint of page) {
          expect(hint.record).to.deep.equal(record);
          expect(hint.place.db).to.equal(2);
          found.push(hint.place.id);
        }
        behind = page.at(-1)?.place.storageKey;
      }
      expect(found).to.deep.equal(names.map((name) => placeOf(name, 2).id).sort());
    }
    await rig.end();
  });

  it('say since when the oldest waits, after restarts too', async () => {
    const rig = await ReplicaRig.started(15);
    const [record = emptyRecord] = fc.sample(full, { numRuns: 1, seed: 1 });
    expect(rig.hints.oldestAtMs).to.equal(0);
    await rig.run(rig.hints.keep(a, placeOf('x'), record, 'courtesy'));
    const firstAtMs = rig.hints.oldestAtMs;
    expect(firstAtMs).to.be.above(0);
    await rig.time.advance(5000);
    await rig.run(rig.hints.keep(a, placeOf('y'), record, 'courtesy'));
    await rig.run(rig.hints.keep(a, placeOf('x'), record, 'load-bearing'));
    expect(rig.hints.oldestAtMs, 'merging keeps the older').to.equal(firstAtMs);
    await rig.crash();
    await rig.time.advance(100);
    expect(rig.hints.oldestAtMs).to.equal(firstAtMs);
    const remove = async (name: string): Promise<void> => {
      const hints = await rig.run(rig.hints.page(a, undefined, 9));
      const hint = hints.find((found) => found.place.id === placeOf(name).id);
      const removed = rig.hints.removeIfUnchanged(a, placeOf(name), hint?.row ?? a);
      expect(await rig.run(removed)).to.equal(true);
    };
    await remove('x');
    await rig.time.advance(20_000);
    expect(rig.hints.oldestAtMs).to.be.at.least(firstAtMs);
    await rig.time.advance(100);
    expect(rig.hints.oldestAtMs - firstAtMs).to.be.within(4900, 5100);
    await remove('y');
    expect(rig.hints.oldestAtMs).to.equal(0);
    await rig.end();
  });
});
