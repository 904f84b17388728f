/**
 * What makes the map trustworthy. LevelDB loses, reverts and corrupts in silence (RELIABILITY 0.1);
 * here every row is checked when it is read, every batch leaves a trace of what must be there, and
 * after a failed batch nothing is acknowledged until the map has been reopened and checked.
 *
 *   ok        reads and writes
 *   checking  the same, while a scan in the background reads everything once
 *   degraded  the same, but something was lost or is corrupt
 *   fenced    reads only, while the map is reopened
 *
 * Rows are sealed (`row.ts`), those of the agenda empty. Reads see what is committed, never what is
 * in flight: else a value could be read that a crash removes.
 */
import { emptyBytes } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import { Deferred, isLater, type Later } from '../base/later.ts';
import type { Stamp } from '../causal/record.ts';
import type { System } from '../runtime/ports.ts';
import type { Census } from './background-scan.ts';
import type { Change, TallyChange } from './batch-row.ts';
import {
  type CleanStop,
  readMarker,
  readWatermark,
  removeMarker,
  Watermark,
  writeMarker,
} from './clean-stop.ts';
import { CorruptRows } from './corrupt-rows.ts';
import { Fence } from './fence.ts';
import { type Appendfsync, GroupCommit, type Waiter } from './group-commit.ts';
import { checkBatchRows, type OpenCheck } from './open-check.ts';
import { isSound } from './row.ts';
import { SelfCheck, type Verdict } from './self-check.ts';
import type { Cursor, Range, Snapshot, Storage } from './storage.ts';

export interface StoreOptions {
  readonly appendfsync: Appendfsync;
  /** Room kept for recovering from a full disk. */
  readonly ballastBytes?: number;
  /** The highest stamp issued so far. */
  lastStamp(): Stamp;
  /** Called for each scan with the snapshot it reads: what does a row count for? */
  census(snapshot: Snapshot): Promise<Census>;
  /** In the turn in which a batch failed, before its writers are told. */
  onFence(): void;
  onReopened?(): void;
}

export interface OpenReport {
  readonly created: boolean;
  readonly lastBatch: number;
  /** No stamp above it was ever issued. */
  readonly ceiling: Stamp;
  /** Acknowledged batches that are missing; of single records only `verified` can tell. */
  readonly lost: number;
  readonly problems: readonly string[];
  /** Only if the last process stopped cleanly and this is what it left. */
  readonly marker: CleanStop | undefined;
}

export type StoreState = 'ok' | 'checking' | 'degraded' | 'fenced';

const defaultBallastBytes = 16 * 1024 * 1024;
/** How long a read waits for the map to be reopened. */
const readWaitMs = 1000;
const sizeAgeMaxMs = 5000;

export class Store {
  /** Settles when the scan after `open` has finished, or can no longer. */
  readonly verified = new Deferred<Verdict>();
  readonly bootNonce: number;
  readonly #storage: Storage;
  readonly #system: System;
  readonly #options: StoreOptions;
  readonly #commit: GroupCommit;
  readonly #check: SelfCheck;
  readonly #fence: Fence;
  readonly #watermark: Watermark;
  readonly #corrupt = new CorruptRows();
  #phase: 'closed' | 'open' | 'fenced' = 'closed';
  /** While the map is being reopened: settles when it can be read again. */
  #reopening: Deferred<void> | undefined;
  #reopened: OpenCheck | undefined;
  #closing: Promise<void> | undefined;
  #sizeBytes = 0;
  #sizeReadAtMs = Number.NEGATIVE_INFINITY;

