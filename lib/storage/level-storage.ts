/**
 * The real disk: LevelDB (classic-level), in the subdirectory `level` of the data directory, beside
 * the small files. What it is known to lose in silence is found above, in `store.ts`.
 *
 * - No compression: a flipped bit in a compressed block aborts the process (RELIABILITY E2).
 * - LevelDB maps whole tables into memory and counts no byte of it: its block cache stays unused
 *   for mapped, uncompressed tables, and resident memory grows to `maxOpenFiles * maxFileSize`.
 *   Their product is the budget: with 1 M records (190 MB) read at random and scanned, 64 MB stay
 *   resident against 175 MB with LevelDB's defaults, at some 40 us a read against 10.
 * - LevelDB closes a full log without syncing it. A synced batch in the next log would then be
 *   durable while unsynced ones before it are not; `batch` syncs the older logs itself.
 * - A read is a call of 3 us while the data is in memory, and an asynchronous one costs three times
 *   that; but on a cold disk the call stops the whole node. So the mean time of the calls decides.
 */
import { join } from 'node:path';
import { ClassicLevel, type Iterator as LevelIterator } from 'classic-level';
import { emptyBytes } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Later } from '../base/later.ts';
import type { Clock } from '../runtime/ports.ts';
import { markerName } from './clean-stop.ts';
import {
  DiskFiles,
  directoryBytes,
  exists,
  fileTail,
  makeDirectory,
  storeError,
  syncDirectory,
  syncFiles,
} from './disk-files.ts';
import { checkEngine } from './engine-check.ts';
import type {
  Cursor,
  OpenNotes,
  Put,
  Range,
  RowChange,
  SmallFiles,
  Snapshot,
  Storage,
} from './storage.ts';

type Level = ClassicLevel<Buffer, Buffer>;
type LevelSnapshot = ReturnType<Level['snapshot']>;

const levelOptions = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: false,
  /** LevelDB's minimum for both: 64 tables (10 files are something else) of 1 MB are mapped. */
  maxOpenFiles: 74,
  maxFileSize: 1024 * 1024,
  /** Only tables that could not be mapped use it. */
  cacheSize: 1024 * 1024,
  /** A flushed buffer is one mapped table: with 8 MB, 50 MB more stayed resident behind a scan. */
  writeBufferSize: 4 * 1024 * 1024,
} as const;

/** Synchronous reads slower than this on average stop the loop for longer than a thread would. */
const coldReadMs = 0.1;
/** Share of the latest read in the mean, and the most it counts for: one pause proves nothing. */
const readWeight = 1 / 16;
const readMsMax = 0.5;
/** While reads are cold, every so many one is made synchronously to see whether they still are. */
const readsPerProbe = 32;
/** Bytes that a cursor collects per call. */
const cursorBytesMax = 64 * 1024;
/** The engine's log of one opening is far smaller. */
const engineLogBytesMax = 1024 * 1024;

