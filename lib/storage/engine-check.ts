/**
 * Looks at LevelDB's files before LevelDB does: what would abort the process is refused here, in
 * one line that names the file and the remedy. What is only wrong (a value, a lost batch) passes;
 * the checks of `store.ts` find it. The logs need no look: LevelDB verifies their checksums, and
 * drops what fails. Reading takes some 2 s a GB, so that a big map is read only when `wanted`:
 * when the run before did not stop cleanly, and may have been aborted.
 */
import { StoreError } from '../base/errors.ts';
import { Damage } from './engine-bytes.ts';
import { type LiveTable, liveTables } from './manifest.ts';
import type { SmallFiles } from './storage.ts';
import { checkTable } from './table-check.ts';

/** Tables of this size together are always read: it takes a second. */
const smallMapBytesMax = 512 * 1024 * 1024;

/** `files` are those of the engine's directory. A file that is missing is left to the engine. */
export async function checkEngine(files: Pick<SmallFiles, 'read'>, wanted: boolean): Promise<void> {
  const current = await files.read('CURRENT');
  if (current === undefined) return;
  const name = current.toString('latin1').trimEnd();
  if (!/^MANIFEST-\d+$/.test(name)) throw refusal('CURRENT', 'it names no manifest');
  const manifest = await files.read(name);
  if (manifest === undefined) throw refusal(name, 'it is missing');
  const tables = refusing(name, () => liveTables(manifest));
  const sumBytes = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  if (sumBytes > smallMapBytesMax && !wanted) return;
  for (const table of tables) await checkOne(files, table);
}

async function checkOne(files: Pick<SmallFiles, 'read'>, table: LiveTable): Promise<void> {
  const name = `${String(table.number).padStart(6, '0')}.ldb`;
  const file = await files.read(name);
  if (file !== undefined) refusing(name, () => checkTable(file, table));
}

function refusing<T>(name: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof Damage) throw refusal(name, error.message);
    throw error;
  }
}

function refusal(name: string, what: string): StoreError {
  const remedy = 'restore the data directory from a copy, or start with an empty one';
  return new StoreError('cannot-open', `level/${name} is damaged (${what}): ${remedy}`);
}
