/**
 * Recounts the tallies from the rows themselves, for the background check after an open: what each
 * data row of one snapshot adds, under the flush stamps of that same snapshot.
 */
import { newWinnerView } from '../causal/record-codec.ts';
import { metaKey } from '../storage/keys.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import type { Snapshot } from '../storage/storage.ts';
import { FlushStamps, flushMetaName } from './flush-stamps.ts';
import { placeOfStorageKey } from './place.ts';
import { countedAs } from './replica.ts';
import { tallied } from './tallies.ts';

export async function census(
  snapshot: Snapshot,
): Promise<(key: Buffer, row: Buffer) => readonly number[]> {
  const stored = await snapshot.get(metaKey(flushMetaName));
  const stamps = FlushStamps.decode(
    stored === undefined ? Buffer.alloc(0) : stored.subarray(bodyStart, bodyEnd(stored)),
  );
  const view = newWinnerView();
  return (key, row) => {
    const { db } = placeOfStorageKey(key);
    return tallied(db, countedAs(row, stamps.of(db), view));
  };
}
