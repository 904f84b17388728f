/** Damage that happened behind the store's back must be found, counted, and never served. */
import { expect } from 'chai';
import { metaKey } from '../../lib/storage/keys.ts';
import { codeOf } from '../contract/storage-contract.ts';
import { keyOf } from '../contract/store-contract.ts';
import { StoreRig } from './store-rig.ts';

const isRecord = (key: Buffer): boolean => key[0] === keyOf('')[0];

async function filled(seed: number, count = 40): Promise<StoreRig> {
  const rig = new StoreRig(seed, { appendfsync: 'always' });
  await rig.start();
  for (let index = 0; index < count; index += 1) {
    await rig.run(rig.writer.write(`k${index}`, `v${index}`));
  }
  await rig.time.advance(200);
  return rig;
}

describe('a store over a damaged disk', () => {
  it('counts a lost batch in the middle, once', async () => {
    const rig = await filled(1);
    rig.crash('process');
    expect(rig.disk.damageLog('middle', false)).to.equal(true);
    const report = await rig.start();
    expect(report.lost).to.equal(1);
    expect(report.problems).to.have.length(1);
    expect(await rig.sound()).to.equal(false);
    expect(rig.store.lostRecords).to.be.within(1, 2);
    expect(rig.store.state).to.equal('degraded');
    await rig.time.advance(100);
    await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
    const again = await rig.start();
    expect(again).to.include({ lost: 0 });
    expect(again.problems).to.deep.equal([]);
    expect(await rig.sound()).to.equal(true);
    expect(rig.store.lostRecords).to.equal(0);
    expect(rig.store.state).to.equal('ok');
  });

  it('counts a lost tail that looks like a clean end', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const rig = await filled(seed);
      rig.crash('process');
      rig.disk.damageLog('tail', false);
      const report = await rig.start();
      expect(report.lost, `seed ${seed}`).to.be.within(1, 2);
      expect(await rig.sound()).to.equal(false);
    }
  });

  it('does not trust a marker over a lost tail', async () => {
    const rig = await filled(3);
    await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
    rig.disk.damageLog('tail', false);
    expect((await rig.start()).marker).to.equal(undefined);
  });

  it('does not trust a marker over a hole', async () => {
    const rig = await filled(3);
    await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
    rig.disk.damageLog('middle', false);
    expect((await rig.start()).marker).to.equal(undefined);
  });

  it('never trusts a marker twice, even if nothing was written in between', async () => {
    const rig = await filled(3);
    await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
    const first = await rig.start();
    expect(first.marker).to.include({ epoch: 1 });
    rig.crash('power');
    const second = await rig.start();
    expect(second.lastBatch).to.equal(first.lastBatch);
    expect(second.marker).to.equal(undefined);
  });

  it('is not sound when the engine says that it dropped something', async () => {
    const rig = await filled(4);
    rig.crash('process');
    rig.disk.damageLog('middle', true);
    const report = await rig.start();
    expect(report.problems.join()).to.match(/dropping/);
    expect(await rig.sound()).to.equal(false);
  });

  it('finds a record that is gone, older or back, although all batches are there', async () => {
    const changes: readonly ((rig: StoreRig) => void)[] = [
      (rig) => rig.disk.revert(keyOf('k7'), undefined),
      (rig) => rig.disk.revert(keyOf('k7'), rig.writer.rows.get('old k7')),
      (rig) => rig.disk.revert(keyOf('k8'), rig.writer.rows.get('old k8')),
    ];
    for (const change of changes) {
      const rig = await filled(5);
      for (const name of ['k7', 'k8']) {
        const old = rig.writer.rows.get(name);
        await rig.run(rig.writer.write(name, name === 'k8' ? undefined : 'newer'));
        if (old !== undefined) rig.writer.rows.set(`old ${name}`, old);
      }
      await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
      change(rig);
      expect((await rig.start()).lost).to.equal(0);
      expect(await rig.sound()).to.equal(false);
      expect(rig.store.lostRecords).to.equal(1);
      await rig.time.advance(100);
      await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
      await rig.start();
      expect(await rig.sound()).to.equal(true);
    }
  });

  it('finds every flipped bit by the scan, counts it once and never serves it', async () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const rig = await filled(seed);
      await rig.run(rig.store.close());
      const key = rig.disk.flipBit(isRecord) ?? Buffer.alloc(0);
      await rig.start();
      expect(await rig.sound(), `seed ${seed}`).to.equal(false);
      expect(rig.store.corruptRecords).to.equal(1);
      expect(rig.store.state).to.equal('degraded');
      for (let time = 0; time < 3; time += 1) {
        expect(await rig.run(codeOf(() => rig.store.get(key)))).to.equal('corrupt');
      }
      expect(rig.store.corruptRecords).to.equal(1);
    }
  });

  it('is whole again once a corrupt record is overwritten by one who cannot read it', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const rig = await filled(seed, 5);
      await rig.run(rig.store.close());
      const key = rig.disk.flipBit(isRecord) ?? Buffer.alloc(0);
      await rig.start();
      await rig.sound();
      await rig.time.advance(100);
      const name = [...rig.writer.rows.keys()].find((known) => keyOf(known).equals(key)) ?? '';
      rig.writer.rows.delete(name);
      expect(await rig.run(codeOf(() => rig.store.get(key)))).to.equal('corrupt');
      await rig.run(rig.writer.write(name, 'repaired'));
      expect(await rig.read(name)).to.equal('repaired');
      await rig.run(rig.store.close());
      await rig.start();
      expect(await rig.sound(), `seed ${seed}`).to.equal(true);
      expect(rig.store.records).to.equal(5);
    }
  });

  it('keeps its sums when a scan comes upon a corrupt record that has gone meanwhile', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const rig = await filled(seed, 5);
      await rig.run(rig.store.close());
      const key = rig.disk.flipBit(isRecord) ?? Buffer.alloc(0);
      await rig.start();
      const name = [...rig.writer.rows.keys()].find((known) => keyOf(known).equals(key)) ?? '';
      rig.writer.rows.delete(name);
      for (const value of [undefined, 'anew', undefined, 'again']) {
        await rig.run(codeOf(() => rig.store.get(key)));
        await rig.run(rig.writer.write(name, value));
        if (value === 'anew') await rig.sound();
      }
      expect(rig.store.corruptRecords).to.equal(1);
      await rig.time.advance(100);
      await rig.run(rig.store.close());
      await rig.start();
      expect(await rig.sound(), `seed ${seed}`).to.equal(true);
      expect(rig.store.records).to.equal(5);
    }
  });

  it('counts anew what its rows count for when it comes upon a corrupt one', async () => {
    const rig = await filled(11);
    await rig.run(rig.store.close());
    await rig.start();
    await rig.sound();
    await rig.time.advance(100);
    const values = 'v'.charCodeAt(0);
    expect(rig.store.tally(values)).to.equal(40);
    const key = rig.disk.flipBit(isRecord) ?? Buffer.alloc(0);
    for (let time = 0; time < 2; time += 1) {
      expect(await rig.run(codeOf(() => rig.store.get(key)))).to.equal('corrupt');
      await rig.time.advance(200);
      expect(rig.store.tally(values)).to.equal(39);
    }
    expect(rig.store.corruptRecords).to.equal(1);
  });

  it('goes on behind a place that cannot be read, and ends', async () => {
    const rig = await filled(6);
    await rig.run(rig.store.close());
    const bad = keyOf('k3');
    rig.disk.unreadable = (key) => key.equals(bad);
    await rig.start();
    expect(await rig.sound()).to.equal(false);
    expect(rig.store.lostRecords).to.be.at.least(1);
    rig.disk.unreadable = undefined;
    expect(await rig.read('k3')).to.equal('v3');
  });

  it('reads the older row when the last batch row is damaged, and recovers', async () => {
    const rig = await filled(7);
    await rig.run(rig.store.close());
    const last = Buffer.from([0x62, 0, 0, 0, 0, 0, rig.store.lastBatch]);
    rig.disk.flipBit((key) => key.equals(last));
    const report = await rig.start();
    expect(report.problems).not.to.deep.equal([]);
    expect(await rig.sound()).to.equal(false);
    await rig.time.advance(100);
    expect(rig.store.records).to.equal(40);
    await rig.run(rig.store.close());
    expect((await rig.start()).problems).to.deep.equal([]);
    expect(await rig.sound()).to.equal(true);
  });

  it('notices a damaged watermark and a damaged marker', async () => {
    for (const name of ['watermark', 'clean-stop']) {
      const rig = await filled(8);
      await rig.run(rig.store.close({ epoch: 1, lastStamp: 1 }));
      expect(rig.disk.files.flipBit(name), name).to.equal(true);
      const report = await rig.start();
      expect(report.problems.join()).to.match(/damaged/);
      expect(await rig.sound()).to.equal(false);
      expect(await rig.read('k3')).to.equal('v3');
    }
  });

  it('passes a read error on, and reads again', async () => {
    const rig = await filled(9);
    rig.disk.failReads = 1;
    expect(await rig.run(codeOf(() => rig.store.get(keyOf('k1'))))).to.equal('io');
    expect(await rig.read('k1')).to.equal('v1');
  });

  it('refuses a damaged fact of the node instead of taking it for absent', async () => {
    const rig = await filled(10);
    const key = metaKey('id');
    const { row } = rig.writer.change('k1', 'under the wrong key');
    await rig.run(rig.store.write([{ key, row, previous: undefined }]));
    expect(await rig.run(codeOf(() => rig.store.get(key)))).to.equal('corrupt');
  });
});
