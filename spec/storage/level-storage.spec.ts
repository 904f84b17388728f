import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realSystem } from '../../lib/runtime/system.ts';
import { LevelStorage } from '../../lib/storage/level-storage.ts';
import { type StorageRig, storageContract } from '../contract/storage-contract.ts';
import { storeContract } from '../contract/store-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';

async function levelRig(): Promise<StorageRig> {
  const directory = await mkdtemp(join(tmpdir(), 'redynamo-'));
  const system = realSystem(silentLog);
  const storage = new LevelStorage(join(directory, 'data'), system.clock);
  return {
    storage,
    other: new LevelStorage(join(directory, 'data'), system.clock),
    system,
    run: async (work) => work,
    end: async () => {
      await storage.close();
      await rm(directory, { recursive: true });
    },
  };
}

storageContract('LevelStorage', levelRig);
storeContract('LevelStorage', levelRig);
