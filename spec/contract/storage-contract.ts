/** What every `Storage` must do, and what a `Store` does over each of them. */
import { expect } from 'chai';
import { StoreError } from '../../lib/base/errors.ts';
import type { System } from '../../lib/runtime/ports.ts';
import type { Cursor, Put, RowChange, Storage } from '../../lib/storage/storage.ts';

export interface StorageRig {
  readonly storage: Storage;
  /** Another process' door to the same data. */
  readonly other: Storage;
  readonly system: System;
  /** Awaits, and lets time pass where it is simulated. */
  run<T>(work: PromiseLike<T> | T): Promise<T>;
  end(): Promise<void>;
}

export const put = (key: string, row: string): RowChange => ({
  key: Buffer.from(key, 'latin1'),
  row: Buffer.from(row),
});

export const remove = (key: string): RowChange => ({
  key: Buffer.from(key, 'latin1'),
  row: undefined,
});

export async function failureOf(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return undefined;
}

export async function codeOf(work: () => PromiseLike<unknown> | unknown): Promise<string> {
  const failure = await failureOf((async () => work())());
  return failure instanceof StoreError ? failure.code : String(failure);
}

const text = (entries: readonly Put[]): string =>
  entries.map(({ key, value }) => `${key.toString('latin1')}=${value}`).join(' ');

async function all(cursor: Cursor, count = 2): Promise<string> {
  const entries: Put[] = [];
  for (;;) {
    const page = await cursor.next(count);
    if (page.length === 0) break;
    expect(page.length).to.be.at.most(count);
    entries.push(...page);
  }
  await cursor.close();
  return text(entries);
}

export function storageContract(name: string, make: () => Promise<StorageRig>): void {
  describe(`${name} as a storage`, () => {
    let rig: StorageRig;
    let storage: Storage;
    const range = { from: Buffer.from('a'), to: Buffer.from('e') };
    const read = async (key: string): Promise<string | undefined> =>
      (await rig.run(storage.get(Buffer.from(key))))?.toString();

    beforeEach(async () => {
      rig = await make();
      storage = rig.storage;
    });
    afterEach(() => rig.end());

    it('says whether it was created, and loses nothing by closing', async () => {
      expect(await rig.run(storage.open())).to.deep.equal({ created: true, dropped: [] });
      await rig.run(storage.batch([put('a', '1')], false));
      await rig.run(storage.close());
      await rig.run(storage.close());
      expect(await rig.run(storage.open())).to.deep.equal({ created: false, dropped: [] });
      expect(await read('a')).to.equal('1');
    });

    it('is one process’ at a time', async () => {
      await rig.run(storage.open());
      expect(await rig.run(codeOf(() => rig.other.open()))).to.equal('locked');
      await rig.run(storage.close());
      await rig.run(rig.other.open());
      await rig.run(rig.other.close());
    });

    it('refuses everything while closed', async () => {
      const closed = (work: () => PromiseLike<unknown> | unknown) => rig.run(codeOf(work));
      expect(await closed(() => storage.get(Buffer.from('a')))).to.equal('closed');
      expect(await closed(() => storage.batch([put('a', '1')], false))).to.equal('closed');
      expect(await closed(() => storage.cursor(range))).to.equal('closed');
      expect(await closed(() => storage.snapshot())).to.equal('closed');
    });

    it('applies a batch as a whole and in its order', async () => {
      await rig.run(storage.open());
      await rig.run(
        storage.batch(
          [put('a', '1'), put('b', '1'), remove('a'), put('b', '2'), remove('x'), put('x', '3')],
          true,
        ),
      );
      expect(await read('a')).to.equal(undefined);
      expect(await read('b')).to.equal('2');
      expect(await read('x')).to.equal('3');
    });

    it('copies what it is given before the call returns', async () => {
      await rig.run(storage.open());
      const change = put('a', 'before');
      const written = storage.batch([change], false);
      change.key.fill(0);
      change.row?.fill(0);
      await rig.run(written);
      const found = await rig.run(storage.get(Buffer.from('a')));
      expect(found?.toString()).to.equal('before');
      found?.fill(0);
      expect(await read('a')).to.equal('before');
    });

    it('keeps empty rows apart from absent ones', async () => {
      await rig.run(storage.open());
      await rig.run(storage.batch([put('a', '')], false));
      expect(await read('a')).to.equal('');
      expect(await read('b')).to.equal(undefined);
    });

    it('orders keys by their bytes, in both directions, the end excluded', async () => {
      await rig.run(storage.open());
      const keys = ['d', 'a', 'a\xff', 'b', 'e', 'a\x00', '\x80'];
      await rig.run(
        storage.batch(
          keys.map((key) => put(key, '1')),
          false,
        ),
      );
      expect(await rig.run(all(storage.cursor(range)))).to.equal('a=1 a\x00=1 a\xff=1 b=1 d=1');
      expect(await rig.run(all(storage.cursor({ ...range, reverse: true })))).to.equal(
        'd=1 b=1 a\xff=1 a\x00=1 a=1',
      );
      expect(await rig.run(all(storage.cursor({ ...range, keysOnly: true })))).to.equal(
        'a= a\x00= a\xff= b= d=',
      );
    });

    it('shows a cursor and a snapshot one moment, whatever is written later', async () => {
      await rig.run(storage.open());
      await rig.run(storage.batch([put('a', '1'), put('b', '1')], false));
      const cursor = storage.cursor(range);
      const snapshot = storage.snapshot();
      await rig.run(storage.batch([remove('a'), put('b', '2'), put('c', '2')], false));
      expect(await rig.run(all(cursor, 1))).to.equal('a=1 b=1');
      expect(await rig.run(all(snapshot.cursor(range)))).to.equal('a=1 b=1');
      expect((await rig.run(snapshot.get(Buffer.from('a'))))?.toString()).to.equal('1');
      expect(await rig.run(snapshot.get(Buffer.from('c')))).to.equal(undefined);
      await rig.run(snapshot.close());
      expect(await rig.run(all(storage.cursor(range)))).to.equal('b=2 c=2');
    });

    it('ends cursors and snapshots with `closed` when it is closed', async () => {
      await rig.run(storage.open());
      await rig.run(storage.batch([put('a', '1')], false));
      const cursor = storage.cursor(range);
      const snapshot = storage.snapshot();
      await rig.run(storage.close());
      expect(await rig.run(codeOf(() => cursor.next(1)))).to.equal('closed');
      expect(await rig.run(codeOf(() => snapshot.get(Buffer.from('a'))))).to.equal('closed');
      await rig.run(cursor.close());
      await rig.run(snapshot.close());
    });

    it('replaces small files whole, and removes them', async () => {
      await rig.run(storage.open());
      const { files } = storage;
      expect(await rig.run(files.read('name'))).to.equal(undefined);
      await rig.run(files.write('name', Buffer.from('a longer content'), true));
      await rig.run(files.write('name', Buffer.from('short'), false));
      expect((await rig.run(files.read('name')))?.toString()).to.equal('short');
      await rig.run(files.remove('name'));
      await rig.run(files.remove('name'));
      expect(await rig.run(files.read('name'))).to.equal(undefined);
    });

    it('reserves room as often as it is asked', async () => {
      await rig.run(storage.open());
      await rig.run(storage.files.reserve('room', 100_000));
      await rig.run(storage.files.reserve('room', 100_000));
      await rig.run(storage.files.remove('room'));
      await rig.run(storage.files.reserve('room', 100_000));
    });
  });
}
