/**
 * What every ping and its answer carry, both ways (membership/peer-health.ts sends them): the nonce
 * of this start, for those who will vouch for a clean stop (DESIGN 3.3); the wall clock, so that
 * operators see an offset; how far the node is with the layouts (membership/topology.ts); the flush
 * stamps, so that whoever missed a flush hears of it (DESIGN 2.3).
 *
 *   u8 version 2 | boot nonce u48 | wall clock u48 (ms) | varints adopted, complete, reading,
 *   oldest | varint n | n times flush stamp (7)
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Said } from '../membership/membership.ts';
import type { Trackers } from '../membership/topology.ts';
import type { FlushStamps } from '../replica/flush-stamps.ts';
import type { Replica } from '../replica/replica.ts';
import type { Clock } from '../runtime/ports.ts';

export interface PingsOptions {
  readonly bootNonce: number;
  readonly databases: number;
  /** Of this node. */
  trackers(): Trackers;
  /** Told of what is in every ping of a member. */
  heard(member: number, said: Said): void;
}

const version = 2;

export class Pings {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #options: PingsOptions;
  readonly #offsetsMs = new Map<number, number>();
  #encoded: Buffer | undefined;
  #encodedStamps: FlushStamps | undefined;

  constructor(replica: Replica, clock: Clock, options: PingsOptions) {
    this.#replica = replica;
    this.#clock = clock;
    this.#options = options;
  }

  /** This node's wall clock against the median of the others', ms; positive = ahead. */
  get clockOffsetMs(): number {
    const offsetsMs = [...this.#offsetsMs.values()].sort((a, b) => a - b);
    return offsetsMs[Math.floor(offsetsMs.length / 2)] ?? 0;
  }

  body(): Buffer {
    const { flushed } = this.#replica;
    if (this.#encodedStamps !== flushed) {
      this.#encodedStamps = flushed;
      const writer = new ByteWriter(8 * this.#options.databases).varint(this.#options.databases);
      for (let db = 0; db < this.#options.databases; db += 1) writer.stamp(flushed.of(db));
      this.#encoded = writer.done();
    }
    const { adopted, complete, reading, oldest } = this.#options.trackers();
    return new ByteWriter(64 + 8 * this.#options.databases)
      .byte(version)
      .u48(this.#options.bootNonce)
      .u48(this.#clock.wallMs())
      .varint(adopted)
      .varint(complete)
      .varint(reading)
      .varint(oldest)
      .bytes(this.#encoded ?? Buffer.alloc(0))
      .done();
  }

  /** Offsets are off by the way of the ping, which is short beside what matters here. */
  hear(member: number, body: Buffer, sentAfterMs: number): void {
    const reader = new ByteReader('a ping', body, 0, body.length);
    if (reader.byte() !== version) throw reader.error('has a version that this node does not know');
    const nonce = reader.u48();
    this.#offsetsMs.set(member, this.#clock.wallMs() - reader.u48());
    const [adopted, complete] = [reader.varint(), reader.varint()];
    const trackers = { adopted, complete, reading: reader.varint(), oldest: reader.varint() };
    this.#options.heard(member, { nonce, trackers, sentAfterMs });
    const databases = Math.min(reader.varint(), this.#options.databases);
    for (let db = 0; db < databases; db += 1) {
      const stamp = reader.stamp();
      this.#replica.hearFlush(db, stamp);
    }
  }
}
