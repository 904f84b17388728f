/**
 * What a node remembers of its ring, in three rows of its own storage:
 *
 *   node      u8 1 | node id (20): drawn before the node talks to anybody, so that a founder can
 *             name it; on the disk before it is said
 *   identity  see `identity.ts`
 *   ring      u8 1 | varint length | layout | facts of each member, in the order of the layout
 *
 * Identity and ring are written in one batch: that is the moment at which a node belongs to a ring.
 * A ring of one has neither `node` nor `ring`: its layout is implied. So `node` and `identity`
 * without `ring` is a layout that was lost.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { StoreError } from '../base/errors.ts';
import type { Deferred } from '../base/later.ts';
import { decodeLayout, encodeLayout, faultOfLayout, type Layout } from '../ring/layout.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { metaKey } from '../storage/keys.ts';
import { readMeta, sealMeta } from '../storage/meta.ts';
import type { Store } from '../storage/store.ts';
import {
  decodeIdentity,
  encodeIdentity,
  type Identity,
  IdentityError,
  nodeIdBytes,
} from './identity.ts';
import type { Member } from './member.ts';
import { readFacts, writeFacts } from './member-facts.ts';

const rowFormat = 1;
const names = { node: 'node', identity: 'identity', ring: 'ring' } as const;

/** A layout, and what is known of its members, in its order. */
export interface RingTable {
  readonly members: readonly Member[];
  readonly layout: Layout;
}

/** A node's membership in a ring: stored in two rows, and offered to it as one. */
export interface RingMembership {
  readonly identity: Identity;
  readonly ring: RingTable;
}

export interface Memory {
  readonly nodeId: Buffer | undefined;
  readonly identity: Identity | undefined;
  readonly ring: RingTable | undefined;
}

/** Throws an IdentityError where a row is there but cannot be read. */
export async function readMemory(store: Store): Promise<Memory> {
  const memory = {
    nodeId: await readRow(store, names.node, decodeNodeId),
    identity: await readRow(store, names.identity, decodeIdentity),
    ring: await readRow(store, names.ring, decodeRing),
  };
  if (memory.identity !== undefined && memory.nodeId !== undefined && memory.ring === undefined) {
    throw new IdentityError('the layout of the ring is missing: restore the data directory');
  }
  return memory;
}

async function readRow<T>(
  store: Store,
  name: string,
  decode: (bytes: Buffer) => T,
): Promise<T | undefined> {
  try {
    const bytes = await readMeta(store, name);
    return bytes && decode(bytes);
  } catch (error) {
    const damaged = error instanceof StoreError && error.code === 'corrupt';
    if (!damaged && !(error instanceof CodecError)) throw error;
    const what = name === names.ring ? 'ring' : 'identity';
    throw new IdentityError(`the ${what} of this node is damaged: restore the data directory`);
  }
}

/** Settles when it is on the disk, as do the next two. */
export function rememberNode(store: Store, nodeId: Buffer, { hashes }: System): Deferred<void> {
  const row = Buffer.concat([Buffer.of(rowFormat), nodeId]);
  return writeSynced(store, [sealMeta(names.node, row, hashes.crc32)]);
}

export function rememberRing(
  store: Store,
  { identity, ring }: RingMembership,
  { hashes }: System,
): Deferred<void> {
  return writeSynced(store, [
    sealMeta(names.identity, encodeIdentity(identity), hashes.crc32),
    sealMeta(names.ring, encodeRing(ring), hashes.crc32),
  ]);
}

/** Of a ring of one; this node may have wanted to be a member of another. */
export function rememberAlone(
  store: Store,
  identity: Identity,
  { hashes }: System,
): Deferred<void> {
  return writeSynced(store, [
    { key: metaKey(names.node), row: undefined, previous: undefined },
    sealMeta(names.identity, encodeIdentity(identity), hashes.crc32),
  ]);
}

/**
 * Both in one turn, so that the batch is a synced one. A batch that is acknowledged first could be
 * missed after a power cut, and an empty node that misses something refuses to start.
 */
function writeSynced(store: Store, changes: readonly Change[]): Deferred<void> {
  store.write(changes).listen(
    () => undefined,
    () => undefined,
  );
  return store.sync();
}

/** Members have moved. Losing this is no harm: they say so again. */
export function rememberMembers(store: Store, ring: RingTable, system: System): Deferred<void> {
  return store.write([sealMeta(names.ring, encodeRing(ring), system.hashes.crc32)]);
}

function decodeNodeId(bytes: Buffer): Buffer {
  const reader = new ByteReader('the node id', bytes, 0, bytes.length);
  if (reader.byte() !== rowFormat) throw reader.error('has a format that is not known');
  const nodeId = reader.bytes(nodeIdBytes);
  reader.finish();
  return nodeId;
}

export function encodeRing({ members, layout }: RingTable): Buffer {
  assert(faultOfLayout(layout) === undefined, 'a layout is sound before it is stored');
  const encoded = encodeLayout(layout);
  const writer = new ByteWriter(encoded.length + 64 * members.length).byte(rowFormat);
  writer.text(encoded);
  for (const [index, member] of members.entries()) {
    assert(member.id === layout.members[index], 'members lie in the order of the layout');
    writeFacts(writer, member);
  }
  return writer.done();
}

/** Throws a CodecError. */
export function decodeRing(bytes: Buffer): RingTable {
  const reader = new ByteReader('a ring', bytes, 0, bytes.length);
  const format = reader.byte();
  if (format !== rowFormat) throw reader.error(`of format ${format} is not known`);
  const layout = decodeLayout(reader.bytes(reader.varint()));
  const members = layout.members.map((id) => ({ id, ...readFacts(reader) }));
  reader.finish();
  return { members, layout };
}
