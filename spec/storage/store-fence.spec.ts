/** After a failed batch nothing is acknowledged until the map has been reopened and checked (I21). */
import { expect } from 'chai';
import { StoreError } from '../../lib/base/errors.ts';
import type { Deferred } from '../../lib/base/later.ts';
import type { StoreOptions } from '../../lib/storage/store.ts';
import { codeOf, failureOf } from '../contract/storage-contract.ts';
import { keyOf } from '../contract/store-contract.ts';
import { StoreRig } from './store-rig.ts';

async function started(seed: number, options: Partial<StoreOptions> = {}): Promise<StoreRig> {
  const rig = new StoreRig(seed, { appendfsync: 'always', ...options });
  await rig.start();
  await rig.run(rig.writer.write('old', 'v'));
  await rig.sound();
  return rig;
}

describe('the fence', () => {
  it('takes pending changes back before any writer is told, in the same turn', async () => {
    const order: string[] = [];
    const rig = await started(1, { onFence: () => order.push('fence') });
    rig.disk.failBatches = 1;
    const note = (name: string) => (write: Deferred<void>) =>
      write.listen(
        () => order.push(`${name} ok`),
        (error) => {
          order.push(`${name} ${error instanceof StoreError ? error.code : error}`);
          if (order.length === 2) void Promise.resolve().then(() => order.push('next turn'));
        },
      );
    note('first')(rig.writer.write('a', '1'));
    await rig.time.advance(0.1);
    note('second')(rig.writer.write('b', '1'));
    note('third')(rig.writer.write('c', '1'));
    await rig.time.advance(3);
    expect(order).to.deep.equal([
      'fence',
      'first unknown',
      'second fenced',
      'third fenced',
      'next turn',
    ]);
  });

  it('refuses writes at once and serves reads until it is lifted', async () => {
    let reopened = 0;
    const rig = await started(2, {
      onReopened: () => {
        reopened += 1;
      },
    });
    rig.disk.failBatches = 1;
    rig.disk.failOpens = 3;
    const lost = rig.writer.write('a', '1');
    expect(await rig.run(codeOf(() => lost))).to.equal('unknown');
    expect(rig.store.state).to.equal('fenced');
    expect(await codeOf(() => rig.writer.write('b', '1'))).to.equal('fenced');
    expect(await codeOf(() => rig.store.sync())).to.equal('fenced');
    await rig.time.advance(10_000);
    expect(reopened).to.equal(1);
    expect(rig.store.state).to.equal('ok');
    rig.writer.rows.clear();
    await rig.run(rig.writer.write('b', '2'));
    expect(await rig.read('old')).to.equal('v');
    expect(await rig.read('b')).to.equal('2');
    expect(rig.store.lostRecords).to.equal(0);
  });

  it('lets a read wait a moment for the reopening, then fails it', async () => {
    const rig = await started(3);
    rig.disk.failBatches = 1;
    rig.disk.slowness = 10;
    rig.writer.write('a', '1');
    while (rig.store.state !== 'fenced') await rig.time.advance(1);
    await rig.time.advance(15);
    expect(await rig.read('old')).to.equal('v');

    await rig.time.advance(1000);
    expect(String(rig.store.state)).to.equal('ok');
    rig.disk.failBatches = 1;
    rig.disk.failOpens = 1000;
    rig.writer.write('a', '2');
    while (rig.store.state !== 'fenced') await rig.time.advance(1);
    await rig.time.advance(200);
    const failure = await rig.run(failureOf((async () => rig.store.get(keyOf('old')))()));
    expect(failure).to.include({ code: 'io' });
    expect(await codeOf(() => rig.store.snapshot())).to.equal('io');
    await rig.run(rig.store.close());
  });

  it('loses nothing acknowledged when a full disk gets room again (E3)', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const rig = await started(seed);
      rig.disk.setRoom(2000);
      let acknowledged = -1;
      for (let index = 0; index < 100 && rig.store.state !== 'fenced'; index += 1) {
        const failure = await rig.run(failureOf(rig.writer.write(`k${index}`, 'x'.repeat(50))));
        if (failure === undefined) acknowledged = index;
      }
      expect(await codeOf(() => rig.writer.write('b', '1'))).to.equal('full');
      rig.disk.setRoom(0);
      await rig.time.advance(20_000);
      expect(rig.store.state, 'no room beyond the ballast').to.equal('fenced');
      expect(await rig.read('old')).to.equal('v');
      expect(await codeOf(() => rig.writer.write('b', '1'))).to.equal('full');

      rig.disk.setRoom(Number.POSITIVE_INFINITY);
      await rig.time.advance(6000);
      rig.writer.rows.clear();
      await rig.run(rig.writer.write('after', 'v'));
      rig.crash('power');
      expect((await rig.start()).lost).to.equal(0);
      expect(await rig.sound(), `seed ${seed}`).to.equal(true);
      for (let index = 0; index <= acknowledged; index += 1) {
        expect(await rig.read(`k${index}`)).to.equal('x'.repeat(50));
      }
      expect(await rig.read('after')).to.equal('v');
    }
  });

  it('counts acknowledged batches that are gone after reopening', async () => {
    const rig = await started(5);
    rig.disk.loseBatches = 1;
    await rig.run(rig.writer.write('lost', 'v'));
    await rig.run(rig.writer.write('kept', 'v'));
    rig.disk.failBatches = 1;
    rig.disk.failedBatches = 'lose';
    await rig.run(failureOf(rig.writer.write('x', 'v')));
    await rig.time.advance(1000);
    expect(rig.store.lostRecords).to.be.at.least(1);
    expect(rig.store.state).to.equal('degraded');
    expect(await rig.read('kept')).to.equal('v');
    expect(await rig.read('lost')).to.equal(undefined);
  });

  it('leaves no marker, and can be closed while it recovers', async () => {
    const rig = await started(6);
    rig.disk.failBatches = 1;
    rig.disk.failOpens = 5;
    await rig.run(failureOf(rig.writer.write('a', '1')));
    await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
    rig.disk.failOpens = 0;
    expect((await rig.start()).marker).to.equal(undefined);
    expect(await rig.sound()).to.equal(true);
  });

  it('settles the verdict of the first check as unsound when it strikes before', async () => {
    const rig = new StoreRig(7);
    rig.disk.failBatches = 1;
    await rig.start();
    expect(await rig.sound()).to.equal(false);
    await rig.time.advance(1000);
    expect(rig.store.state).to.equal('ok');
  });

  it('goes on without a ballast on a disk too full for one', async () => {
    const rig = new StoreRig(8);
    rig.disk.setRoom(10_000);
    await rig.start();
    await rig.run(rig.writer.write('a', '1'));
    expect(await rig.sound()).to.equal(true);
  });
});
