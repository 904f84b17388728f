import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import { emptyRecord, merge, put, type Record, remove } from '../../lib/causal/record.ts';
import { stampOf } from '../../lib/causal/stamp-clock.ts';
import { borrowing, mergeInto } from '../../lib/replica/incoming.ts';
import { tallyLive } from '../../lib/replica/tallies.ts';
import { bodyStart } from '../../lib/storage/row.ts';
import { closeRecord, siblingOf } from '../causal/arbitraries.ts';
import { failureOf } from '../contract/storage-contract.ts';
import { placeOf, ReplicaRig, setting } from './replica-rig.ts';

const place = placeOf('k');

/** The same bytes elsewhere, gone a turn later as a frame of a peer is. */
function borrowed(record: Record): Record {
  const siblings = record.siblings.map((one) => ({ ...one, bytes: Buffer.from(one.bytes) }));
  setImmediate(() => {
    for (const { bytes } of siblings) bytes.fill('#');
  });
  return { vv: record.vv, siblings };
}

describe('a record that comes from a peer', () => {
  it('merges as the algebra says, whatever is or is not decoded', () => {
    fc.assert(
      fc.property(closeRecord(), closeRecord(), (held, incoming) => {
        const merged = mergeInto({ vv: held.vv, record: held }, incoming);
        expect(merged ?? held).to.deep.equal(merge(held, incoming));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not come back once it was deleted without a dot', () => {
    const dot = { actor: 1, stamp: 5 };
    const written = put(emptyRecord, [], siblingOf(dot));
    const deleted = remove(written, written.vv);
    const other = { actor: 2, stamp: 9 };
    const stale = put(written, [], siblingOf(other));
    const merged = mergeInto({ vv: deleted.vv, record: deleted }, stale);
    expect(merged?.siblings.map((sibling) => sibling.dot)).to.deep.equal([other]);
  });

  it('ends in the same record in whatever order and however often it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.array(closeRecord(), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(5), { maxLength: 6 }),
        async (seed, records, again) => {
          const rig = await ReplicaRig.started(seed);
          const repeated = again.map((index) => records[index % records.length] ?? emptyRecord);
          let expected = emptyRecord;
          const answers = [...records, ...repeated].map((record) => {
            expected = merge(expected, record);
            return [rig.replica.absorb(place, borrowed(record)), expected] as const;
          });
          for (const [answer, now] of answers) {
            const told = await rig.run(answer);
            expect(told.vv).to.deep.equal(now.vv);
            expect(told.siblings.map(({ dot }) => dot)).to.deep.equal(
              now.siblings.map(({ dot }) => dot),
            );
          }
          expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(expected);
          await rig.crash();
          expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(expected);
          const backwards = await ReplicaRig.started(seed + 1);
          for (const record of records.toReversed()) {
            await backwards.run(backwards.replica.absorb(place, borrowed(record)));
          }
          const found = await backwards.run(backwards.replica.readRecord(place));
          expect(found).to.deep.equal(expected);
          await rig.end();
          await backwards.end();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is answered with copies as soon as more is held than it brought', async () => {
    const rig = await ReplicaRig.started(3);
    const first = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    const second = put(emptyRecord, [], siblingOf({ actor: 2, stamp: 5 }));
    const one = await rig.run(rig.replica.absorb(place, first));
    expect(one.siblings[0]?.bytes).to.equal(first.siblings[0]?.bytes);
    const both = await rig.run(rig.replica.absorb(place, second));
    await rig.run(rig.replica.mutate(place, setting('x'.repeat(20))));
    expect(both).to.deep.equal(merge(first, second));
    await rig.end();
  });

  it('is copied when its row must be read first', () => {
    const record = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    let take = (): Record => emptyRecord;
    const begun = borrowing(record, (later) => {
      take = later;
      return 'begun';
    });
    expect(begun).to.equal('begun');
    const bytes = record.siblings[0]?.bytes;
    bytes?.fill('#');
    expect(take().siblings[0]?.bytes.toString()).to.equal('1/5/0');
    expect(borrowing(record, (now) => now())).to.equal(record);
  });

  it('waits for the row that holds it already', async () => {
    const rig = await ReplicaRig.started(4);
    const record = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    let first = false;
    const writing = rig.run(rig.replica.absorb(place, record)).then(() => {
      first = true;
    });
    const before = rig.store.batches;
    await rig.run(rig.replica.absorb(place, record));
    await writing;
    expect([first, rig.store.batches - before]).to.deep.equal([true, 1]);
    await rig.end();
  });

  it('leaves the own actors of the key alone', async () => {
    const rig = await ReplicaRig.started(5);
    const own = await rig.run(rig.replica.mutate(place, setting('1')));
    const foreign = put(own, own.vv, siblingOf({ actor: 1, stamp: stampOf(rig.time.wallMs) }));
    await rig.run(rig.replica.absorb(place, foreign));
    const next = await rig.run(rig.replica.mutate(place, setting('2')));
    expect(next.siblings[0]?.dot.actor).to.equal(own.siblings[0]?.dot.actor);
    expect(next.vv).to.have.length(2);
    await rig.end();
  });

  it('takes the place of a corrupt row', async () => {
    const rig = await ReplicaRig.started(6);
    const own = await rig.run(rig.replica.mutate(place, setting('1')));
    await rig.crash();
    rig.disk.flipBit((key) => key.equals(place.storageKey));
    await rig.crash();
    const failure = await failureOf((async () => rig.run(rig.replica.readRecord(place)))());
    expect(failure).to.be.instanceOf(StoreError);
    await rig.run(rig.replica.absorb(place, own));
    expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(own);
    await rig.crash();
    expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
    await rig.end();
  });

  it('makes a corrupt row go even if it brings nothing, or nothing that a flush has left', async () => {
    for (const flushed of [false, true]) {
      const rig = await ReplicaRig.started(10);
      const own = await rig.run(rig.replica.mutate(place, setting('1')));
      await rig.run(rig.replica.mutate(placeOf('l'), setting('1')));
      if (flushed) await rig.run(rig.replica.flush([0]));
      await rig.crash();
      rig.disk.flipBit((key) => key.equals(place.storageKey));
      await rig.crash();
      const brought = flushed ? own : emptyRecord;
      const told = await rig.run(rig.replica.absorb(place, brought));
      expect(told).to.deep.equal(emptyRecord);
      expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(emptyRecord);
      expect(await rig.run(rig.store.get(place.storageKey))).to.equal(undefined);
      await rig.time.advance(200);
      expect(rig.store.tally(tallyLive(0))).to.equal(flushed ? 0 : 1);
      await rig.run(rig.replica.mutate(place, setting('2')));
      expect(rig.store.tally(tallyLive(0))).to.equal(flushed ? 1 : 2);
      await rig.crash();
      expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
      await rig.end();
    }
  });

  it('writes nothing where there is nothing, if it brings nothing', async () => {
    const rig = await ReplicaRig.started(11);
    const { batches } = rig.store;
    await rig.run(rig.replica.absorb(place, emptyRecord));
    await rig.run(rig.store.verified);
    expect(rig.store.batches - batches, 'that of the check').to.be.at.most(1);
    expect(rig.store.records).to.equal(0);
    await rig.end();
  });

  it('is counted once over a row found corrupt by a process that runs', async () => {
    const rig = await ReplicaRig.started(12);
    // Too much for the cache, so that the row is read from the disk.
    const own = await rig.run(rig.replica.mutate(place, setting('x'.repeat(2 ** 20))));
    await rig.run(rig.store.verified);
    rig.disk.flipBit((key) => key.equals(place.storageKey));
    await rig.run(rig.replica.absorb(place, own));
    await rig.time.advance(200);
    expect(rig.store.corruptRecords).to.equal(1);
    expect(rig.store.tally(tallyLive(0))).to.equal(1);
    await rig.end();
  });

  it('has never been when its commit failed', async () => {
    const rig = await ReplicaRig.started(7);
    const held = await rig.run(rig.replica.mutate(place, setting('1')));
    rig.disk.failBatches = 1;
    rig.disk.failedBatches = 'lose';
    const record = put(held, held.vv, siblingOf({ actor: 1, stamp: 5 }));
    expect(await failureOf(rig.run(rig.replica.absorb(place, record)))).to.be.instanceOf(
      StoreError,
    );
    const refused = rig.replica.absorb(place, record);
    expect(await failureOf(rig.run(refused)), 'fenced').to.be.instanceOf(StoreError);
    expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(held);
    await rig.awaitFenceLifted();
    expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(held);
    await rig.run(rig.replica.absorb(place, record));
    expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(merge(held, record));
    await rig.end();
  });

  it('lifts the clock by its stamps, but not by wild ones, which are counted', async () => {
    const rig = await ReplicaRig.started(8);
    const near = stampOf(rig.time.wallMs + 900);
    const wild = stampOf(rig.time.wallMs + 60_000);
    const record = [
      { actor: 1, stamp: near },
      { actor: 2, stamp: wild },
    ].reduce((all, dot) => put(all, [], siblingOf(dot)), emptyRecord);
    await rig.run(rig.replica.absorb(place, record));
    expect([rig.clock.last, rig.replica.wildStamps]).to.deep.equal([near, 1]);
    expect(await rig.run(rig.replica.readRecord(place))).to.deep.equal(record);
    const own = await rig.run(rig.replica.mutate(placeOf('l'), setting('1')));
    expect(own.siblings[0]?.dot.stamp).to.equal(near + 1);
    await rig.end();
  });

  it('tells a flush of stamps that a restart explains, and not of wilder ones', async () => {
    const rig = await ReplicaRig.started(8);
    const { peerStamps } = rig.replica;
    const restarted = stampOf(rig.time.wallMs + 9_000);
    const wild = stampOf(rig.time.wallMs + 3_600_000);
    const from = (stamp: number) => put(emptyRecord, [], siblingOf({ actor: 1, stamp }));
    await rig.run(rig.replica.absorb(place, from(restarted)));
    expect(rig.clock.last).to.be.below(restarted);
    expect(peerStamps.credible).to.equal(restarted);
    await rig.run(rig.replica.absorb(place, from(wild)));
    expect(peerStamps.credible).to.be.within(restarted + 1, stampOf(rig.time.wallMs + 15_000));
    await rig.end();
  });

  it('is stored in the form of the node’s own', async () => {
    const rig = await ReplicaRig.started(9);
    const record = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    await rig.run(rig.replica.absorb(place, record));
    const row = await rig.run(rig.store.get(place.storageKey));
    // live, no agenda, no epoch, no actors
    expect(row?.subarray(bodyStart, bodyStart + 14)).to.deep.equal(Buffer.alloc(14));
    await rig.end();
  });
});
