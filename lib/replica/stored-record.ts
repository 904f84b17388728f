/**
 * What a replica keeps beside a record, local and never replicated:
 *
 *   mine      the epoch and the actor under which this node last wrote the key (DESIGN 3.3). The
 *             actor lives with the record: whoever lost the record cannot use it again.
 *   standing  how the record counts (DBSIZE, tombstones) and which agenda row it has, so that every
 *             row says by itself what it contributes to the running totals.
 *
 *   body = standing u8 | agenda instant u48 | epoch u48 | actor u48 | record (causal/record-codec)
 */
import { assert } from '../base/assert.ts';
import { type Actor, type Record, siblingKind } from '../causal/record.ts';
import { decodeRecord, recordBytes, writeRecord } from '../causal/record-codec.ts';
import { liveSiblings, winner } from '../causal/visible.ts';

/** Codes are stored: append only. */
export const standings = ['live', 'expiring', 'expired', 'deleted', 'shadowed'] as const;
/**
 * live      a reader sees a value that never expires
 * expiring  a reader sees a value until `agendaAtMs`
 * expired   nothing lives, at least one value has expired; the last one at `agendaAtMs`
 * deleted   nothing lives, nothing expired; so since `agendaAtMs`
 * shadowed  a tombstone or an expired value wins over one that lives, until `agendaAtMs` (0: for ever)
 */
export type Standing = (typeof standings)[number];

export interface Bookkeeping {
  readonly standing: Standing;
  /** Wall clock, ms; 0 = no agenda row. */
  readonly agendaAtMs: number;
  /** 0 = this node never wrote the key. */
  readonly epoch: number;
  readonly actor: Actor;
}

export interface StoredRecord extends Bookkeeping {
  readonly record: Record;
}

const headBytes = 1 + 6 + 6 + 6;

export function storedBytes(record: Record): number {
  return headBytes + recordBytes(record);
}

export function writeStored(target: Buffer, offset: number, stored: StoredRecord): number {
  target[offset] = standings.indexOf(stored.standing);
  target.writeUIntBE(stored.agendaAtMs, offset + 1, 6);
  target.writeUIntBE(stored.epoch, offset + 7, 6);
  target.writeUIntBE(stored.actor, offset + 13, 6);
  return writeRecord(target, offset + headBytes, stored.record);
}

/** Values of the record are views of `body`. */
export function readStored(body: Buffer, start: number, end: number): StoredRecord {
  return {
    ...readBookkeeping(body, start),
    record: decodeRecord(body, start + headBytes, end),
  };
}

export function readBookkeeping(body: Buffer, start: number): Bookkeeping {
  const standing = standings[body[start] ?? standings.length];
  assert(standing !== undefined, 'a checked row has a known standing');
  return {
    standing,
    agendaAtMs: body.readUIntBE(start + 1, 6),
    epoch: body.readUIntBE(start + 7, 6),
    actor: body.readUIntBE(start + 13, 6),
  };
}

/** Where the record's own bytes begin. */
export function recordStart(bodyStart: number): number {
  return bodyStart + headBytes;
}

/** How a record counts at `nowMs`, and when to look at it again. */
export function standingOf(
  record: Record,
  nowMs: number,
): Pick<Bookkeeping, 'standing' | 'agendaAtMs'> {
  const first = winner(record.siblings);
  if (first?.kind === siblingKind.value && first.expireAtMs === 0) {
    return { standing: 'live', agendaAtMs: 0 };
  }
  if (first?.kind === siblingKind.value && first.expireAtMs > nowMs) {
    return { standing: 'expiring', agendaAtMs: first.expireAtMs };
  }
  const live = liveSiblings(record, nowMs);
  if (live.length > 0) {
    const forEver = live.some((sibling) => sibling.expireAtMs === 0);
    const lastAtMs = Math.max(...live.map((sibling) => sibling.expireAtMs));
    return { standing: 'shadowed', agendaAtMs: forEver ? 0 : lastAtMs };
  }
  const values = record.siblings.filter((sibling) => sibling.kind === siblingKind.value);
  return values.length > 0
    ? {
        standing: 'expired',
        agendaAtMs: Math.max(...values.map((sibling) => sibling.expireAtMs)),
      }
    : { standing: 'deleted', agendaAtMs: nowMs };
}
