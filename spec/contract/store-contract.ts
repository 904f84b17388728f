/** What a `Store` does over every `Storage` that is not damaged. */
import { expect } from 'chai';
import { after, type Deferred } from '../../lib/base/later.ts';
import type { System } from '../../lib/runtime/ports.ts';
import type { Change } from '../../lib/storage/batch-row.ts';
import { agendaKey, dataKey, metaKey } from '../../lib/storage/keys.ts';
import { bodyEnd, bodyStart, sealRow } from '../../lib/storage/row.ts';
import { Store, type StoreOptions } from '../../lib/storage/store.ts';
import { codeOf, type StorageRig } from './storage-contract.ts';

export const storeOptions: StoreOptions = {
  appendfsync: 'everysec',
  ballastBytes: 64 * 1024,
  lastStamp: () => 0,
  /** The first byte of a value names the tally it counts for. */
  census: async () => ({
    take: (_key, row, count, isSound) => {
      if (isSound) count(row[bodyStart] ?? 0, 1);
    },
    end: () => undefined,
  }),
  onFence: () => undefined,
};

export function keyOf(name: string): Buffer {
  const hash32 = [...name].reduce((hash, letter) => hash * 31 + letter.charCodeAt(0), 7) % 2 ** 32;
  return dataKey({ slot: hash32 % 16384, hash32, db: 0 }, Buffer.from(name));
}

export function sealed(key: Buffer, value: string, { hashes }: System): Buffer {
  const body = Buffer.from(value);
  return sealRow(key, body.length, (target, at) => target.set(body, at), hashes.crc32);
}

/** Writes values by name, and knows what each write replaces. */
export class Writer {
  readonly store: Store;
  readonly #system: System;
  readonly rows = new Map<string, Buffer>();

  constructor(store: Store, system: System, rows: ReadonlyMap<string, Buffer> = new Map()) {
    this.store = store;
    this.#system = system;
    this.rows = new Map(rows);
  }

