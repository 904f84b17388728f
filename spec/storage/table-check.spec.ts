/**
 * One byte of a table is flipped, anywhere. Nothing of it may abort the process, give a wrong value
 * or, in a store that calls itself sound, hide a record: the children that look must all end well.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { realSystem } from '../../lib/runtime/system.ts';
import { Damage } from '../../lib/storage/engine-bytes.ts';
import { LevelStorage } from '../../lib/storage/level-storage.ts';
import { type LiveTable, liveTables } from '../../lib/storage/manifest.ts';
import { Store } from '../../lib/storage/store.ts';
import { checkTable } from '../../lib/storage/table-check.ts';
import { storeOptions, Writer } from '../contract/store-contract.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { silentLog } from '../sim/virtual-time.ts';
import { inspectInChild } from './inspect-child.ts';
import { recordsCount, valueAt } from './inspect-store.ts';

const system = realSystem(silentLog);
const flipsCount = 40;

describe('a damaged table', function () {
  this.timeout(60_000);
  let home: string;
  let name: string;
  let file: Buffer;
  let table: LiveTable;
  let manifest: Buffer;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'redynamo-'));
    for (const half of [0, 1]) {
      const storage = new LevelStorage(join(home, 'data'), system.clock);
      const store = new Store(storage, system, storeOptions);
      await store.open();
      const writer = new Writer(store, system);
      for (let index = half; index < recordsCount; index += 2) {
        writer.write(`k${index}`, valueAt(index));
      }
      await store.sync();
      await store.verified;
      await store.close({ epoch: 1, lastStamp: 1 });
    }
    const level = join(home, 'data', 'level');
    const names = await readdir(level);
    manifest = await readFile(join(level, names.find((one) => one.startsWith('MANIFEST')) ?? ''));
    const [live] = liveTables(manifest);
    if (live === undefined) throw new Error(`no live table among ${names}`);
    table = live;
    name = `${String(table.number).padStart(6, '0')}.ldb`;
    file = await readFile(join(level, name));
  });

  after(() => rm(home, { recursive: true }));

  function flipped(at: number, bits: number): Buffer {
    const copy = Buffer.from(file);
    copy[at] = (copy[at] ?? 0) ^ bits;
    return copy;
  }

  const check = (bytes: Buffer) => () => checkTable(bytes, table);

  it('passes whole, and is refused when it is cut off, at whatever place', () => {
    expect(check(file)).not.to.throw();
    for (let length = 0; length < file.length; length += 997) {
      expect(check(file.subarray(0, length))).to.throw(Damage);
    }
  });

  it('passes with a flip in a value, and is refused with one in a length', () => {
    const start = file.indexOf('value 1');
    expect(check(flipped(start, 1))).not.to.throw();
    expect(check(flipped(2, 0x7f))).to.throw(Damage);
  });

  it('is refused with a flip anywhere in the filter and the index, or in the magic number', () => {
    const end = file.length - 48;
    const filter = file.indexOf('filter.leveldb');
    for (let at = filter - 1000; at < end; at += 37) {
      expect(check(flipped(at, 1)), `at ${at}`).to.throw(Damage);
    }
    expect(check(flipped(file.length - 1, 1))).to.throw(Damage);
  });

  it('is refused with nothing but Damage, wherever a byte is flipped', () => {
    for (let at = 0; at < file.length; at += 61) {
      try {
        checkTable(flipped(at, 255), table);
      } catch (error) {
        expect(error, `at ${at}`).to.be.instanceOf(Damage);
      }
    }
  });

  it('is not looked at when no edit of the manifest names it, for it was never finished', async () => {
    const directory = await damaged('unfinished', file);
    await writeFile(join(directory, 'level', '000900.ldb'), file.subarray(0, 1000));
    expect(await inspectInChild([directory])).to.deep.equal({ signal: null, outcomes: [sound] });
  });

  it('has a manifest that may end in a part of a record or in zeros, but not be damaged', () => {
    expect(liveTables(manifest)).to.deep.equal([table]);
    expect(liveTables(Buffer.concat([manifest, Buffer.alloc(100_000)]))).to.have.length(1);
    expect(liveTables(Buffer.concat([manifest, manifest.subarray(0, 9)]))).to.have.length(1);
    for (const at of [0, 6, 8]) {
      const copy = Buffer.from(manifest);
      copy[at] = (copy[at] ?? 0) ^ 1;
      expect(() => liveTables(copy), `at ${at}`).to.throw(Damage);
    }
  });

  it('is refused with a line that names the file and the remedy', async () => {
    const directory = await damaged('refused', flipped(file.length - 1, 1));
    const storage = new LevelStorage(directory, system.clock);
    const failure = await storage.open().catch((error: unknown) => error);
    expect(failure).to.include({ code: 'cannot-open' });
    expect(String(failure)).to.match(new RegExp(`level/${name} is damaged .*restore`));
  });

  it('never aborts the process, gives a wrong value, or hides a record from a sound store', async () => {
    const seed = system.random.u48() % 2 ** 31;
    const random = new SeededRandom(seed);
    const directories: string[] = [];
    const places: string[] = [];
    for (let count = 0; count < flipsCount; count += 1) {
      const at = random.below(file.length);
      const bits = 1 + random.below(255);
      places.push(`${at} ^ ${bits}`);
      directories.push(await damaged(`flip${count}`, flipped(at, bits)));
    }
    const { signal, outcomes } = await inspectInChild(directories);
    expect(signal, `seed ${seed}, at ${places[outcomes.length]}`).to.equal(null);
    expect(outcomes).to.have.length(flipsCount);
    for (const [index, outcome] of outcomes.entries()) {
      const what = `seed ${seed}, at ${places[index]}: ${JSON.stringify(outcome)}`;
      expect(outcome, what).to.include({ wrong: 0 });
      if (outcome['sound'] === true) expect(outcome, what).to.include({ missing: 0 });
    }
  });

  async function damaged(copy: string, bytes: Buffer): Promise<string> {
    const directory = join(home, copy);
    await cp(join(home, 'data'), directory, { recursive: true });
    await writeFile(join(directory, 'level', name), bytes);
    return directory;
  }
});

const sound = { opened: true, sound: true, problems: 0, missing: 0, wrong: 0 };