  constructor(storage: Storage, system: System, options: StoreOptions) {
    this.#storage = storage;
    this.#system = system;
    this.#options = options;
    this.bootNonce = system.random.u48();
    this.#watermark = new Watermark(storage.files, system, this.bootNonce);
    this.#commit = new GroupCommit(storage, system, {
      appendfsync: options.appendfsync,
      lastStamp: () => options.lastStamp(),
      onCommitted: (number) => this.#watermark.note(number),
      onFailed: (error) => this.#beginFence(error),
    });
    this.#check = new SelfCheck(storage, system, this.#commit, {
      census: (snapshot) => options.census(snapshot),
      sound: (key, row) => {
        if (this.#isSound(key, row)) return true;
        this.#corrupt.note(key);
        return false;
      },
    });
    this.#fence = new Fence(storage.files, system, {
      ballastBytes: options.ballastBytes ?? defaultBallastBytes,
      reopen: () => this.#reopen(),
      onReady: () => this.#endFence(),
    });
  }

  get state(): StoreState {
    if (this.#phase === 'fenced') return 'fenced';
    if (this.#check.running) return 'checking';
    return this.#check.degraded || this.#corrupt.count > 0 ? 'degraded' : 'ok';
  }

  get lostRecords(): number {
    return this.#check.lostRecords;
  }

  get corruptRecords(): number {
    return this.#corrupt.count;
  }

  /** Batches written since the start. */
  get batches(): number {
    return this.#commit.batches;
  }

  /** Number of the latest batch. */
  get lastBatch(): number {
    return this.#commit.committed.number;
  }

  /** Data and hint rows. */
  get records(): number {
    return this.#commit.committed.count;
  }

  tally(index: number): number {
    return this.#commit.committed.tallies.get(index) ?? 0;
  }

  /** Bytes on disk, some seconds old. */
  sizeBytes(): number {
    const nowMs = this.#system.clock.monotonicMs();
    if (this.#phase === 'open' && nowMs - this.#sizeReadAtMs > sizeAgeMaxMs) {
      this.#sizeReadAtMs = nowMs;
      this.#storage.sizeBytes().then(
        (bytes) => {
          this.#sizeBytes = bytes;
        },
        () => undefined,
      );
    }
    return this.#sizeBytes;
  }

  /** Removes the marker of the last stop: the caller decides at once what it is worth. */
  async open(): Promise<OpenReport> {
    const { created, dropped } = await this.#storage.open();
    try {
      const { crc32 } = this.#system.hashes;
      const { files } = this.#storage;
      const watermark = await readWatermark(files, crc32);
      const marker = await readMarker(files, crc32);
      const acknowledged = Math.max(
        watermark === 'damaged' ? 0 : watermark,
        marker === 'damaged' ? 0 : (marker?.lastBatch ?? 0),
      );
      const check = await checkBatchRows(this.#storage, acknowledged, crc32);
      await removeMarker(files);
      const damaged = [
        ...dropped,
        ...(watermark === 'damaged' ? ['the watermark is damaged'] : []),
        ...(marker === 'damaged' ? ['the marker of the clean stop is damaged'] : []),
      ];
      for (const problem of damaged) this.#check.complain(problem);
      this.#check.adopt(check);
      await this.#fence.makeFirstBallast();
      this.#beginWork(check);
      return {
        created,
        lastBatch: check.row.number,
        ceiling: check.row.ceiling,
        lost: check.missing,
        problems: [...damaged, ...check.problems],
        marker: trusted(marker, check),
      };
    } catch (error) {
      await this.#storage.close();
      throw error;
    }
  }

  /** The sealed row. A failure is thrown, or is that of the Later: `corrupt`, `io` or `closed`. */
  get(key: Buffer): Later<Buffer | undefined> {
    if (this.#reopening !== undefined) return this.#getOnceReopened(key);
    let row: Later<Buffer | undefined>;
    try {
      row = this.#storage.get(key);
    } catch (error) {
      throw this.#readFailure(key, error);
    }
    if (!isLater(row)) return this.#checked(key, row);
    return row.then(
      (value) => this.#checked(key, value),
      (error: unknown) => {
        throw this.#readFailure(key, error);
      },
    );
  }

  /** Keys and new rows stay the store's until the write settles; the previous ones are borrowed. */
  write(changes: readonly Change[], tallies: readonly TallyChange[] = []): Deferred<void> {
    return this.#commit.write(this.#corrupt.complete(changes), tallies);
  }

  /** The same, telling `waiter` instead of making a Deferred. */
  writeFor(waiter: Waiter, changes: readonly Change[], tallies: readonly TallyChange[]): void {
    this.#commit.writeFor(waiter, this.#corrupt.complete(changes), tallies);
  }

  /** Settles when everything written so far is on the disk. */
  sync(): Deferred<void> {
    return this.#commit.sync();
  }

  setAppendfsync(mode: Appendfsync): void {
    this.#commit.setAppendfsync(mode);
  }

  /** Rows as they lie there: whoever uses one asks `sound` first. */
  cursor(range: Range): Cursor {
    this.#refuseWhileReopening();
    return this.#storage.cursor(range);
  }

  snapshot(): Snapshot {
    this.#refuseWhileReopening();
    return this.#storage.snapshot();
  }

  /** Whether this sealed row is what was written under this key; counts it if not. */
  sound(key: Buffer, row: Buffer): boolean {
    if (this.#isSound(key, row)) return true;
    // No scan has seen it: the tallies may still have what it once counted for.
    if (this.#corrupt.note(key)) this.recount();
    return false;
  }

  /** The row as it lies there, once `get` has failed with `corrupt`; empty: nobody can tell. */
  corruptRow(key: Buffer): Buffer {
    return this.#corrupt.rowOf(key);
  }

  /** Reads everything once more, for tallies that no longer follow from what was written. */
  recount(): void {
    if (this.#phase === 'open') this.#check.recount();
  }

  /**
   * Waits for the writes so far. With `stop` it leaves the marker of a clean stop, unless a batch
   * has failed. Afterwards everything fails with `closed`.
   */
  close(stop?: { readonly epoch: number; readonly lastStamp: Stamp }): Promise<void> {
    this.#closing ??= this.#close(stop);
    return this.#closing;
  }

  async #close(stop: { epoch: number; lastStamp: Stamp } | undefined): Promise<void> {
    const last = this.#commit.sync();
    this.#commit.refuse(new StoreError('closed'));
    const written = await last.then(
      () => true,
      () => false,
    );
    await this.#fence.stop();
    await this.#watermark.stop();
    await this.#check.stop();
    if (stop !== undefined && written && this.#phase === 'open') await this.#leaveMarker(stop);
    this.#phase = 'closed';
    this.#openGate()?.settle();
    this.verified.settle({ sound: false });
    await this.#storage.close();
  }

  async #leaveMarker(stop: { epoch: number; lastStamp: Stamp }): Promise<void> {
    const marker = { ...stop, lastBatch: this.lastBatch, bootNonce: this.bootNonce };
    try {
      await writeMarker(this.#storage.files, marker, this.#system.hashes.crc32);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#system.log.warning('no marker of a clean stop', { message: error.message });
    }
  }

  #beginWork(check: OpenCheck): void {
    this.#phase = 'open';
    this.sizeBytes();
    this.#commit.resume(check.row);
    this.#check.begin(check, (verdict) => this.verified.settle(verdict));
  }

  #beginFence(error: StoreError): void {
    this.#phase = 'fenced';
    this.verified.settle({ sound: false });
    this.#system.log.warning('a batch failed: writes are refused', { message: error.message });
    this.#options.onFence();
    this.#fence.begin();
  }

  async #reopen(): Promise<void> {
    this.#reopening ??= new Deferred();
    await this.#check.stop();
    await this.#storage.close();
    const { dropped } = await this.#storage.open();
    // What the engine dropped may well be the failed batch; whether it was more, the check tells.
    for (const line of dropped) this.#system.log.warning('the engine dropped data', { line });
    const { crc32 } = this.#system.hashes;
    const check = await checkBatchRows(this.#storage, this.lastBatch, crc32);
    this.#check.adopt(check);
    this.#reopened = check;
    this.#openGate()?.settle();
  }

  /** Whoever waits reads again when this settles, so the gate must be open by then. */
  #openGate(): Deferred<void> | undefined {
    const gate = this.#reopening;
    this.#reopening = undefined;
    return gate;
  }

  #endFence(): void {
    if (this.#reopened === undefined) return;
    this.#beginWork(this.#reopened);
    this.#system.log.notice('the storage has been opened again: writes are taken');
    this.#options.onReopened?.();
  }

  #getOnceReopened(key: Buffer): Later<Buffer | undefined> {
    const reopened = new Deferred<void>();
    const timer = this.#system.timers.after(readWaitMs, () => reopened.fail(beingReopened()));
    const settle = (): void => {
      timer.cancel();
      reopened.settle();
    };
    this.#reopening?.listen(settle, settle);
    return reopened.then(() => this.get(key));
  }

  #refuseWhileReopening(): void {
    if (this.#reopening !== undefined) throw beingReopened();
  }

  #checked(key: Buffer, row: Buffer | undefined): Buffer | undefined {
    if (row === undefined || this.sound(key, row)) return row;
    this.#corrupt.wasRead(key, row);
    throw new StoreError('corrupt', `key ${key.toString('hex', 0, 64)}`);
  }

  #readFailure(key: Buffer, error: unknown): unknown {
    if (error instanceof StoreError && error.code === 'corrupt') {
      this.#corrupt.note(key);
      this.#corrupt.wasRead(key, emptyBytes);
    }
    return error;
  }

  #isSound(key: Buffer, row: Buffer): boolean {
    return isSound(key, row, this.#system.hashes.crc32);
  }
}

function beingReopened(): StoreError {
  return new StoreError('io', 'it is being reopened');
}

function trusted(
  marker: CleanStop | 'damaged' | undefined,
  check: OpenCheck,
): CleanStop | undefined {
  if (marker === undefined || marker === 'damaged') return undefined;
  return marker.lastBatch === check.lastNumber && check.missing === 0 ? marker : undefined;
}
