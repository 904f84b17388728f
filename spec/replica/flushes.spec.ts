import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import { emptyRecord, put, remove, type Stamp } from '../../lib/causal/record.ts';
import { stampOf } from '../../lib/causal/stamp-clock.ts';
import { FlushStamps } from '../../lib/replica/flush-stamps.ts';
import { Sweeper } from '../../lib/replica/sweeper.ts';
import { tallyLive } from '../../lib/replica/tallies.ts';
import { siblingOf } from '../causal/arbitraries.ts';
import { failureOf } from '../contract/storage-contract.ts';
import { placeOf, ReplicaRig, setting } from './replica-rig.ts';

async function keysOf(rig: ReplicaRig, db = 0): Promise<string[]> {
  const page = await rig.run(rig.scanner.page(db, 0, 1000));
  return page.keys.map(String).sort();
}

function valueAt(actor: number, stamp: Stamp) {
  return { ...siblingOf({ actor, stamp }), order: stamp, kind: 1 as const, expireAtMs: 0 };
}

describe('flushes', () => {
  it('only rise, whatever the order in which a node hears of them', async () => {
    const heard = fc.array(fc.record({ db: fc.nat(2), ahead: fc.nat(2000) }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), heard, async (seed, flushes) => {
        const rig = await ReplicaRig.started(seed);
        const base = stampOf(rig.time.wallMs);
        const highest = [0, 0, 0];
        for (const { db, ahead } of flushes) {
          highest[db] = Math.max(highest[db] ?? 0, base + ahead);
          const raised = rig.replica.raiseFlush(db, base + ahead);
          expect(rig.replica.flushed.of(db)).to.equal(highest[db]);
          if (rig.time.random.below(2) === 0) await rig.run(raised);
          if (rig.time.random.below(5) === 0) {
            await rig.run(rig.store.sync());
            await rig.crash('power');
          }
        }
        await rig.run(rig.store.sync());
        await rig.crash('power');
        expect([0, 1, 2].map((db) => rig.replica.flushed.of(db))).to.deep.equal(highest);
        const written = await rig.run(rig.replica.mutate(placeOf('k'), setting('1')));
        expect(written.siblings[0]?.dot.stamp).to.be.above(Math.max(...highest));
        await rig.end();
      }),
      { numRuns: 40 },
    );
  });

  it('are known of at once and promised when they are on the disk', async () => {
    const rig = await ReplicaRig.started(1);
    await rig.run(rig.replica.mutate(placeOf('k'), setting('1')));
    const stamp = rig.clock.last + 5;
    const first = rig.replica.raiseFlush(0, stamp);
    expect(await keysOf(rig)).to.deep.equal([]);
    const again = rig.replica.raiseFlush(0, stamp);
    await rig.run(Promise.all([first, again]));
    await rig.crash('power');
    expect(rig.replica.flushed.of(0)).to.equal(stamp);
    await rig.end();
  });

  it('have never been when their commit failed or was refused', async () => {
    const rig = await ReplicaRig.started(2);
    await rig.run(rig.replica.mutate(placeOf('k'), setting('1')));
    rig.disk.failBatches = 1;
    rig.disk.failedBatches = 'lose';
    for (const when of ['failed', 'refused']) {
      const flushing = rig.replica.flush([0]) ?? Promise.resolve();
      expect(await failureOf(rig.run(flushing)), when).to.be.instanceOf(StoreError);
      expect([when, rig.replica.flushed.of(0)]).to.deep.equal([when, 0]);
    }
    await rig.awaitFenceLifted();
    expect(await keysOf(rig)).to.deep.equal(['k']);
    await rig.run(rig.replica.flush([0]));
    expect(await keysOf(rig)).to.deep.equal([]);
    await rig.end();
  });

  it('that come late spare what was written since, and the counts too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async (seed) => {
        const rig = await ReplicaRig.started(seed);
        const { random } = rig.time;
        for (let key = 0; key < 10; key += 1) {
          await rig.run(rig.replica.mutate(placeOf(`old${key}`), setting('1')));
        }
        const stamp = rig.clock.last + 1;
        await rig.time.advance(5);
        for (let key = 0; key < 5; key += 1) {
          await rig.run(rig.replica.mutate(placeOf(`new${key}`), setting('1')));
        }
        if (random.below(2) === 0) await rig.run(rig.store.verified);
        const heard = rig.replica.raiseFlush(0, stamp);
        await rig.run(rig.replica.mutate(placeOf('new0'), setting('2')));
        await rig.run(rig.replica.mutate(placeOf('old0'), setting('2')));
        await rig.run(heard);
        await rig.time.advance(1000);
        const keys = await keysOf(rig);
        expect(keys).to.deep.equal(['new0', 'new1', 'new2', 'new3', 'new4', 'old0']);
        expect(rig.store.tally(tallyLive(0))).to.equal(keys.length);
        await rig.crash();
        expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
        expect(rig.store.tally(tallyLive(0))).to.equal(keys.length);
        await rig.end();
      }),
      { numRuns: 20 },
    );
  });

  it('let a record be forgotten only if they say all that it knows', async () => {
    const rig = await ReplicaRig.started(4);
    const old = put(emptyRecord, [], valueAt(1, 40));
    const newer = put(old, [], valueAt(2, 60));
    // Deleted by its context after the flush: only the vector remembers it.
    const deleted = remove(newer, [{ actor: 2, stamp: 60 }]);
    const tombstone = put(old, old.vv, { ...valueAt(3, 45), kind: 2 });
    const records = { old, newer, deleted, tombstone };
    for (const [name, record] of Object.entries(records)) {
      await rig.run(rig.replica.absorb(placeOf(name), record));
    }
    await rig.run(rig.replica.raiseFlush(0, 50));
    expect(await rig.run(rig.replica.readRecord(placeOf('old')))).to.deep.equal(emptyRecord);
    await rig.run(rig.scanner.reclaim(() => false));
    expect(rig.store.records).to.equal(2);
    expect(await keysOf(rig)).to.deep.equal(['newer']);
    const kept = await rig.run(rig.replica.readRecord(placeOf('deleted')));
    expect(kept).to.deep.equal({ vv: deleted.vv, siblings: [] });
    // What another replica still holds of it does not come back.
    await rig.run(rig.replica.absorb(placeOf('deleted'), newer));
    await rig.run(rig.replica.absorb(placeOf('old'), old));
    await rig.run(rig.replica.absorb(placeOf('tombstone'), tombstone));
    expect(rig.store.records).to.equal(2);
    expect(await keysOf(rig)).to.deep.equal(['newer']);
    await rig.end();
  });

  it('pass over a corrupt record when they reclaim space', async () => {
    const rig = await ReplicaRig.started(5);
    for (const name of ['a', 'b', 'c']) {
      await rig.run(rig.replica.mutate(placeOf(name), setting('1')));
    }
    await rig.crash();
    rig.disk.flipBit((key) => key.equals(placeOf('b').storageKey));
    await rig.crash();
    await rig.run(rig.replica.flush([0]));
    expect(await rig.run(rig.scanner.reclaim(() => false))).to.equal(true);
    expect(rig.store.records).to.equal(1);
    await rig.end();
  });
});

describe('a sweeper that may not reap', () => {
  it('keeps every expired and deleted record, and leaves its agenda alone', async () => {
    const rig = await ReplicaRig.started(6);
    const system = rig.time.system();
    const sweeper = new Sweeper(rig.replica, rig.store, system, {
      mayReap: () => false,
      graceMs: () => 0,
      databases: 3,
    });
    sweeper.start(FlushStamps.none(3));
    for (let key = 0; key < 30; key += 1) {
      const value = { ...valueAt(1, 40), expireAtMs: Math.floor(rig.time.wallMs) + 500 };
      await rig.run(rig.replica.absorb(placeOf(`k${key}`), put(emptyRecord, [], value)));
      const gone = { vv: [{ actor: 1, stamp: 5 }], siblings: [] };
      await rig.run(rig.replica.absorb(placeOf(`d${key}`), gone));
    }
    await rig.time.advance(2000);
    const { batches } = rig.store;
    await rig.time.advance(300_000);
    expect([rig.store.records, rig.store.batches]).to.deep.equal([60, batches]);
    expect([sweeper.expiredKeys, sweeper.reaped]).to.deep.equal([30, 0]);
    await rig.run(sweeper.stop());
    await rig.end();
  });
});
