/**
 * Whether LevelDB can read one of its tables without being aborted by it. The engine checks no
 * checksum when it reads, and trusts lengths, offsets and the order of keys: one flipped bit there
 * trips an assertion or reads beyond the block, and the process dies at every start.
 *
 * A table is blocks and a footer. A block is its contents, one byte for how they are compressed and
 * a masked CRC-32C. The index names the data blocks, each with a key not below its last and below
 * the next one's first; the meta index names the filter. Data that fails its checksum may pass: as
 * long as the structure holds, our own checksum of each row finds what is wrong with it. Index and
 * filter must be whole: behind a wrong filter a record is said not to exist, and nothing notices.
 * Source: LevelDB's doc/table_format.md, table/format.cc and table/block.cc.
 */
import { emptyBytes } from '../base/bytes.ts';
import { compareInternal, Damage, EngineReader, hasChecksum, tagBytes } from './engine-bytes.ts';
import type { LiveTable } from './manifest.ts';

interface Handle {
  readonly offset: number;
  readonly size: number;
}

interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

const trailerBytes = 5;
const footerBytes = 48;
const magic = Buffer.from('57fb808b247547db', 'hex');
const wordBytes = 4;

/** Throws Damage; `file` is all of the table. */
export function checkTable(file: Buffer, table: LiveTable): void {
  if (file.length !== table.bytes) throw new Damage('its length is wrong');
  const footer = new EngineReader(file.subarray(-footerBytes, -magic.length));
  if (file.length < footerBytes || !file.subarray(-magic.length).equals(magic)) {
    throw new Damage('its end is damaged');
  }
  const meta = wholeBlock(file, handleFrom(footer));
  const index = wholeBlock(file, handleFrom(footer));
  for (const { value } of entriesOf(meta)) wholeBlock(file, handleFrom(new EngineReader(value)));
  checkData(file, table, [...entriesOf(index)]);
}

/** The first and the last key are known exactly, those between blocks by what separates them. */
function checkData(file: Buffer, table: LiveTable, index: readonly Entry[]): void {
  let before: Buffer | undefined;
  for (const [place, { key, value }] of index.entries()) {
    const handle = handleFrom(new EngineReader(value));
    const block = blockAt(file, handle);
    if (!isWhole(file, handle)) {
      const keys = checkedKeys(block);
      const first = before ?? table.smallest;
      const last = place === index.length - 1 ? table.largest : key;
      const above = before === undefined ? 0 : 1;
      if (compareInternal(keys.first, first) < above || compareInternal(keys.last, last) > 0) {
        throw new Damage('keys are out of order');
      }
    }
    before = key;
  }
}

function checkedKeys(block: Buffer): { readonly first: Buffer; readonly last: Buffer } {
  let first: Buffer | undefined;
  let last: Buffer | undefined;
  for (const { key } of entriesOf(block)) {
    if (key.length < tagBytes) throw new Damage('a key is too short');
    if (last !== undefined && compareInternal(last, key) >= 0) {
      throw new Damage('keys are out of order');
    }
    first ??= key;
    last = key;
  }
  if (first === undefined || last === undefined) throw new Damage('a block is empty');
  return { first, last };
}

function handleFrom(reader: EngineReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

/** The contents. */
function blockAt(file: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size;
  if (end + trailerBytes > file.length - footerBytes) throw new Damage('a block is out of place');
  if (file[end] !== 0) throw new Damage('a block is compressed');
  return file.subarray(offset, end);
}

function isWhole(file: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size;
  return hasChecksum(file, offset, end + 1, end + 1);
}

function wholeBlock(file: Buffer, handle: Handle): Buffer {
  const block = blockAt(file, handle);
  if (!isWhole(file, handle)) throw new Damage('its index or filter fails its checksum');
  return block;
}

/**
 * An entry is three lengths (shared with the key before, rest of the key, value) and what they
 * count. At a restart nothing is shared; their offsets stand at the end, and how many there are.
 */
function* entriesOf(block: Buffer): Generator<Entry> {
  if (block.length < wordBytes) throw new Damage('a block is too short');
  const restartsCount = block.readUInt32LE(block.length - wordBytes);
  const restartsAt = block.length - wordBytes * (1 + restartsCount);
  if (restartsCount === 0 || restartsAt < 0) throw new Damage('a block has no restarts');
  const restartAt = (place: number): number => block.readUInt32LE(restartsAt + place * wordBytes);
  if (restartAt(0) !== 0) throw new Damage('a restart is out of place');
  const reader = new EngineReader(block.subarray(0, restartsAt));
  let key = emptyBytes;
  let restarts = 1;
  while (!reader.ended) {
    const isRestart = restarts < restartsCount && reader.at === restartAt(restarts);
    if (isRestart) restarts += 1;
    const shared = reader.varint();
    const restBytes = reader.varint();
    const valueBytes = reader.varint();
    if (shared > (isRestart ? 0 : key.length)) throw new Damage('a key shares too much');
    const rest = reader.take(restBytes);
    key = shared === 0 ? rest : Buffer.concat([key.subarray(0, shared), rest]);
    yield { key, value: reader.take(valueBytes) };
  }
  if (restarts !== restartsCount) throw new Damage('a restart is out of place');
}
