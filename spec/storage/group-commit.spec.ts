import { expect } from 'chai';
import { batchRowsMax, beforeFirstBatch } from '../../lib/storage/batch-row.ts';
import { type Appendfsync, GroupCommit } from '../../lib/storage/group-commit.ts';
import { batchKey } from '../../lib/storage/keys.ts';
import { checkBatchRows } from '../../lib/storage/open-check.ts';
import type { RowChange } from '../../lib/storage/storage.ts';
import { SimStorage } from '../sim/sim-storage.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

interface Batch {
  readonly atMs: number;
  readonly sync: boolean;
  readonly changes: readonly RowChange[];
}

/** Notes when each batch began, and whether it was synced. */
class WatchedStorage extends SimStorage {
  readonly batches: Batch[] = [];
  nowMs: () => number = () => 0;

  override batch(changes: readonly RowChange[], sync: boolean): Promise<void> {
    this.batches.push({ atMs: this.nowMs(), sync, changes: [...changes] });
    return super.batch(changes, sync);
  }
}

async function started(appendfsync: Appendfsync, lastStamp: () => number = () => 0) {
  const time = new VirtualTime(1);
  const system = time.system();
  const storage = new WatchedStorage(time.timers(), time.random);
  storage.nowMs = () => time.nowMs;
  const commit = new GroupCommit(storage, system, {
    appendfsync,
    lastStamp,
    onCommitted: () => undefined,
    onFailed: () => undefined,
  });
  await time.run(storage.open());
  commit.resume({ ...beforeFirstBatch, ceiling: 10_000 * 4096 });
  return { time, storage, commit, crc32: system.hashes.crc32 };
}

const change = (name: string) => ({
  key: Buffer.from(name),
  row: Buffer.from('v'),
  previous: undefined,
});

describe('group commit', () => {
  it('syncs every batch with appendfsync always', async () => {
    const { time, storage, commit } = await started('always');
    await time.run(commit.write([change('a')], []));
    await time.run(commit.write([change('b')], []));
    expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([true, true]);
  });

  it('syncs once a second with everysec, also when nothing more is written', async () => {
    const { time, storage, commit } = await started('everysec');
    for (let count = 0; count < 5; count += 1) {
      await time.run(commit.write([change('a')], []));
      await time.advance(50);
    }
    await time.advance(5000);
    expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([
      ...Array.from({ length: 5 }, () => false),
      true,
    ]);
    const [first] = storage.batches;
    expect((storage.batches.at(-1)?.atMs ?? 0) - (first?.atMs ?? 0)).to.be.at.most(1010);
  });

  it('syncs nothing with appendfsync no, until it is asked', async () => {
    const { time, storage, commit } = await started('no');
    await time.run(commit.write([change('a')], []));
    await time.advance(5000);
    expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([false]);
    await time.run(commit.sync());
    await time.run(commit.sync());
    expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([false, true]);
  });

  it('makes up for what is unsynced when appendfsync becomes stricter', async () => {
    for (const mode of ['always', 'everysec'] as const) {
      const { time, storage, commit } = await started('no');
      await time.run(commit.write([change('a')], []));
      commit.setAppendfsync(mode);
      await time.advance(1100);
      expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([false, true]);
    }
  });

  it('syncs a new ceiling before the old one is used up', async () => {
    let last = 0;
    const { time, storage, commit } = await started('no', () => last);
    await time.run(commit.write([change('a')], []));
    last = 5001 * 4096;
    await time.run(commit.write([change('a')], []));
    await time.run(commit.write([change('a')], []));
    expect(storage.batches.map(({ sync }) => sync)).to.deep.equal([false, true, false]);
    expect(commit.committed.ceiling).to.equal(last + 10_000 * 4096);
  });

  it('begins at the end of the turn, and what comes meanwhile shares the next batch', async () => {
    const { time, storage, commit } = await started('no');
    commit.write([change('a')], []);
    commit.write([change('b')], []);
    expect(storage.batches).to.have.length(0);
    await time.advance(0);
    commit.write([change('c')], []);
    const last = commit.write([change('d')], []);
    await time.run(last);
    const sizes = storage.batches.map(({ changes }) => changes.length);
    expect(sizes).to.deep.equal([3, 3]);
  });

  it('keeps the last rows of the window and no more', async () => {
    const { time, storage, commit, crc32 } = await started('no');
    const number = batchRowsMax + 100;
    const rows = [100, 101, 102, 103].map((old) => ({ key: batchKey(old), row: Buffer.of(1) }));
    await time.run(storage.batch(rows, false));
    commit.resume({ ...beforeFirstBatch, number, first: 101, ceiling: 10_000 * 4096 });
    await time.run(commit.write([], []));
    await time.run(commit.write([], []));
    expect(commit.committed.first).to.equal(103);
    const left = [...storage.recovered().keys()].map((name) => Buffer.from(name, 'latin1'));
    const numbers = left.map((key) => key.readUIntBE(1, 6));
    expect(numbers).to.deep.equal([100, 103, number + 1, number + 2]);
    const check = await time.run(checkBatchRows(storage, 0, crc32));
    expect(check).to.include({ lastNumber: number + 2, missing: batchRowsMax - 3, remains: true });
  });
});
