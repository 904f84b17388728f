/**
 * Random schedules of writes, syncs, failing batches, full disks, crashes and power cuts, against a
 * model that knows of each key every value ever written, in order. After each start a key must hold
 * the newest value that was promised to last, or a later one that was not refused; a disk that was
 * not damaged is never called unsound.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import type { Appendfsync } from '../../lib/storage/group-commit.ts';
import { keyOf } from '../contract/store-contract.ts';
import { StoreRig } from './store-rig.ts';

interface Written {
  readonly value: string | undefined;
  /** 'sent' until the store says; 'refused' certainly never happened. */
  state: 'sent' | 'acknowledged' | 'durable' | 'unknown' | 'refused';
}

const keysCount = 6;

class Model {
  readonly rig: StoreRig;
  readonly #mode: Appendfsync;
  readonly #written = Array.from({ length: keysCount }, (): Written[] => [
    { value: undefined, state: 'durable' },
  ]);
  #count = 0;
  #stale = true;
  /** After a power cut: acknowledged is not yet durable. */
  #forgiven = false;
  powerCut = false;

  constructor(seed: number, mode: Appendfsync) {
    this.#mode = mode;
    this.rig = new StoreRig(seed, {
      appendfsync: mode,
      ballastBytes: 1000,
      onFence: () => {
        this.#stale = true;
      },
      // What was read between the two may be from before: the failed batch can be there after all.
      onReopened: () => {
        this.#stale = true;
      },
    });
  }

  below(count: number): number {
    return this.rig.time.random.below(count);
  }

  async start(): Promise<void> {
    const report = await this.rig.start();
    const mayLose = this.powerCut && this.#mode !== 'always';
    if (!mayLose) expect(report.problems).to.deep.equal([]);
    this.powerCut = false;
    for (let key = 0; key < keysCount; key += 1) {
      this.#settle(key, await this.rig.read(`k${key}`));
    }
    this.#stale = true;
    await this.#load();
    if (this.below(2) === 0 && !mayLose) expect(await this.rig.sound()).to.equal(true);
  }

  /** What is found is what there was: everything before it is history. */
  #settle(key: number, found: string | undefined): void {
    const history = this.#written[key] ?? [];
    const from = history.findLastIndex(
      ({ state }) => state === 'durable' || (state === 'acknowledged' && !this.#forgiven),
    );
    const at = history.findIndex(
      ({ value, state }, index) => index >= from && value === found && state !== 'refused',
    );
    expect(at, `k${key} holds ${found} after ${JSON.stringify(history)}`).to.be.at.least(0);
    // What a power cut has left is on the disk; what a process left may not be there yet.
    const durable = this.#mode === 'always' || this.#forgiven || history[at]?.state === 'durable';
    this.#written[key] = durable
      ? [{ value: found, state: 'durable' }]
      : [...history.slice(0, at), { value: found, state: 'acknowledged' }];
  }

  /** As a replica does after a fence: what was pending is gone, what is stored is read again. */
  async #load(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      this.rig.writer.rows.clear();
      try {
        for (let key = 0; key < keysCount; key += 1) {
          const row = await this.rig.run(this.rig.store.get(keyOf(`k${key}`)));
          if (row !== undefined) this.rig.writer.rows.set(`k${key}`, row);
        }
      } catch (error) {
        // Fenced in the middle, and the reopening takes longer than a read waits.
        if (!(error instanceof StoreError && error.code === 'io')) throw error;
        this.rig.disk.setRoom(Number.POSITIVE_INFINITY);
        await this.awaitFenceLifted();
        this.#stale = true;
      }
    }
  }

  async write(): Promise<void> {
    if (this.rig.store.state !== 'fenced') await this.#load();
    const key = this.below(keysCount);
    this.#count += 1;
    const value = this.below(4) === 0 ? undefined : `v${this.#count}`;
    const written: Written = { value, state: 'sent' };
    this.#written[key]?.push(written);
    this.rig.writer.write(`k${key}`, value).listen(
      () => {
        written.state = this.#mode === 'always' ? 'durable' : 'acknowledged';
      },
      (error) => {
        const unknown = error instanceof StoreError && error.code === 'unknown';
        written.state = unknown ? 'unknown' : 'refused';
      },
    );
  }

  async sync(): Promise<void> {
    const covered = this.#written.map((history) => history.length);
    try {
      await this.rig.run(this.rig.store.sync());
    } catch {
      return;
    }
    for (const [key, count] of covered.entries()) {
      for (const written of (this.#written[key] ?? []).slice(0, count)) {
        if (written.state === 'acknowledged') written.state = 'durable';
      }
    }
  }

  crash(kind: 'process' | 'power'): void {
    this.powerCut = kind === 'power';
    this.#forgiven = this.powerCut;
    this.rig.crash(kind);
  }

  async stop(): Promise<void> {
    this.#forgiven = false;
    const synced = this.rig.store.state !== 'fenced';
    await this.rig.run(this.rig.store.close({ epoch: 1, lastStamp: 1 }));
    if (!synced) return;
    for (const written of this.#written.flat()) {
      if (written.state === 'acknowledged') written.state = 'durable';
    }
  }

  async awaitFenceLifted(): Promise<void> {
    while (this.rig.store.state === 'fenced') await this.rig.time.advance(100);
  }
}

async function live(model: Model): Promise<void> {
  await model.start();
  for (let step = 0; step < 12; step += 1) {
    for (let count = model.below(6); count > 0; count -= 1) await model.write();
    if (model.below(4) === 0) await model.sync();
    if (model.below(8) === 0) model.rig.disk.failBatches = 1;
    if (model.below(10) === 0) model.rig.disk.setRoom(model.below(3000));
    await model.rig.time.advance(model.below(3000) / 1000);
    if (model.rig.store.state === 'fenced') {
      model.rig.disk.setRoom(Number.POSITIVE_INFINITY);
      model.rig.disk.failOpens = model.below(2);
      if (model.below(3) > 0) await model.awaitFenceLifted();
    }
  }
  model.rig.disk.setRoom(Number.POSITIVE_INFINITY);
  model.rig.disk.failBatches = 0;
  model.rig.disk.failOpens = 0;
  const end = model.below(3);
  if (end === 0) await model.stop();
  else model.crash(end === 1 ? 'process' : 'power');
}

describe('a store under random schedules', () => {
  for (const mode of ['always', 'everysec', 'no'] as const) {
    it(`keeps what appendfsync ${mode} promises, and calls no good disk bad`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(2 ** 31), async (seed) => {
          const model = new Model(seed, mode);
          for (let life = 0; life < 4; life += 1) await live(model);
          const cut = model.powerCut;
          await model.start();
          const sound = await model.rig.sound();
          if (!(cut && mode !== 'always')) expect(sound).to.equal(true);
        }),
        { numRuns: 60 },
      );
    });
  }
});
