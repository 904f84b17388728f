/**
 * Recounts the tallies from the rows themselves, for the background check after an open: what each
 * data and hint row of one snapshot adds, under the flush stamps of that same snapshot.
 */
import { newWinnerView } from '../causal/record-codec.ts';
import type { Census } from '../storage/background-scan.ts';
import { families, metaKey, parseDataKey, parseHintKey } from '../storage/keys.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import type { Snapshot } from '../storage/storage.ts';
import { FlushStamps, flushMetaName } from './flush-stamps.ts';
import type { KeyFilter } from './key-filter.ts';
import { countedAs, countHint, countHintRow, tallied } from './tallies.ts';

/** Along the way it tells `filter` of every key, unless that knows them all. */
export async function census(snapshot: Snapshot, filter: KeyFilter): Promise<Census> {
  const stored = await snapshot.get(metaKey(flushMetaName));
  const stamps = FlushStamps.decode(
    stored === undefined ? Buffer.alloc(0) : stored.subarray(bodyStart, bodyEnd(stored)),
  );
  const view = newWinnerView();
  const addKeys = !filter.complete;
  return (key, row, count, isSound) => {
    const isHint = key[0] === families.hint;
    if (!isSound) {
      if (isHint) countHintRow(key, row, count);
      return;
    }
    const place = parseDataKey(isHint ? parseHintKey(key).dataKey : key);
    if (addKeys) filter.add(place);
    if (isHint) countHint(key, row, count);
    else {
      const counted = tallied(place.db, countedAs(row, stamps.of(place.db), view));
      for (const index of counted) count(index, 1);
    }
  };
}
