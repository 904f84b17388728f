/**
 * Which tables are alive: LevelDB's MANIFEST, a log of edits to the set. A table that is not in it
 * was never finished, or is about to be deleted, and nobody reads it.
 *
 * A log is made of blocks of 32 KB. A record lies in one or, cut in parts, in several; each part
 * has a header: masked CRC-32C of type and bytes (4 bytes), length (2), type (1). The end of a
 * block that no header fits into is zero. The last record may be cut off: its writer died.
 * Source: LevelDB's doc/log_format.md and db/version_edit.cc.
 */
import { Damage, EngineReader, hasChecksum, tagBytes } from './engine-bytes.ts';

export interface LiveTable {
  readonly number: number;
  readonly bytes: number;
  /** Its first and its last internal key. */
  readonly smallest: Buffer;
  readonly largest: Buffer;
}

const blockBytes = 32 * 1024;
const headerBytes = 7;

const parts = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** Throws Damage. */
export function liveTables(manifest: Buffer): readonly LiveTable[] {
  const tables = new Map<number, LiveTable>();
  for (const record of recordsOf(manifest)) applyEdit(record, tables);
  return [...tables.values()];
}

function* recordsOf(log: Buffer): Generator<Buffer> {
  let begun: Buffer[] | undefined;
  let at = 0;
  for (;;) {
    if (blockBytes - (at % blockBytes) < headerBytes) at += blockBytes - (at % blockBytes);
    if (at + headerBytes > log.length) return;
    const length = log.readUInt16LE(at + 4);
    const start = at + headerBytes;
    const end = start + length;
    if (end > log.length) return;
    if (!hasChecksum(log, at + 6, end, at)) {
      if (isZero(log, at)) return;
      throw new Damage('a record fails its checksum');
    }
    const type = log[at + 6];
    const starts = type === parts.full || type === parts.first;
    if (starts !== (begun === undefined)) throw new Damage('a record is not whole');
    const record: Buffer[] = [...(begun ?? []), log.subarray(start, end)];
    const ends = type === parts.full || type === parts.last;
    if (ends) yield Buffer.concat(record);
    begun = ends ? undefined : record;
    at = end;
  }
}

/** After a power cut a file may have grown by zeros. */
function isZero(log: Buffer, start: number): boolean {
  return log.subarray(start).every((byte) => byte === 0);
}

/** What an edit says of a file, by its tag; the rest is passed over. */
const edits: Readonly<
  Record<number, (edit: EngineReader, tables: Map<number, LiveTable>) => void>
> = {
  /** The name of the order. */
  1: (edit) => edit.string(),
  /** Number of the log, of the next file, of the last write. */
  2: (edit) => edit.varint(),
  3: (edit) => edit.varint(),
  4: (edit) => edit.varint(),
  /** Where to compact next: level and key. */
  5: (edit) => {
    edit.varint();
    edit.string();
  },
  /** A table has left: level and number. */
  6: (edit, tables) => {
    edit.varint();
    tables.delete(edit.varint());
  },
  /** A table has come: level, number, size, first and last key. */
  7: (edit, tables) => {
    edit.varint();
    const number = edit.varint();
    const bytes = edit.varint();
    tables.set(number, { number, bytes, smallest: internalKey(edit), largest: internalKey(edit) });
  },
  /** Number of the log before. */
  9: (edit) => edit.varint(),
};

/** A table that moves to another level leaves and comes in one edit, in this order. */
function applyEdit(record: Buffer, tables: Map<number, LiveTable>): void {
  const edit = new EngineReader(record);
  while (!edit.ended) {
    const apply = edits[edit.varint()];
    if (apply === undefined) throw new Damage('an edit is unknown');
    apply(edit, tables);
  }
}

function internalKey(edit: EngineReader): Buffer {
  const key = edit.string();
  if (key.length < tagBytes) throw new Damage('a key is too short');
  return key;
}
