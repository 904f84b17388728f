/** Rows about the node itself: its identity, the flush stamps. Not counted among the records. */
import type { Change } from './batch-row.ts';
import { metaKey } from './keys.ts';
import { bodyEnd, bodyStart, type Crc32, sealRow } from './row.ts';
import type { Store } from './store.ts';

export function sealMeta(name: string, bytes: Buffer, crc32: Crc32): Change {
  const key = metaKey(name);
  const row = sealRow(key, bytes.length, (target, offset) => target.set(bytes, offset), crc32);
  return { key, row, previous: undefined };
}

/** The bytes kept under `name`; a StoreError `corrupt` if they are damaged. */
export async function readMeta(store: Store, name: string): Promise<Buffer | undefined> {
  const row = await store.get(metaKey(name));
  return row?.subarray(bodyStart, bodyEnd(row));
}
