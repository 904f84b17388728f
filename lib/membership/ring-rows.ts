/**
 * What a node remembers of its ring, in rows of its own storage:
 *
 *   node        u8 1 | node id (20): drawn before the node talks to anybody, so that a founder can
 *               name it; on the disk before it is said
 *   identity    see `identity.ts`; kept twice
 *   ring-0, -1  u8 2 | varint generation | table
 *   joining     the seed of the ring that this empty node is to join, as text
 *   incarnation varint: how often this node has started; kept twice
 *   table       varint layouts, each: varint length, layout
 *               | varint reading | varint pending, each: varint, the distance from the one before
 *               | varint members, each: id 20 bytes, facts
 *
 * The table is written to the two ring rows in turn, so the row that holds generation g is number
 * g mod 2, and damage to one leaves the other. A lost table is never replaced by a fresh ring.
 *
 * Identity and ring are written in one batch: then the node belongs to a ring. Rings of one of the
 * first version have nothing but `identity`; `node` and `identity` without a table is a lost ring.
 */
import { assert } from '../base/assert.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Deferred } from '../base/later.ts';
import { decodeLayout, encodeLayout, type Layout } from '../ring/layout.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { sealMeta } from '../storage/meta.ts';
import type { Store } from '../storage/store.ts';
import {
  decodeIdentity,
  encodeIdentity,
  type Identity,
  IdentityError,
  nodeIdBytes,
} from './identity.ts';
import {
  damaged,
  damageOf,
  readKept,
  readRow,
  removeKept,
  removeRow,
  sealKept,
  writeSynced,
} from './kept-rows.ts';
import type { Member } from './member.ts';
import { readFacts, writeFacts } from './member-facts.ts';

const nodeFormat = 1;
const ringFormat = 2;
const memberRoomBytes = 64;
/** A change, and further ones that give up whoever held it up. */
const layoutsMax = 16;
/** Where generations lie, in turn. */
export const ringNames = ['ring-0', 'ring-1'] as const;
/** What this node has promised about the next layout: see `ballots.ts`. */
export const ballotRow = 'ballot';
const names = {
  node: 'node',
  identity: 'identity',
  joining: 'joining',
  incarnation: 'incarnation',
} as const;

export interface RingTable {
  /** Active, oldest first: one at rest. */
  readonly layouts: readonly Layout[];
  /** The version that is read from: of one of them. */
  readonly reading: number;
  /** Partitions of the newest layout that this node has yet to fill, ascending. */
  readonly pending: readonly number[];
  /** Everyone known, of the layouts and beside them, sorted by id. */
  readonly members: readonly Member[];
}

export function newestOf({ layouts }: RingTable): Layout {
  const newest = layouts.at(-1);
  assert(newest !== undefined, 'a ring has a layout');
  return newest;
}

/** A node's membership in a ring: stored in rows of their own, and offered to it as one. */
export interface RingMembership {
  readonly identity: Identity;
  readonly ring: RingTable;
}

export interface Memory {
  readonly nodeId: Buffer | undefined;
  readonly identity: Identity | undefined;
  readonly ring: RingTable | undefined;
  readonly joining: string | undefined;
}

export interface Generation extends RingTable {
  /** The higher, the newer. */
  readonly generation: number;
}

/** The newest generation of each store, from the first read on. */
const generations = new WeakMap<Store, number>();

/** Before all writes of the ring. Throws an IdentityError where a row cannot be read. */
export async function readMemory(store: Store, system: System): Promise<Memory> {
  const nodeId = await readRow(store, names.node, decodeNodeId);
  const joining = await readRow(store, names.joining, (bytes) => bytes.toString());
  if (nodeId === damaged || joining === damaged) throw damageOf('identity');
  const identity = await readKept(store, names.identity, decodeIdentity, system);
  const newest = await readGenerations(store, system);
  generations.set(store, newest?.generation ?? 0);
  if (identity !== undefined && nodeId !== undefined && newest === undefined) {
    throw new IdentityError('the layout of the ring is missing: restore the data directory');
  }
  return { nodeId, identity, ring: newest && tableOf(newest), joining };
}

async function readGenerations(store: Store, { log }: System): Promise<Generation | undefined> {
  let newest: Generation | undefined;
  let bad: string | undefined;
  for (const name of ringNames) {
    const found = await readRow(store, name, decodeGeneration);
    if (found === damaged) bad = name;
    else if (found !== undefined && found.generation > (newest?.generation ?? 0)) newest = found;
  }
  if (bad === undefined) return newest;
  if (newest === undefined) throw damageOf('ring');
  log.warning('one of two tables of the ring is damaged', { row: bad, kept: newest.generation });
  return newest;
}

/** Settles when it is on the disk, as do the next three. */
export function rememberNode(store: Store, nodeId: Buffer, system: System): Deferred<void> {
  return writeSynced(store, [sealNode(nodeId, system)]);
}

export function rememberRing(
  store: Store,
  { identity, ring }: RingMembership,
  system: System,
): Deferred<void> {
  return writeSynced(store, [
    ...sealKept(names.identity, encodeIdentity(identity), system),
    ...sealRing(store, ring, system),
    removeRow(names.joining),
  ]);
}

/** Of a ring of one. The node row makes sure that a loss of the table is noticed. */
export function rememberAlone(
  store: Store,
  membership: RingMembership,
  system: System,
): Deferred<void> {
  rememberNode(store, membership.identity.nodeId, system);
  return rememberRing(store, membership, system);
}

/** This node belongs to no ring any more; it has been told to join the one of this seed. */
export function forgetRing(store: Store, seed: string, { hashes }: System): Deferred<void> {
  return writeSynced(store, [
    ...removeKept(names.identity),
    ...removeKept(ballotRow),
    ...ringNames.map(removeRow),
    sealMeta(names.joining, Buffer.from(seed), hashes.crc32),
  ]);
}

