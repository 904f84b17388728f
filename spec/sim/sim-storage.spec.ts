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