  change(name: string, value: string | undefined): Change {
    const key = keyOf(name);
    const previous = this.rows.get(name);
    const row = value === undefined ? undefined : sealed(key, value, this.#system);
    if (row === undefined) this.rows.delete(name);
    else this.rows.set(name, row);
    return { key, row, previous };
  }

  write(name: string, value: string | undefined): Deferred<void> {
    return this.store.write([this.change(name, value)]);
  }
}

export function textOf(row: Buffer | undefined): string | undefined {
  return row?.toString('utf8', bodyStart, bodyEnd(row));
}

export function storeContract(name: string, make: () => Promise<StorageRig>): void {
  describe(`a store over ${name}`, () => {
    let rig: StorageRig;
    let store: Store;
    let writer: Writer;
    /** Also those that a test leaves behind as a crash would: a forgotten one would go on for ever. */
    let stores: Store[] = [];
    const start = (options: Partial<StoreOptions> = {}): Store => {
      store = new Store(rig.storage, rig.system, { ...storeOptions, ...options });
      stores.push(store);
      writer = new Writer(store, rig.system, writer?.rows);
      return store;
    };
    const restart = async (stop?: { epoch: number; lastStamp: number }) => {
      await rig.run(store.close(stop));
      return rig.run(start().open());
    };
    const read = async (key: string): Promise<string | undefined> =>
      textOf(await rig.run(store.get(keyOf(key))));

    beforeEach(async () => {
      rig = await make();
      stores = [];
      start();
      writer = new Writer(store, rig.system);
    });
    afterEach(async () => {
      for (const opened of stores) await rig.run(opened.close());
      await rig.end();
    });

    it('is created empty, sound and without a marker', async () => {
      const report = await rig.run(store.open());
      expect(report).to.deep.equal({
        created: true,
        lastBatch: 0,
        ceiling: 0,
        lost: 0,
        problems: [],
        marker: undefined,
      });
      expect(store.state).to.equal('checking');
      expect(await rig.run(store.verified)).to.deep.equal({ sound: true });
      expect(store.state).to.equal('ok');
    });

    it('reads back what a settled write wrote, sealed', async () => {
      await rig.run(store.open());
      await rig.run(writer.write('k', 'value'));
      expect(await read('k')).to.equal('value');
      expect(await read('other')).to.equal(undefined);
      await rig.run(writer.write('k', undefined));
      expect(await read('k')).to.equal(undefined);
    });

    it('shares few batches among many concurrent writes', async () => {
      await rig.run(store.open());
      await rig.run(store.verified);
      const before = store.batches;
      const writes = Array.from({ length: 500 }, (_, index) => writer.write(`k${index}`, 'v'));
      await rig.run(Promise.all(writes));
      expect(store.batches - before).to.be.at.most(2);
      expect(store.records).to.equal(500);
    });

    it('never puts more than a batch’s worth into one, but one big write goes alone', async () => {
      await rig.run(store.open());
      await rig.run(store.verified);
      const before = store.batches;
      const big = 'x'.repeat(1_500_000);
      const writes = [writer.write('a', 'v'), writer.write('big', big), writer.write('b', 'v')];
      const many = Array.from({ length: 2500 }, (_, index) => writer.write(`k${index}`, 'v'));
      await rig.run(Promise.all([...writes, ...many]));
      expect(store.batches - before).to.be.within(4, 6);
      expect(await read('big')).to.equal(big);
    });

    it('settles in the order of writing, one batch in one turn', async () => {
      await rig.run(store.open());
      const settled: number[] = [];
      const turns = new Set<number>();
      let turn = 0;
      const writes = Array.from({ length: 50 }, (_, index) => {
        const write = writer.write('same', `v${index}`);
        write.listen(
          () => {
            settled.push(index);
            turns.add(turn);
            void Promise.resolve().then(() => {
              turn += 1;
            });
          },
          () => undefined,
        );
        return write;
      });
      await rig.run(Promise.all(writes));
      expect(settled).to.deep.equal(Array.from({ length: 50 }, (_, index) => index));
      expect(turns.size).to.equal(1);
      expect(await read('same')).to.equal('v49');
    });

    it('answers a write only when it can be read', async () => {
      await rig.run(store.open());
      const seen = writer.write('k', 'v').then(() => after(store.get(keyOf('k')), textOf));
      expect(await rig.run(seen)).to.equal('v');
    });

    it('keeps tallies in the order of writing, over restarts', async () => {
      await rig.run(store.open());
      store.write([], [{ index: 3, add: 5 }]);
      store.write([], [{ index: 3, reset: true }]);
      store.write(
        [],
        [
          { index: 3, add: 1 },
          { index: 9, add: 2 },
        ],
      );
      await rig.run(store.sync());
      expect([store.tally(3), store.tally(9), store.tally(1)]).to.deep.equal([1, 2, 0]);
      await rig.run(store.close());
      start();
      await rig.run(store.open());
      expect([store.tally(3), store.tally(9)]).to.deep.equal([1, 2]);
    });

    it('lets the scan put tallies right, without doubting the data', async () => {
      await rig.run(store.open());
      await rig.run(
        store.write([writer.change('k', 'Av'), writer.change('l', 'Bv')], [{ index: 65, add: 7 }]),
      );
      await restart();
      expect(await rig.run(store.verified)).to.deep.equal({ sound: true });
      await rig.run(store.sync());
      expect([store.tally(65), store.tally(66)]).to.deep.equal([1, 1]);
      expect(store.lostRecords).to.equal(0);
    });

    it('does not undo a reset that came while the scan was under way', async () => {
      await rig.run(store.open());
      await rig.run(store.write([writer.change('k', 'Av')], [{ index: 65, add: 7 }]));
      await rig.run(store.close());
      let counted = (): void => undefined;
      const scanning = new Promise<void>((resolve) => {
        counted = resolve;
      });
      start({
        census: async () => ({
          take: (_key, row, count) => {
            counted();
            count(row[bodyStart] ?? 0, 1);
          },
          end: () => undefined,
        }),
      });
      await rig.run(store.open());
      await rig.run(scanning);
      await rig.run(store.write([], [{ index: 65, reset: true }]));
      await rig.run(store.verified);
      await rig.run(store.sync());
      expect(store.tally(65)).to.equal(0);
    });

    it('keeps the numbers going and finds nothing wrong after restarts', async () => {
      await rig.run(store.open());
      for (let round = 0; round < 5; round += 1) {
        for (let index = 0; index < 20; index += 1) writer.write(`k${index}`, `v${round}`);
        writer.write(`k${round}`, undefined);
        store.write([
          {
            key: metaKey('fact'),
            row: sealed(metaKey('fact'), 'x', rig.system),
            previous: undefined,
          },
          {
            key: agendaKey('expires', round, keyOf('k')),
            row: Buffer.alloc(0),
            previous: undefined,
          },
        ]);
        await rig.run(store.sync());
        const { lastBatch } = store;
        const report = await restart();
        expect(report).to.include({ created: false, lost: 0 });
        expect(report.lastBatch).to.be.at.least(lastBatch);
        expect(report.problems).to.deep.equal([]);
        expect(await rig.run(store.verified)).to.deep.equal({ sound: true });
      }
      expect(store.records).to.equal(19);
    });

    it('hands the marker of a clean stop to the next start, once', async () => {
      await rig.run(store.open());
      await rig.run(writer.write('k', 'v'));
      const nonce = store.bootNonce;
      const report = await restart({ epoch: 77, lastStamp: 2 ** 50 + 1 });
      expect(report.marker).to.deep.equal({
        epoch: 77,
        lastBatch: report.lastBatch,
        lastStamp: 2 ** 50 + 1,
        bootNonce: nonce,
      });
      await rig.run(rig.storage.close());
      start();
      expect((await rig.run(store.open())).marker).to.equal(undefined);
    });

    it('raises the ceiling ahead of the stamps', async () => {
      let lastStamp = 0;
      start({ lastStamp: () => lastStamp });
      await rig.run(store.open());
      for (const stamp of [1000 * 4096, 100_000 * 4096, 100_001 * 4096]) {
        lastStamp = stamp;
        await rig.run(writer.write('k', 'v'));
      }
      const report = await restart();
      expect(report.ceiling).to.be.within(lastStamp + 1, lastStamp + 10_000 * 4096);
    });

    it('writes what was begun, then refuses, once closed', async () => {
      await rig.run(store.open());
      const write = writer.write('k', 'v');
      const closed = store.close();
      const late = writer.write('l', 'v');
      await rig.run(closed);
      await rig.run(write);
      expect(await codeOf(() => late)).to.equal('closed');
      expect(await codeOf(() => store.get(keyOf('k')))).to.equal('closed');
      expect(await codeOf(() => store.sync())).to.equal('closed');
      start();
      await rig.run(store.open());
      expect(await read('k')).to.equal('v');
      expect(await read('l')).to.equal(undefined);
    });
  });
}
