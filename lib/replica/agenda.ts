/** Which row of the agenda goes with a record (storage/keys.ts): when to look at it again. */
import { emptyBytes } from '../base/bytes.ts';
import type { Change } from '../storage/batch-row.ts';
import { type Agenda, agendaKey } from '../storage/keys.ts';
import type { Bookkeeping, Standing } from './stored-record.ts';

type Noted = Pick<Bookkeeping, 'standing' | 'agendaAtMs'>;

const agendas: { readonly [Name in Standing]: Agenda | undefined } = {
  live: undefined,
  expiring: 'expires',
  expired: 'expired',
  deleted: 'deleted',
  shadowed: 'expires',
  'load-bearing': undefined,
  courtesy: undefined,
};

export function agendaOf({ standing, agendaAtMs }: Noted): Agenda | undefined {
  return agendaAtMs === 0 ? undefined : agendas[standing];
}

/** Adds what becomes of the agenda when a row takes the place of another. */
export function addAgenda(
  changes: Change[],
  key: Buffer,
  before: Noted | undefined,
  next: Noted | undefined,
): void {
  addRow(changes, key, before, undefined);
  addRow(changes, key, next, emptyBytes);
}

function addRow(
  changes: Change[],
  key: Buffer,
  noted: Noted | undefined,
  row: Buffer | undefined,
): void {
  const agenda = noted && agendaOf(noted);
  if (noted === undefined || agenda === undefined) return;
  changes.push({ key: agendaKey(agenda, noted.agendaAtMs, key), row, previous: undefined });
}