/** What others say as well, and again: losing it is no harm. */
export function rememberMembers(store: Store, ring: RingTable, system: System): Deferred<void> {
  return store.write(sealRing(store, ring, system));
}

/** How often this node has started, this time included; on the disk before it is said. */
export async function nextBootEpoch(store: Store, system: System): Promise<number> {
  const last = (await readKept(store, names.incarnation, decodeEpoch, system)) ?? 0;
  await rememberBootEpoch(store, last + 1, system);
  return last + 1;
}

export function rememberBootEpoch(store: Store, epoch: number, system: System): Deferred<void> {
  const row = new ByteWriter(8).varint(epoch).done();
  return writeSynced(store, sealKept(names.incarnation, row, system));
}

function sealNode(nodeId: Buffer, { hashes }: System): Change {
  return sealMeta(names.node, Buffer.concat([Buffer.of(nodeFormat), nodeId]), hashes.crc32);
}

/** Over the older of the two, or the damaged one; the first time over both. */
function sealRing(store: Store, ring: RingTable, { hashes }: System): readonly Change[] {
  const last = generations.get(store);
  assert(last !== undefined, 'the ring rows are read before they are written');
  const table = encodeRing(ring);
  const news = last === 0 ? [1, 2] : [last + 1];
  generations.set(store, news.at(-1) ?? last);
  return news.map((generation) => {
    const row = new ByteWriter(table.length + 8).byte(ringFormat).varint(generation).bytes(table);
    return sealMeta(ringNames[generation % 2 === 0 ? 0 : 1], row.done(), hashes.crc32);
  });
}

/** Of a row's body. Throws a CodecError, or an IdentityError if it is of another version. */
export function decodeGeneration(bytes: Buffer): Generation {
  const reader = new ByteReader('the ring of this node', bytes, 0, bytes.length);
  const format = reader.byte();
  if (format !== ringFormat) {
    throw new IdentityError(
      `the ring of this node has format ${format}, this version knows ${ringFormat}`,
    );
  }
  const generation = reader.varint();
  return { generation, ...decodeRing(reader.rest()) };
}

function decodeNodeId(bytes: Buffer): Buffer {
  const reader = new ByteReader('the node id', bytes, 0, bytes.length);
  if (reader.byte() !== nodeFormat) throw reader.error('has a format that is not known');
  const nodeId = reader.bytes(nodeIdBytes);
  reader.finish();
  return nodeId;
}

function decodeEpoch(bytes: Buffer): number {
  const reader = new ByteReader('an incarnation', bytes, 0, bytes.length);
  const epoch = reader.varint();
  reader.finish();
  return epoch;
}

function tableOf({ layouts, reading, pending, members }: Generation): RingTable {
  return { layouts, reading, pending, members };
}

export function encodeRing(table: RingTable): Buffer {
  const fault = faultOfTable(table);
  assert(fault === undefined, `a table is sound before it is stored: ${fault}`);
  const layouts = table.layouts.map(encodeLayout);
  const roomBytes = layouts.reduce((total, { length }) => total + length + 8, 16);
  const writer = new ByteWriter(roomBytes + table.members.length * memberRoomBytes).varint(
    layouts.length,
  );
  for (const layout of layouts) writer.text(layout);
  writer.varint(table.reading).varint(table.pending.length);
  let last = 0;
  for (const partition of table.pending) {
    writer.varint(partition - last);
    last = partition;
  }
  writer.varint(table.members.length);
  for (const member of table.members) {
    writer.bytes(Buffer.from(member.id, 'hex'));
    writeFacts(writer, member);
  }
  return writer.done();
}

/** Throws a CodecError. Shares no memory with the bytes. */
export function decodeRing(bytes: Buffer): RingTable {
  const reader = new ByteReader('a ring', bytes, 0, bytes.length);
  const layouts = readMany(reader, () => decodeLayout(reader.bytes(reader.varint())));
  const reading = reader.varint();
  let last = 0;
  const pending = readMany(reader, () => {
    last += reader.varint();
    return last;
  });
  const members = readMany(reader, () => ({
    id: reader.bytes(nodeIdBytes).toString('hex'),
    ...readFacts(reader),
  }));
  reader.finish();
  const table = { layouts, reading, pending, members };
  const fault = faultOfTable(table);
  if (fault !== undefined) throw reader.error(`is wrong: ${fault}`);
  return table;
}

/** Nothing is allocated by the count: the bytes run out before. */
function readMany<T>(reader: ByteReader, read: () => T): readonly T[] {
  const values: T[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) values.push(read());
  return values;
}

function faultOfTable({ layouts, reading, pending, members }: RingTable): string | undefined {
  const [first] = layouts;
  if (first === undefined || layouts.length > layoutsMax) return `${layouts.length} layouts`;
  if (layouts.some(({ version }, index) => version !== first.version + index)) {
    return 'layouts that are far';
  }
  if (layouts.every(({ version }) => version !== reading)) return `reading ${reading}`;
  const { partitions } = first;
  if (!isAscending(pending) || (pending.at(-1) ?? 0) >= partitions) return 'pending partitions';
  if (!isAscending(members.map(({ id }) => id))) return 'members that are not sorted';
  const known = new Set(members.map(({ id }) => id));
  const isKnown = (id: string): boolean => known.has(id);
  return layouts.every((layout) => layout.members.every(isKnown)) ? undefined : 'a stranger';
}

function isAscending<T>(values: readonly T[]): boolean {
  return values.every((value, index) => index === 0 || (values[index - 1] ?? value) < value);
}
