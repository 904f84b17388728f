/** A real full disk: needs the right to mount one, so it is skipped for anybody but root. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { StoreError } from '../../lib/base/errors.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { LevelStorage } from '../../lib/storage/level-storage.ts';
import { Store } from '../../lib/storage/store.ts';
import { failureOf } from '../contract/storage-contract.ts';
import { keyOf, storeOptions, textOf, Writer } from '../contract/store-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';

const run = promisify(execFile);
const system = realSystem(silentLog);

describe('a store on a disk that fills up', () => {
  let directory = '';

  before(async function () {
    directory = await mkdtemp(join(tmpdir(), 'redynamo-full-'));
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', directory]);
    } catch {
      await rm(directory, { recursive: true });
      directory = '';
      this.skip(); // Only root may mount a disk small enough to fill.
    }
  });

  after(async () => {
    if (directory === '') return;
    await run('umount', [directory]);
    await rm(directory, { recursive: true });
  });

  it('refuses writes, serves reads, and loses nothing once there is room', async function () {
    this.timeout(60_000);
    let reopened = (): void => undefined;
    const lifted = new Promise<void>((resolve) => {
      reopened = resolve;
    });
    const make = (): Store =>
      new Store(new LevelStorage(join(directory, 'data'), system.clock), system, {
        ...storeOptions,
        appendfsync: 'always',
        ballastBytes: 6 * 1024 * 1024,
        onReopened: () => reopened(),
      });
    let store = make();
    await store.open();
    let writer = new Writer(store, system);
    await writeFile(join(directory, 'filler'), Buffer.alloc(12 * 1024 * 1024));
    const kept: string[] = [];
    let failure: unknown;
    for (let index = 0; failure === undefined; index += 1) {
      failure = await failureOf(writer.write(`k${index}`, `${index} `.repeat(2000)));
      if (failure === undefined) kept.push(`k${index}`);
    }
    expect(failure).to.be.instanceOf(StoreError).and.include({ code: 'unknown' });
    expect(kept.length).to.be.above(10);
    expect(store.state).to.equal('fenced');
    expect(await failureOf(writer.write('late', 'v'))).to.include({ code: 'full' });
    expect(textOf(await store.get(keyOf('k3')))).to.equal('3 '.repeat(2000));

    await rm(join(directory, 'filler'));
    await lifted;
    writer = new Writer(store, system);
    for (let index = 0; index < 50; index += 1) {
      await writer.write(`later${index}`, 'v');
      kept.push(`later${index}`);
    }
    await store.close();
    store = make();
    expect((await store.open()).problems).to.deep.equal([]);
    for (const name of kept) expect(await store.get(keyOf(name)), name).not.to.equal(undefined);
    expect(await store.verified).to.deep.equal({ sound: true });
    await store.close();
    expect(await readdir(join(directory, 'data'))).to.include.members(['ballast', 'level']);
  });
});
