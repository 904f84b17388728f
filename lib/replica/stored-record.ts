/**
 * What a node keeps beside a record, be it its own or a hint for another node, local and never
 * replicated:
 *
 *   mine      the epoch and the actors under which this node writes the key (actor-rule.ts). They
 *             live with the record: whoever lost the record cannot use them again.
 *   standing  how the record counts (DBSIZE, tombstones, hints) and which agenda row it has, so
 *             that every row says by itself what it contributes to the running totals.
 *
 *   body = standing u8 | agenda instant u48 | epoch u48 | actors n u8 | n times u48
 *        | record (causal/record-codec)
 */
import { assert } from '../base/assert.ts';
import { readU48, writeU48 } from '../base/bytes.ts';
import { type Record, siblingKind } from '../causal/record.ts';
import { decodeRecord, recordBytes, writeRecord } from '../causal/record-codec.ts';
import { liveSiblings, winner } from '../causal/visible.ts';
import { bodyStart, type Crc32, newRow, seal } from '../storage/row.ts';
import type { Mine } from './actor-rule.ts';

/** Codes are stored: append only. */
export const standings = [
  'live',
  'expiring',
  'expired',
  'deleted',
  'shadowed',
  'load-bearing',
  'courtesy',
] as const;
/**
 * live      a reader sees a value that never expires
 * expiring  a reader sees a value until `agendaAtMs`
 * expired   nothing lives, at least one value has expired; the last one at `agendaAtMs`
 * deleted   nothing lives, nothing expired; so since `agendaAtMs`
 * shadowed  a tombstone or an expired value wins over a live one, until `agendaAtMs` (0: for ever)
 *
 * and of hints, which have been kept since `agendaAtMs` (RELIABILITY 1.6):
 *
 * load-bearing  it counted toward W, so it is one of the copies that the client was promised
 * courtesy      beyond W
 */
export type Standing = (typeof standings)[number];
export type HintKind = Extract<Standing, 'load-bearing' | 'courtesy'>;

export interface Bookkeeping {
  readonly standing: Standing;
  /** Wall clock, ms; 0 = no agenda row. Hints never have one. */
  readonly agendaAtMs: number;
  readonly mine: Mine;
}

export interface StoredRecord extends Bookkeeping {
  readonly record: Record;
}

const codes: Readonly<globalThis.Record<Standing, number>> = {
  live: 0,
  expiring: 1,
  expired: 2,
  deleted: 3,
  shadowed: 4,
  'load-bearing': 5,
  courtesy: 6,
};

const epochAt = 7;
const actorCountAt = 13;
const headBytes = 14;
const actorBytes = 6;

export function storedBytes({ mine, record }: StoredRecord): number {
  return headBytes + mine.actors.length * actorBytes + recordBytes(record);
}

export function writeStored(target: Buffer, offset: number, stored: StoredRecord): number {
  const { standing, agendaAtMs, mine } = stored;
  target[offset] = codes[standing];
  writeU48(target, agendaAtMs, offset + 1);
  writeU48(target, mine.epoch, offset + epochAt);
  target[offset + actorCountAt] = mine.actors.length;
  let at = offset + headBytes;
  for (const actor of mine.actors) at = writeU48(target, actor, at);
  return writeRecord(target, at, stored.record);
}

/** The whole row under its key. */
export function sealStored(key: Buffer, stored: StoredRecord, crc32: Crc32): Buffer {
  const row = newRow(storedBytes(stored));
  writeStored(row, bodyStart, stored);
  seal(key, row, crc32);
  return row;
}

/** Values of the record are views of `body`. */
export function readStored(body: Buffer, start: number, end: number): StoredRecord {
  const { standing, agendaAtMs } = readStanding(body, start);
  return {
    standing,
    agendaAtMs,
    mine: readMine(body, start),
    record: readRecord(body, start, end),
  };
}

export function readRecord(body: Buffer, start: number, end: number): Record {
  return decodeRecord(body, recordStart(body, start), end);
}

export function readMine(body: Buffer, start: number): Mine {
  const epoch = readU48(body, start + epochAt);
  const first = start + headBytes;
  // The usual record has one, and an array that grows begins with room for many.
  if (body[start + actorCountAt] === 1) return { epoch, actors: [readU48(body, first)] };
  const actors: number[] = [];
  const recordAt = recordStart(body, start);
  for (let at = first; at < recordAt; at += actorBytes) actors.push(readU48(body, at));
  return { epoch, actors };
}

export function readStanding(
  body: Buffer,
  start: number,
): Pick<Bookkeeping, 'standing' | 'agendaAtMs'> {
  const standing = standings[body[start] ?? standings.length];
  assert(standing !== undefined, 'a checked row has a known standing');
  return { standing, agendaAtMs: readU48(body, start + 1) };
}

/** Where the record's own bytes begin. */
export function recordStart(body: Buffer, start: number): number {
  return start + headBytes + (body[start + actorCountAt] ?? 0) * actorBytes;
}

const live = { standing: 'live', agendaAtMs: 0 } as const;

/** How a record counts at `nowMs`, and when to look at it again. */
export function standingOf(
  record: Record,
  nowMs: number,
): Pick<Bookkeeping, 'standing' | 'agendaAtMs'> {
  const first = winner(record.siblings);
  if (first?.kind === siblingKind.value) {
    if (first.expireAtMs === 0) return live;
    if (first.expireAtMs > nowMs) return { standing: 'expiring', agendaAtMs: first.expireAtMs };
  }
  const alive = liveSiblings(record, nowMs);
  if (alive.length > 0) {
    const forEver = alive.some((sibling) => sibling.expireAtMs === 0);
    const lastAtMs = Math.max(...alive.map((sibling) => sibling.expireAtMs));
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
