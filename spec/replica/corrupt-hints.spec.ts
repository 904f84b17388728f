import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import { emptyRecord, type Record } from '../../lib/causal/record.ts';
import type { HintKind } from '../../lib/replica/stored-record.ts';
import { familyRange, hintKey } from '../../lib/storage/keys.ts';
import { closeRecord } from '../causal/arbitraries.ts';
import { failureOf } from '../contract/storage-contract.ts';
import { nodeId, placeOf, ReplicaRig, setting } from './replica-rig.ts';

const a = nodeId(1);
const names = ['x', 'y', 'z'];
const [record = emptyRecord, other = emptyRecord] = fc.sample(
  closeRecord().filter(({ vv }) => vv.length > 0),
  { numRuns: 2, seed: 3 },
);

function isHintOf(name: string): (key: Buffer) => boolean {
  const wanted = hintKey(a, placeOf(name).storageKey);
  return (key) => key.equals(wanted);
}

/** Hints for `a` of x, y and z, that of y damaged while the process was down. */
async function damaged(seed: number, kind: HintKind = 'load-bearing'): Promise<ReplicaRig> {
  const rig = await ReplicaRig.started(seed);
  for (const name of names) await rig.run(rig.hints.keep(a, placeOf(name), record, kind));
  await rig.crash();
  rig.disk.flipBit(isHintOf('y'));
  await rig.crash();
  return rig;
}

async function namesOf(rig: ReplicaRig): Promise<readonly string[]> {
  const hints = await rig.run(rig.hints.page(a, undefined, 9));
  return names.filter((name) => hints.some(({ place }) => place.id === placeOf(name).id));
}

async function rowsOnDisk(rig: ReplicaRig): Promise<number> {
  const cursor = rig.store.cursor(familyRange('hint'));
  const rows = await rig.run(cursor.next(100));
  await rig.run(cursor.close());
  return rows.length;
}

/** Reported once, all counts right, and nothing is found again after a restart. */
async function expectGone(rig: ReplicaRig, left: readonly HintKind[]): Promise<void> {
  await rig.run(rig.store.verified);
  await rig.time.advance(200);
  expect(await rowsOnDisk(rig)).to.equal(left.length);
  const { pending, loadBearing } = rig.hints;
  expect([pending, loadBearing]).to.deep.equal([
    left.length,
    left.filter((kind) => kind === 'load-bearing').length,
  ]);
  const { tallies } = rig;
  expect(rig.store.corruptRecords).to.equal(1);
  const reports = rig.warnings.filter(([message]) => message.includes('corrupt hint'));
  expect(reports.map(([, fields]) => fields)).to.deep.equal([
    { target: a.toString('hex'), key: placeOf('y').storageKey.toString('hex') },
  ]);
  await rig.crash();
  expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
  await rig.time.advance(100);
  expect(rig.tallies).to.deep.equal(tallies);
  await rig.end();
}

describe('a corrupt hint', () => {
  it('goes when the hints of its target are handed over', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const kind = seed % 2 === 0 ? 'load-bearing' : 'courtesy';
      const rig = await damaged(seed, kind);
      if (seed % 3 === 0) await rig.run(rig.store.verified);
      expect(await namesOf(rig)).to.deep.equal(['x', 'z']);
      await expectGone(rig, [kind, kind]);
    }
  });

  it('goes for a target that never comes, too', async () => {
    const rig = await damaged(21);
    await expectGone(rig, ['load-bearing', 'load-bearing']);
  });

  it('is pending until it has gone, so that somebody looks at it', async () => {
    const rig = await damaged(22);
    rig.disk.failBatches = 1;
    rig.disk.failedBatches = 'lose';
    expect(await failureOf(rig.run(rig.hints.page(a, undefined, 9)))).to.be.instanceOf(StoreError);
    await rig.awaitFenceLifted();
    await rig.run(rig.store.sync());
    await rig.time.advance(200);
    expect([rig.hints.pending, rig.hints.loadBearing]).to.deep.equal([3, 2]);
    expect(await rowsOnDisk(rig)).to.equal(3);
    expect(await namesOf(rig)).to.deep.equal(['x', 'z']);
    await expectGone(rig, ['load-bearing', 'load-bearing']);
  });

  it('is no hint to a reader', async () => {
    const rig = await damaged(23);
    expect(await rig.run(rig.hints.read([a], placeOf('y')))).to.equal(undefined);
    expect(await rig.run(rig.hints.list(placeOf('y'), [a]))).to.deep.equal([]);
    expect(await rig.run(rig.hints.read([a], placeOf('x')))).to.deep.equal(record);
    await rig.end();
  });

  it('makes way for the next one, which stays', async () => {
    const changes: readonly ((rig: ReplicaRig) => PromiseLike<Record> | Record)[] = [
      (rig) => rig.hints.keep(a, placeOf('y'), other, 'courtesy'),
      (rig) => rig.hints.coordinate(a, placeOf('y'), setting('1')),
    ];
    for (const [index, change] of changes.entries()) {
      for (let seed = 0; seed < 10; seed += 1) {
        const rig = await damaged(seed);
        const page = rig.run(rig.hints.page(a, undefined, 9));
        const kept = await rig.run(change(rig));
        await page;
        expect(await rig.run(rig.hints.read([a], placeOf('y')))).to.deep.equal(kept);
        expect(await namesOf(rig)).to.deep.equal(names);
        const kind = index === 0 ? 'courtesy' : 'load-bearing';
        await expectGone(rig, ['load-bearing', kind, 'load-bearing']);
      }
    }
  });

  it('that memory still holds is handed over, and none is lost', async () => {
    const rig = await ReplicaRig.started(24);
    for (const name of names) {
      await rig.run(rig.hints.keep(a, placeOf(name), record, 'load-bearing'));
    }
    await rig.run(rig.store.verified);
    rig.disk.flipBit(isHintOf('y'));
    const hints = await rig.run(rig.hints.page(a, undefined, 9));
    expect(hints).to.have.length(3);
    for (const hint of hints) {
      expect(hint.record).to.deep.equal(record);
      const removed = rig.hints.removeIfUnchanged(a, hint.place, hint.row);
      expect(await rig.run(removed)).to.equal(true);
    }
    await rig.time.advance(200);
    expect(rig.tallies).to.deep.equal([0, 0, 0]);
    expect(await rowsOnDisk(rig)).to.equal(0);
    await rig.end();
  });

  it('under a damaged key goes as well', async () => {
    const rig = await damaged(25);
    const key = hintKey(a, placeOf('y').storageKey);
    const row = rig.disk.rows.get(key.toString('latin1')) ?? Buffer.alloc(0);
    rig.disk.revert(key, undefined);
    // The length of the key is wrong, the target nobody's.
    const keys = [key.with(28, 100), key.with(3, 9)].map((bytes) => Buffer.from(bytes));
    for (const one of keys) rig.disk.revert(one, row);
    await rig.crash();
    expect(await namesOf(rig)).to.deep.equal(['x', 'z']);
    await rig.run(rig.store.verified);
    await rig.time.advance(200);
    expect(await rowsOnDisk(rig)).to.equal(2);
    expect(rig.tallies.slice(0, 2)).to.deep.equal([2, 2]);
    await rig.crash();
    expect(await rig.run(rig.store.verified)).to.deep.equal({ sound: true });
    await rig.end();
  });
});
