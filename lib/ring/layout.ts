/**
 * A layout: the immutable numbered table that says which members own each partition (DESIGN 4). It
 * is stored explicitly instead of being derived from neighbours on the ring, so that replicas can
 * be spread over zones, loads be exact, and a change move only what it must (Dynamo 6.2, strategy
 * 3). Whoever is given one verifies it; only its author computes it (`claim.ts`).
 *
 *   encoded = u8 format 1 | varint version | u8 n | varint partitions | varint members
 *             | 20 bytes each | owners u16 each, in the order of partition, then place
 *
 * Equal layouts are equal bytes.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { slotCount } from './slots.ts';

export interface Layout {
  readonly version: number;
  /** Replicas of a partition: N, capped by the members. */
  readonly n: number;
  readonly partitions: number;
  /** Node ids, 40 hex digits; the index in here is how the table names a member. */
  readonly members: readonly string[];
  /** owners[partition * n + place] = index of a member. */
  readonly owners: Uint16Array;
}

const layoutFormat = 1;
const idBytes = 20;
/** Names of members are 16 bits. */
const membersMax = 65_535;

export function encodeLayout({ version, n, partitions, members, owners }: Layout): Buffer {
  const writer = new ByteWriter(16 + members.length * idBytes + owners.length * 2)
    .byte(layoutFormat)
    .varint(version)
    .byte(n)
    .varint(partitions)
    .varint(members.length);
  for (const id of members) writer.bytes(Buffer.from(id, 'hex'));
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
  const count = reader.varint();
  const ids = reader.bytes(count * idBytes).toString('hex');
  const members = Array.from({ length: count }, (_, index) =>
    ids.slice(index * 2 * idBytes, (index + 1) * 2 * idBytes),
  );
  const table = reader.bytes(partitions * n * 2);
  reader.finish();
  const owners = new Uint16Array(partitions * n);
  for (let at = 0; at < owners.length; at += 1) owners[at] = table.readUInt16BE(at * 2);
  const layout = { version, n, partitions, members, owners };
  const fault = faultOfLayout(layout);
  if (fault !== undefined) throw reader.error(`is wrong: ${fault}`);
  return layout;
}

/** What is wrong with it, or undefined if every partition has its n distinct owners. */
export function faultOfLayout(layout: Layout): string | undefined {
  const { version, n, partitions, members, owners } = layout;
  if (!Number.isSafeInteger(version) || version < 1) return `version ${version}`;
  if (!Number.isInteger(Math.log2(partitions)) || partitions < 1 || partitions > slotCount) {
    return `${partitions} partitions`;
  }
  if (members.length < 1 || members.length > membersMax) return `${members.length} members`;
  if (members.some((id) => !/^[0-9a-f]{40}$/.test(id))) return 'a member without a node id';
  if (new Set(members).size !== members.length) return 'a member that is named twice';
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
