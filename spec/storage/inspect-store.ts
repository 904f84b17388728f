/**
 * Opens the stores in the directories it is given, waits for the verdict and reads everything; one
 * line of JSON each. A process of its own, because damage can make the engine abort.
 */
import { StoreError } from '../../lib/base/errors.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { LevelStorage } from '../../lib/storage/level-storage.ts';
import { Store } from '../../lib/storage/store.ts';
import { keyOf, storeOptions, textOf } from '../contract/store-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';

export const recordsCount = 3000;
export const valueAt = (index: number): string => `value ${index} `.repeat(5);

export interface Outcome {
  readonly opened: boolean;
  readonly sound: boolean;
  readonly problems: number;
  /** Records that are said not to exist. */
  readonly missing: number;
  /** Records with another value than the one written. */
  readonly wrong: number;
}

export const refused: Outcome = { opened: false, sound: false, problems: 1, missing: 0, wrong: 0 };

async function inspect(directory: string): Promise<Outcome> {
  const system = realSystem(silentLog);
  const store = new Store(new LevelStorage(directory, system.clock), system, storeOptions);
  const report = await store.open().catch(storeErrorOnly);
  if (report === undefined) return refused;
  const { sound } = await store.verified;
  let missing = 0;
  let wrong = 0;
  for (let index = 0; index < recordsCount; index += 1) {
    const read = (async () => textOf(await store.get(keyOf(`k${index}`))) ?? 'missing')();
    const found = await read.catch(storeErrorOnly);
    if (found === 'missing') missing += 1;
    else if (found !== undefined && found !== valueAt(index)) wrong += 1;
  }
  await store.close();
  return { opened: true, sound, problems: report.problems.length, missing, wrong };
}

function storeErrorOnly(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
}

for (const directory of process.argv.slice(2)) {
  if (process.argv[1] !== import.meta.filename) break;
  console.log(JSON.stringify(await inspect(directory)));
}
