/**
 * The door to the disk: an ordered map of bytes with atomic batches, and a few small files beside
 * it. `level-storage.ts` is the real one; the simulator's loses, tears and flips what a disk may.
 * Both pass `spec/contract/storage-contract.ts`. What makes the map trustworthy (checksums, batch
 * rows, the fence) stands above, in `store.ts`, and is the same code over either.
 *
 * Bytes handed in are copied before the call returns; bytes handed out belong to the caller.
 * Every failure is a StoreError: `locked`, `cannot-open`, `corrupt`, `full`, `io` or `closed`.
 */
import type { Later } from '../base/later.ts';

export interface Put {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** One step of a batch. Any `{ key, row, ... }` will do, so that nothing need be copied into it. */
export interface RowChange {
  readonly key: Buffer;
  /** undefined deletes; an absent key is fine. */
  readonly row: Buffer | undefined;
}

export interface Range {
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
}

/** One consistent view; entries come in the order of their keys (keysOnly: empty values). */
export interface Cursor {
  /** Up to `count` entries, fewer when they are big; an empty array is the end. */
  next(count: number): Promise<readonly Put[]>;
  close(): Promise<void>;
}

/** A state of the map at one moment. Close it soon: it holds old data on disk. */
export interface Snapshot {
  get(key: Buffer): Promise<Buffer | undefined>;
  cursor(range: Range): Cursor;
  close(): Promise<void>;
}

export interface Storage {
  /** Opens or creates the map; durable once it returns. */
  open(): Promise<OpenNotes>;
  /** Idempotent. Waits for a batch under way. */
  close(): Promise<void>;
  /** The value, or undefined. May answer at once when the data is likely in memory. */
  get(key: Buffer): Later<Buffer | undefined>;
  /**
   * Atomic; the changes apply in their order. `sync`: this batch and all before it are on the disk
   * when it returns; else at least with the operating system. One call at a time.
   */
  batch(changes: readonly RowChange[], sync: boolean): Promise<void>;
  cursor(range: Range): Cursor;
  snapshot(): Snapshot;
  /** Bytes on disk, roughly. */
  sizeBytes(): Promise<number>;
  readonly files: SmallFiles;
}

/** What the engine said of itself while opening. */
export interface OpenNotes {
  readonly created: boolean;
  /** Lines of the engine's own log about data it dropped; empty when all was well. */
  readonly dropped: readonly string[];
}

/** Whole files in the data directory: the clean-stop marker, the watermark, the ballast. */
export interface SmallFiles {
  read(name: string): Promise<Buffer | undefined>;
  /** Replaces the file in one step: a reader sees the old one or the new. `sync`: durable. */
  write(name: string, bytes: Buffer, sync: boolean): Promise<void>;
  /** Durable when it returns. Absent is fine. */
  remove(name: string): Promise<void>;
  /** Makes `name` take up `bytes` of the disk, really allocated; `full` when it does not fit. */
  reserve(name: string, bytes: number): Promise<void>;
}
