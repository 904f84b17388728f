/**
 * A layout: the immutable numbered table that says which members own each partition (DESIGN 4). It
 * is stored explicitly instead of being derived from neighbours on the ring, so that replicas can
 * be spread over zones, loads be exact, and a change move only what it must (Dynamo 6.2, strategy
 * 3). Whoever is given one verifies it; only its author computes it (`claim.ts`).
 *
 *   encoded = u8 format 2 | varint version | u8 n | varint partitions
 *             | varint members | id 20 bytes each | varint weight each | zone each
 *             | varint removed | id 20 bytes each
 *             | owners u16 each, in the order of partition, then place
 *   zone    = varint bytes | utf-8
 *
 * Equal layouts are equal bytes: ids are sorted, and all else is in its shortest form.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { slotCount } from './slots.ts';

export interface Layout {
  readonly version: number;
  /** Replicas of a partition: N, capped by the members. */
  readonly n: number;
  readonly partitions: number;
  /** Node ids, 40 hex digits, sorted; the index in here is how the table names a member. */
  readonly members: readonly string[];
  /** Of each member; loads are proportional to them. */
  readonly weights: readonly number[];
  /** Of each member; empty is a zone as good as any. */
  readonly zones: readonly string[];
  /** Ids that were given up, sorted. They stay here for ever, and are never members again. */
  readonly removed: readonly string[];
  /** owners[partition * n + place] = index of a member. */
  readonly owners: Uint16Array;
}

const layoutFormat = 2;
const idBytes = 20;
/** Names of members are 16 bits. */
const membersMax = 65_535;
const weightMax = 65_535;
const zoneBytesMax = 255;
const fingerprintBytes = 8;

export function encodeLayout(layout: Layout): Buffer {
  const { members, weights, zones, removed, owners } = layout;
  const memberBytes = idBytes + 8;
  const roomBytes = 32 + members.length * memberBytes + removed.length * idBytes;
  const writer = new ByteWriter(roomBytes + owners.length * 2)
    .byte(layoutFormat)
    .varint(layout.version)
    .byte(layout.n)
    .varint(layout.partitions);
  writeIds(writer, members);
  for (const weight of weights) writer.varint(weight);
  for (const zone of zones) writer.text(Buffer.from(zone));
  writeIds(writer, removed);
  return writer
    .fill(owners.length * 2, (target, offset) => {
      for (const [index, owner] of owners.entries()) {
        target.writeUInt16BE(owner, offset + index * 2);
      }
    })
    .done();
}

/** Throws a CodecError where the bytes are no layout, or one that must not be used. */
export function decodeLayout(bytes: Buffer): Layout {
  const reader = new ByteReader('a layout', bytes, 0, bytes.length);
  const format = reader.byte();
  if (format !== layoutFormat) throw reader.error(`of format ${format} is not known`);
  const version = reader.varint();
  const n = reader.byte();
  const partitions = reader.varint();
  const members = readIds(reader);
  const weights = members.map(() => reader.varint());
  const zones = members.map(() => readZone(reader));
  const removed = readIds(reader);
  const table = reader.bytes(partitions * n * 2);
  reader.finish();
  const owners = new Uint16Array(partitions * n);
  for (let at = 0; at < owners.length; at += 1) owners[at] = table.readUInt16BE(at * 2);
  const layout = { version, n, partitions, members, weights, zones, removed, owners };
  const fault = faultOfLayout(layout);
  if (fault !== undefined) throw reader.error(`is wrong: ${fault}`);
  return layout;
}

function writeIds(writer: ByteWriter, ids: readonly string[]): void {
  writer.varint(ids.length);
  for (const id of ids) writer.bytes(Buffer.from(id, 'hex'));
}

function readIds(reader: ByteReader): readonly string[] {
  const count = reader.varint();
  const ids = reader.bytes(count * idBytes).toString('hex');
  return Array.from({ length: count }, (_, index) =>
    ids.slice(index * 2 * idBytes, (index + 1) * 2 * idBytes),
  );
}

function readZone(reader: ByteReader): string {
  const bytes = reader.bytes(reader.varint());
  const zone = bytes.toString();
  if (!Buffer.from(zone).equals(bytes)) throw reader.notCanonical();
  return zone;
}

/** Tells two layouts apart, of one version or not; the hash comes from outside. */
export function layoutFingerprint(layout: Layout, sha256: (bytes: Buffer) => Buffer): Buffer {
  return sha256(encodeLayout(layout)).subarray(0, fingerprintBytes);
}

/** What is wrong with it, or undefined if every partition has its n distinct owners. */
export function faultOfLayout(layout: Layout): string | undefined {
  const { version, partitions } = layout;
  if (!Number.isSafeInteger(version) || version < 1) return `version ${version}`;
  if (!Number.isInteger(Math.log2(partitions)) || partitions < 1 || partitions > slotCount) {
    return `${partitions} partitions`;
  }
  return faultOfMembers(layout) ?? faultOfOwners(layout);
}

function faultOfMembers({ members, weights, zones, removed }: Layout): string | undefined {
  const count = members.length;
  if (count < 1 || count > membersMax) return `${count} members`;
  if (weights.length !== count) return `${weights.length} weights of ${count} members`;
  if (zones.length !== count) return `${zones.length} zones of ${count} members`;
  for (const [index, id] of members.entries()) {
    const fault = faultOfMember(id, weights[index] ?? 0, zones[index] ?? '');
    if (fault !== undefined) return `a member ${fault}`;
  }
  if (!removed.every(isId)) return 'a removed member without a node id';
  const known = new Set(members);
  if (removed.some((id) => known.has(id))) return 'a removed member among the members';
  return faultOfOrder(members) ?? faultOfOrder(removed);
}

export function faultOfMember(id: string, weight: number, zone: string): string | undefined {
  if (!isId(id)) return 'without a node id';
  if (!Number.isInteger(weight) || weight < 1 || weight > weightMax) return `of weight ${weight}`;
  const bytes = Buffer.from(zone);
  if (bytes.length > zoneBytesMax) return `whose zone is longer than ${zoneBytesMax} bytes`;
  return bytes.toString() === zone ? undefined : 'whose zone is no text';
}

function isId(id: string): boolean {
  return /^[0-9a-f]{40}$/.test(id);
}

/** Sorted, so that no two tables say the same. */
function faultOfOrder(ids: readonly string[]): string | undefined {
  for (const [index, id] of ids.entries()) {
    const before = ids[index - 1] ?? '';
    if (id === before) return 'a member that is named twice';
    if (id < before) return 'a member out of order';
  }
  return undefined;
}

function faultOfOwners({ n, partitions, members, owners }: Layout): string | undefined {
  if (!Number.isInteger(n) || n < 1 || n > members.length) {
    return `${n} replicas with ${members.length} members`;
  }
  if (owners.length !== partitions * n) return `${owners.length} owners of ${partitions} x ${n}`;
  for (let partition = 0; partition < partitions; partition += 1) {
    const row = owners.subarray(partition * n, (partition + 1) * n);
    if (row.some((owner) => owner >= members.length)) return `a stranger owns ${partition}`;
    if (new Set(row).size !== n) return `partition ${partition} has an owner twice`;
  }
  return undefined;
}
