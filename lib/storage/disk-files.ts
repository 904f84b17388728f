/**
 * The small files of a data directory, and what else of the file system the engine does not do for
 * us. A name is replaced by writing a temporary file and renaming it; a rename is durable only once
 * the directory has been synced. One write of a name at a time.
 */
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { SmallFiles } from './storage.ts';

const zeros = Buffer.alloc(1024 * 1024);
/** What `stat` counts blocks in, whatever the file system uses. */
const statBlockBytes = 512;

export class DiskFiles implements SmallFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  read(name: string): Promise<Buffer | undefined> {
    return unlessAbsent(readFile(join(this.#directory, name)), undefined);
  }

  async write(name: string, bytes: Buffer, sync: boolean): Promise<void> {
    const path = join(this.#directory, name);
    const temporary = `${path}.tmp`;
    try {
      await withFile(temporary, 'w', async (file) => {
        await file.writeFile(bytes);
        if (sync) await file.sync();
      });
      await rename(temporary, path);
      if (sync) await syncDirectory(this.#directory);
    } catch (error) {
      await discard(temporary);
      throw storeError(error);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await rm(join(this.#directory, name), { force: true });
      await syncDirectory(this.#directory);
    } catch (error) {
      throw storeError(error);
    }
  }

  async reserve(name: string, bytes: number): Promise<void> {
    const path = join(this.#directory, name);
    try {
      const present = await unlessAbsent(stat(path), undefined);
      if (present?.size === bytes && present.blocks * statBlockBytes >= bytes) return;
      await withFile(path, 'w', async (file) => {
        for (let left = bytes; left > 0; left -= zeros.length) {
          await file.writeFile(zeros.subarray(0, left));
        }
        await file.sync();
      });
      await syncDirectory(this.#directory);
    } catch (error) {
      await discard(path);
      throw storeError(error);
    }
  }
}

/** Makes the directory, for its owner only, and its name durable. */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await syncDirectory(dirname(resolve(path)));
}

export function syncDirectory(path: string): Promise<void> {
  return syncPath(path);
}

/** Syncs the files of a directory whose names match; one that has gone meanwhile is fine. */
export async function syncFiles(directory: string, names: RegExp): Promise<void> {
  for (const name of await readdir(directory)) {
    if (names.test(name)) await unlessAbsent(syncPath(join(directory, name)), undefined);
  }
}

export async function directoryBytes(path: string): Promise<number> {
  let sum = 0;
  for (const name of await unlessAbsent(readdir(path), [])) {
    const file = await unlessAbsent(stat(join(path, name)), undefined);
    sum += file?.size ?? 0;
  }
  return sum;
}

export async function exists(path: string): Promise<boolean> {
  return (await unlessAbsent(stat(path), undefined)) !== undefined;
}

/** The last `bytesMax` bytes as latin1 text; empty if there is no such file. */
export async function fileTail(path: string, bytesMax: number): Promise<string> {
  const size = (await unlessAbsent(stat(path), undefined))?.size ?? 0;
  if (size === 0) return '';
  return withFile(path, 'r', async (file) => {
    const tail = Buffer.alloc(Math.min(size, bytesMax));
    const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
    return tail.toString('latin1', 0, bytesRead);
  });
}

/** Any failure of the engine or the file system as a StoreError. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'LEVEL_LOCKED') return new StoreError('locked', undefined, error);
  if (code === 'LEVEL_CORRUPTION') return new StoreError('corrupt', text, error);
  if (closedCodes.has(code)) return new StoreError('closed', undefined, error);
  if (/ENOSPC|EDQUOT/.test(code) || /No space left|quota exceeded/i.test(text)) {
    return new StoreError('full', undefined, error);
  }
  return new StoreError('io', text, error);
}

const closedCodes = new Set([
  'LEVEL_DATABASE_NOT_OPEN',
  'LEVEL_ITERATOR_NOT_OPEN',
  'LEVEL_BATCH_NOT_OPEN',
  'LEVEL_SNAPSHOT_NOT_OPEN',
  'LEVEL_STATUS_NOT_OPEN',
]);

async function withFile<T>(
  path: string,
  flags: 'r' | 'w',
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function syncPath(path: string): Promise<void> {
  return withFile(path, 'r', (file) => file.sync());
}

/** Makes room again after a failure; that the file stays is no failure of its own. */
async function discard(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

async function unlessAbsent<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw storeError(error);
  }
}
