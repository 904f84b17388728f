/**
 * The running counts that travel with every batch (storage/store.ts), so that DBSIZE never scans:
 * live keys and those among them with an expiry, per database, and the records that only wait to be
 * reaped. The numbers of the tallies are stored: append only.
 */
import type { TallyChange } from '../storage/batch-row.ts';
import type { Standing } from './stored-record.ts';

export const tallyDeleted = 1024;
export const tallyExpired = 1025;

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
