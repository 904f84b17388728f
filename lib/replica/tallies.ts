/**
 * The running counts that travel with every batch (storage/store.ts), so that DBSIZE never scans:
 * live keys and those among them with an expiry, per database, the records that only wait to be
 * reaped, and the hints. The numbers of the tallies are stored: append only.
 */
import type { Stamp } from '../causal/record.ts';
import { peekWinner, type WinnerView } from '../causal/record-codec.ts';
import type { Count } from '../storage/background-scan.ts';
import type { TallyChange } from '../storage/batch-row.ts';
import { bodyStart } from '../storage/row.ts';
import { readStanding, recordStart, type Standing } from './stored-record.ts';

export const tallyDeleted = 1024;
export const tallyExpired = 1025;
export const tallyHints = 1026;
export const tallyLoadBearing = 1027;
/** Of the keys and rows of hints. */
export const tallyHintBytes = 1028;

export const tallyLive = (db: number): number => db * 2;
export const tallyExpiring = (db: number): number => db * 2 + 1;

/** What one record adds 1 to; `shadowed` and flushed records (undefined) count nowhere. */
export function tallied(db: number, standing: Standing | undefined): readonly number[] {
  switch (standing) {
    case 'live':
      return [tallyLive(db)];
    case 'expiring':
      return [tallyLive(db), tallyExpiring(db)];
    case 'expired':
      return [tallyExpired];
    case 'deleted':
      return [tallyDeleted];
    default:
      return [];
  }
}

/** How the stored row of a record counts once `flushStamp` is in force. */
export function countedAs(row: Buffer, flushStamp: Stamp, view: WinnerView): Standing | undefined {
  const { standing } = readStanding(row, bodyStart);
  if (flushStamp === 0 || standing === 'deleted' || standing === 'expired') return standing;
  const { order } = peekWinner(row, recordStart(row, bodyStart), view);
  return order > flushStamp ? standing : undefined;
}

const none: readonly TallyChange[] = [];

export function tallyChanges(
  db: number,
  before: Standing | undefined,
  after: Standing | undefined,
): readonly TallyChange[] {
  if (before === after) return none;
  return [
    ...tallied(db, before).map((index) => ({ index, add: -1 })),
    ...tallied(db, after).map((index) => ({ index, add: 1 })),
  ];
}

/** What a hint adds to the tallies. */
export function countHint(key: Buffer, row: Buffer, count: Count): void {
  countHintRow(key, row, count);
  if (readStanding(row, bodyStart).standing === 'load-bearing') count(tallyLoadBearing, 1);
}

/** What its row adds, corrupt or not: that something is there to be seen to, and its bytes. */
export function countHintRow(key: Buffer, row: Buffer, count: Count): void {
  count(tallyHints, 1);
  count(tallyHintBytes, hintBytes(key, row));
}

export function hintBytes(key: Buffer, row: Buffer): number {
  return key.length + row.length;
}
