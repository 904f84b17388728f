/**
 * An old owner hands out what it holds of some slots, page by page, to a new one (RELIABILITY 1.9,
 * S1). It does so only once it writes to the layout that is being filled, or a newer one, and once
 * every write that it began before is committed: each write that the new owner has not been sent is
 * then in the pages of enough old owners.
 *
 *   transfer  varint version | varint slot from | varint slot to (exclusive)
 *             | varint length | storage key behind which to go on, empty: from the first
 *   page      varint n | n times flush stamp (7) | varint length | storage key to go on behind,
 *             empty: the end | varint count | count times (varint length | storage key
 *             | varint length | record)
 *
 * The flush stamps come before the records that they hide, so that nothing flushed is brought back.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { emptyBytes, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { Record, Stamp } from '../causal/record.ts';
import { decodeRecord, recordBytes, writeRecord } from '../causal/record-codec.ts';
import { type Place, placeOfStorageKey } from '../replica/place.ts';
import { RecordPages, type Slots } from '../replica/record-pages.ts';
import { slotCount } from '../ring/slots.ts';
import type { PeerId } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';

export interface TransferRequest {
  /** Of the layout that is being filled. */
  readonly version: number;
  readonly slots: Slots;
  /** The storage key behind which to go on. */
  readonly behind: Buffer | undefined;
}

export interface TransferredRecord {
  readonly place: Place;
  readonly record: Record;
}

export interface TransferPage {
  /** Of every database, as the sender knows them. */
  readonly flushStamps: readonly Stamp[];
  readonly next: Buffer | undefined;
  readonly records: readonly TransferredRecord[];
}

export interface TransfersOptions {
  readonly databases: number;
  /**
   * Settles once every write is committed that began before this node adopted its newest layout.
   */
  barrier(): Later<void>;
}

const pageLimits = { bytes: 256 * 1024, rows: 512 } as const;

/** The side that is asked. */
export class Transfers {
  readonly #parts: Parts;
  readonly #options: TransfersOptions;
  readonly #pages: RecordPages;

  constructor(parts: Parts, options: TransfersOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#pages = new RecordPages(parts.replica, parts.store);
  }

  start(): void {
    this.#parts.transport.handle(peerKinds.transfer, ({ from, body }) => {
      const request = decodeTransfer(body);
      this.#refuse(from, request);
      return after(this.#options.barrier(), () => this.#answer(from, request));
    });
  }

  async #answer(from: PeerId, request: TransferRequest): Promise<Buffer> {
    const { replica } = this.#parts;
    const { records, next } = await this.#pages.page(request.behind, request.slots, pageLimits);
    // What this node does not own any more it may have dropped meanwhile.
    this.#refuse(from, request);
    const flushStamps = Array.from({ length: this.#options.databases }, (_, db) =>
      replica.flushed.of(db),
    );
    const held = records.filter(({ record }) => record.vv.length > 0);
    return encodePage({ flushStamps, next, records: held });
  }

  /** All owners of the oldest layout that is active hold what was written before it. */
  #refuse(from: PeerId, { version, slots }: TransferRequest): void {
    const { ring } = this.#parts;
    if (ring.version < version) {
      throw new RedisError(`ERR layout ${version} is not adopted here, ${ring.version} is`);
    }
    if (ring.layouts.at(-1)?.members.includes(from) !== true) {
      throw new RedisError(`ERR you are no member of layout ${ring.version}`);
    }
    const slotsEach = slotCount / ring.reading.partitions;
    const last = ring.partitionOf(slots.to - 1);
    for (let partition = ring.partitionOf(slots.from); partition <= last; partition += 1) {
      if (!ring.owns(ring.oldest, partition * slotsEach)) {
        throw new RedisError(`ERR partition ${partition} is not owned here, in ${ring.oldest}`);
      }
    }
  }
}

export function encodeTransfer({ version, slots, behind }: TransferRequest): Buffer {
  return new ByteWriter(32 + (behind?.length ?? 0))
    .varint(version)
    .varint(slots.from)
    .varint(slots.to)
    .text(behind ?? emptyBytes)
    .done();
}

export function decodeTransfer(body: Buffer): TransferRequest {
  const reader = new ByteReader('a transfer request', body, 0, body.length);
  const version = reader.varint();
  const slots = { from: reader.varint(), to: reader.varint() };
  if (slots.from >= slots.to || slots.to > slotCount) throw reader.error('names no slots');
  const behind = keyOf(own(reader.bytes(reader.varint())));
  reader.finish();
  return { version, slots, behind };
}

export function encodePage({ flushStamps, next, records }: TransferPage): Buffer {
  const bytes = records.reduce(
    (sum, { place, record }) => sum + place.storageKey.length + recordBytes(record) + 8,
    64 + flushStamps.length * 7,
  );
  const writer = new ByteWriter(bytes).varint(flushStamps.length);
  for (const stamp of flushStamps) writer.stamp(stamp);
  writer.text(next ?? emptyBytes).varint(records.length);
  for (const { place, record } of records) {
    const length = recordBytes(record);
    writer.text(place.storageKey).varint(length);
    writer.fill(length, (target, at) => writeRecord(target, at, record));
  }
  return writer.done();
}

/** What it holds are views of `body`. */
export function decodePage(body: Buffer): TransferPage {
  const reader = new ByteReader('a page of a transfer', body, 0, body.length);
  const flushStamps: Stamp[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) flushStamps.push(reader.stamp());
  const next = keyOf(reader.bytes(reader.varint()));
  const records: TransferredRecord[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const place = placeOfStorageKey(reader.bytes(reader.varint()));
    const bytes = reader.bytes(reader.varint());
    records.push({ place, record: decodeRecord(bytes, 0, bytes.length) });
  }
  reader.finish();
  return { flushStamps, next, records };
}

function keyOf(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : bytes;
}
