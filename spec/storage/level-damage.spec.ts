/**
 * The real engine over files that were damaged while nobody looked. Whatever is flipped: the store
 * refuses to open with a StoreError, or it opens and is not sound, or nothing was lost. It never
 * answers wrong bytes, never says "not found" while it claims to be sound, and never ends the process
 * by one of the engine's assertions.
 */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { realSystem } from '../../lib/runtime/system.ts';
import { LevelStorage } from '../../lib/storage/level-storage.ts';
import { Store } from '../../lib/storage/store.ts';
import { storeOptions, Writer } from '../contract/store-contract.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { silentLog } from '../sim/virtual-time.ts';
import { inspectInChild } from './inspect-child.ts';
import { type Outcome, recordsCount, refused, valueAt } from './inspect-store.ts';

const system = realSystem(silentLog);

function storeIn(directory: string): Store {
  return new Store(new LevelStorage(directory, system.clock), system, storeOptions);
}

async function inspect(directories: readonly string[]): Promise<readonly Outcome[]> {
  const { signal, outcomes } = await inspectInChild(directories);
  expect(signal, 'nothing ends the process').to.equal(null);
  expect(outcomes).to.have.length(directories.length);
  return outcomes;
}

describe('a store over damaged LevelDB files', function () {
  this.timeout(60_000);
  let home: string;
  let copies = 0;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'redynamo-'));
    for (const half of [0, 1]) {
      const store = storeIn(join(home, 'data'));
      await store.open();
      const writer = new Writer(store, system);
      for (let index = half; index < recordsCount; index += 2) {
        const write = writer.write(`k${index}`, valueAt(index));
        if (index % 100 > 97) await write;
      }
      await store.sync();
      await store.verified;
      await store.close({ epoch: 1, lastStamp: 1 });
    }
  });

  after(() => rm(home, { recursive: true }));

  async function copy(): Promise<string> {
    copies += 1;
    const directory = join(home, `copy${copies}`);
    await cp(join(home, 'data'), directory, { recursive: true });
    return directory;
  }

  async function pathOf(directory: string, pattern: RegExp): Promise<string> {
    const names = await readdir(directory, { recursive: true });
    const name = names.find((candidate) => pattern.test(candidate));
    if (name === undefined) throw new Error(`no file ${pattern} among ${names}`);
    return join(directory, name);
  }

  async function flipped(pattern: RegExp, seed: number, bytesCount: number): Promise<string> {
    const directory = await copy();
    const path = await pathOf(directory, pattern);
    const random = new SeededRandom(seed);
    const content = await readFile(path);
    for (let count = 0; count < bytesCount; count += 1) {
      const at = random.below(content.length);
      content[at] = (content[at] ?? 0) ^ (1 + random.below(255));
    }
    await writeFile(path, content);
    return directory;
  }

  async function halved(pattern: RegExp): Promise<string> {
    const directory = await copy();
    const path = await pathOf(directory, pattern);
    await truncate(path, Math.floor((await readFile(path)).length / 2));
    return directory;
  }

  it('is sound when nothing was damaged', async () => {
    expect(await inspect([await copy()])).to.deep.equal([
      { opened: true, sound: true, problems: 0, missing: 0, wrong: 0 },
    ]);
  });

  const files: readonly (readonly [string, RegExp])[] = [
    ['log', /level\/\d+\.log$/],
    ['table', /level\/\d+\.ldb$/],
    ['MANIFEST', /level\/MANIFEST-\d+$/],
    ['CURRENT', /level\/CURRENT$/],
  ];
  for (const [name, pattern] of files) {
    it(`never takes a damaged ${name} for the truth`, async () => {
      const directories: string[] = [await halved(pattern)];
      for (const [seed, bytesCount] of [1, 1, 1, 20, 20, 200].entries()) {
        directories.push(await flipped(pattern, seed, bytesCount));
      }
      for (const [index, outcome] of (await inspect(directories)).entries()) {
        const what = `${name}, case ${index}: ${JSON.stringify(outcome)}`;
        expect(outcome.wrong, what).to.equal(0);
        if (outcome.missing > 0) expect(outcome.sound, what).to.equal(false);
      }
    });
  }

  it('is not sound with half a log, a damaged marker or a damaged watermark', async () => {
    const outcomes = await inspect([
      await halved(/level\/\d+\.log$/),
      await flipped(/clean-stop$/, 1, 1),
      await flipped(/watermark$/, 1, 1),
    ]);
    for (const outcome of outcomes) expect(outcome).to.include({ opened: true, sound: false });
  });

  it('does not care about damage to the engine’s own old log', async () => {
    const [outcome] = await inspect([await flipped(/level\/LOG$/, 1, 20)]);
    expect(outcome).to.include({ sound: true, missing: 0 });
  });

  it('notices that the whole map has gone while the small files stayed', async () => {
    const directory = await copy();
    await rm(join(directory, 'level'), { recursive: true });
    const store = storeIn(directory);
    const report = await store.open();
    expect(report.created).to.equal(true);
    expect(report.lost).to.be.above(0);
    expect(await store.verified).to.deep.equal({ sound: false });
    await store.close();
  });

  it('is refused to another process', async () => {
    const directory = await copy();
    const store = storeIn(directory);
    await store.open();
    expect(await inspect([directory])).to.deep.equal([refused]);
    await store.close();
  });

  it('names what is in the way of opening', async () => {
    const path = join(await copy(), 'a-file');
    await writeFile(path, '');
    const failure = await storeIn(join(path, 'data'))
      .open()
      .catch((error: unknown) => error);
    expect(failure).to.include({ code: 'cannot-open' });
    expect(String(failure)).to.match(/ENOTDIR/);
  });
});