export class LevelStorage implements Storage {
  readonly files: SmallFiles;
  readonly #directory: string;
  readonly #levelDirectory: string;
  readonly #clock: Clock;
  #level: Level | undefined;
  #checked = false;
  #unsynced = false;
  #readMeanMs = 0;
  #readsSinceProbe = 0;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#levelDirectory = join(directory, 'level');
    this.#clock = clock;
    this.files = new DiskFiles(directory);
  }

  async open(): Promise<OpenNotes> {
    if (this.#level !== undefined) throw new StoreError('locked');
    const created = await this.#prepare();
    await this.#checkOnce();
    const level: Level = new ClassicLevel(this.#levelDirectory, levelOptions);
    try {
      await level.open();
      if (created) await this.#settleCreation(level);
      const dropped = await this.#dropped();
      this.#level = level;
      this.#unsynced = true;
      return { created, dropped };
    } catch (error) {
      await level.close().catch(() => undefined);
      throw openFailure(error);
    }
  }

  async close(): Promise<void> {
    const level = this.#level;
    this.#level = undefined;
    try {
      await level?.close();
    } catch (error) {
      throw storeError(error);
    }
  }

  get(key: Buffer): Later<Buffer | undefined> {
    const level = this.#open();
    this.#readsSinceProbe += 1;
    if (this.#readMeanMs > coldReadMs && this.#readsSinceProbe < readsPerProbe) {
      return readLater(level, key);
    }
    this.#readsSinceProbe = 0;
    const startMs = this.#clock.monotonicMs();
    try {
      return level.getSync(key);
    } catch (error) {
      throw storeError(error);
    } finally {
      const tookMs = this.#clock.monotonicMs() - startMs;
      this.#readMeanMs += (Math.min(tookMs, readMsMax) - this.#readMeanMs) * readWeight;
    }
  }

  async batch(changes: readonly RowChange[], sync: boolean): Promise<void> {
    try {
      const batch = this.#open().batch();
      for (const { key, row } of changes) {
        if (row === undefined) batch.del(key);
        else batch.put(key, row);
      }
      await batch.write({ sync });
      if (!sync) this.#unsynced = true;
      else if (this.#unsynced) {
        await syncFiles(this.#levelDirectory, /^\d+\.log$/);
        this.#unsynced = false;
      }
    } catch (error) {
      throw storeError(error);
    }
  }

  cursor(range: Range): Cursor {
    return new LevelCursor(this.#open(), range, undefined);
  }

  snapshot(): Snapshot {
    return new LevelView(this.#open());
  }

  async sizeBytes(): Promise<number> {
    return directoryBytes(this.#levelDirectory);
  }

  #open(): Level {
    if (this.#level === undefined) throw new StoreError('closed');
    return this.#level;
  }

  /** Not again after a fence: meanwhile reads wait, and this process has read these tables. */
  async #checkOnce(): Promise<void> {
    if (this.#checked) return;
    const stoppedCleanly = (await this.files.read(markerName)) !== undefined;
    await checkEngine(new DiskFiles(this.#levelDirectory), !stoppedCleanly);
    this.#checked = true;
  }

  /** True if there is no map yet. */
  async #prepare(): Promise<boolean> {
    try {
      await makeDirectory(this.#directory);
      await makeDirectory(this.#levelDirectory);
      return !(await exists(join(this.#levelDirectory, 'CURRENT')));
    } catch (error) {
      throw openFailure(error);
    }
  }

  /**
   * A new map whose first write was not synced does not even open after a power cut: LevelDB syncs
   * neither its manifest nor the directory when it creates them (RELIABILITY E4).
   */
  async #settleCreation(level: Level): Promise<void> {
    await level.batch().put(emptyKey, emptyBytes).del(emptyKey).write({ sync: true });
    await syncFiles(this.#levelDirectory, /^(MANIFEST-|CURRENT$)/);
    await syncDirectory(this.#levelDirectory);
  }

  async #dropped(): Promise<readonly string[]> {
    const log = await fileTail(join(this.#levelDirectory, 'LOG'), engineLogBytesMax);
    return log.split('\n').filter((line) => /dropping|Corruption/.test(line));
  }
}

const emptyKey = Buffer.of(0);

/** `locked`, `full` and `corrupt` keep their code: the operator needs to know which. */
function openFailure(error: unknown): StoreError {
  const failure = storeError(error);
  if (failure.code !== 'io') return failure;
  const cause = failure.cause instanceof Error ? (failure.cause.cause ?? failure.cause) : undefined;
  const detail = cause instanceof Error ? cause.message : failure.message;
  return new StoreError('cannot-open', detail, error);
}

async function readLater(
  level: Level,
  key: Buffer,
  snapshot?: LevelSnapshot,
): Promise<Buffer | undefined> {
  try {
    return await level.get(key, snapshot === undefined ? {} : { snapshot });
  } catch (error) {
    throw storeError(error);
  }
}

class LevelView implements Snapshot {
  readonly #level: Level;
  readonly #snapshot: LevelSnapshot;

  constructor(level: Level) {
    this.#level = level;
    this.#snapshot = level.snapshot();
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return readLater(this.#level, key, this.#snapshot);
  }

  cursor(range: Range): Cursor {
    return new LevelCursor(this.#level, range, this.#snapshot);
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }
}

class LevelCursor implements Cursor {
  readonly #iterator: LevelIterator<Level, Buffer, Buffer>;

  constructor(level: Level, range: Range, snapshot: LevelSnapshot | undefined) {
    try {
      this.#iterator = level.iterator({
        gte: range.from,
        lt: range.to,
        reverse: range.reverse ?? false,
        values: range.keysOnly !== true,
        fillCache: false,
        highWaterMarkBytes: cursorBytesMax,
        ...(snapshot === undefined ? {} : { snapshot }),
      });
    } catch (error) {
      throw storeError(error);
    }
  }

  async next(count: number): Promise<readonly Put[]> {
    try {
      const entries = await this.#iterator.nextv(count);
      return entries.map(([key, value]) => ({ key, value: value ?? emptyBytes }));
    } catch (error) {
      throw storeError(error);
    }
  }

  async close(): Promise<void> {
    await this.#iterator.close();
  }
}
