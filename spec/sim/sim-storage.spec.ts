import { expect } from 'chai';
import { type StorageRig, storageContract } from '../contract/storage-contract.ts';
import { storeContract } from '../contract/store-contract.ts';
import { SimStorage } from './sim-storage.ts';
import { VirtualTime } from './virtual-time.ts';

async function simRig(): Promise<StorageRig> {
  const time = new VirtualTime(1);
  const storage = new SimStorage(time.timers(), time.random);
  return {
    storage,
    other: storage,
    system: time.system(),
    run: (work) => time.run(work),
    end: async () => undefined,
  };
}

storageContract('SimStorage', simRig);
storeContract('SimStorage', simRig);

describe('a simulated disk', () => {
  it('is copied as it lies there, and its copy goes its own way', async () => {
    const time = new VirtualTime(2);
    const [disk, copy] = [1, 2].map(() => new SimStorage(time.timers(), time.random));
    if (disk === undefined || copy === undefined) throw new Error('there are two');
    const [key, later] = [Buffer.from('dkey'), Buffer.from('dlater')];
    await time.run(disk.open());
    await time.run(disk.batch([{ key, row: Buffer.from('row') }], false));
    await time.run(disk.files.write('marker', Buffer.from('nonce'), true));
    copy.copyOf(disk);
    await time.run(disk.batch([{ key: later, row: Buffer.from('row') }], true));
    expect((await time.run(copy.open())).created).to.equal(false);
    expect([...copy.rows.keys()]).to.deep.equal(['dkey']);
    expect(String(await time.run(copy.files.read('marker')))).to.equal('nonce');
  });
});
