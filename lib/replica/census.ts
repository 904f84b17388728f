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
import { clusterDatabase, type SlotCounts } from './slot-counts.ts';
import { countedAs, countHint, countHintRow, tallied } from './tallies.ts';

/**
 * Along the way it tells `filter` of every key, unless that knows them all, and counts the keys of
 * each slot. `snapshot` has been taken in this turn.
 */
export async function census(
  snapshot: Snapshot,
  filter: KeyFilter,
  slotCounts?: SlotCounts,
): Promise<Census> {
  slotCounts?.beginCensus();
  const stored = await snapshot.get(metaKey(flushMetaName));
  const stamps = FlushStamps.decode(
    stored === undefined ? Buffer.alloc(0) : stored.subarray(bodyStart, bodyEnd(stored)),
  );
  const view = newWinnerView();
  const addKeys = !filter.complete;
  const take: Census['take'] = (key, row, count, isSound) => {
    const isHint = key[0] === families.hint;
    if (!isSound) {
      if (isHint) countHintRow(key, row, count);
      return;
    }
    const place = parseDataKey(isHint ? parseHintKey(key).dataKey : key);
    if (addKeys) filter.add(place);
    if (isHint) countHint(key, row, count);
    else {
      const standing = countedAs(row, stamps.of(place.db), view);
      for (const index of tallied(place.db, standing)) count(index, 1);
      if (place.db === clusterDatabase) slotCounts?.found(place.slot, standing);
    }
  };
  return { take, end: () => slotCounts?.endCensus() };
}
