/**
 * FLUSHDB and FLUSHALL over the ring (DESIGN 2.3): one stamp above everything that any reachable
 * member has given out empties the databases wherever it is known. Members that are down hear of it
 * later, with the first ping or message; one that was asked and did not confirm leaves the outcome
 * uncertain.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { RedisError } from '../base/errors.ts';
import type { Stamp } from '../causal/record.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { askAll } from './ring-scan.ts';

export interface FlushRequest {
  readonly stamp: Stamp;
  readonly dbs: readonly number[];
}

export async function flushRing(parts: Parts, dbs: readonly number[]): Promise<void> {
  const { ring, replica, store, counts } = parts;
  if (store.state === 'fenced') {
    throw new RedisError(
      `CLUSTERDOWN need ${ring.active.length} members, this one takes no writes`,
    );
  }
  const asked = ring.active.filter((member) => !ring.isDown(member)).length;
  const clocks = await askAll(parts, peerKinds.clock, Buffer.alloc(0), {
    here: () => parts.clock(),
    decode: decodeClock,
    rounds: 2,
  });
  const request = { dbs, stamp: 1 + Math.max(...clocks.map(({ answer }) => answer)) };
  const confirmed = await askAll(parts, peerKinds.flush, encodeFlush(request), {
    here: () => replica.flush(request.dbs, request.stamp),
    decode: () => undefined,
    rounds: 2,
  });
  if (confirmed.length >= asked) return;
  counts.writesUncertain += 1;
  throw new RedisError(`UNCERTAIN acknowledged by ${confirmed.length} of ${asked} members`);
}

function encodeFlush({ stamp, dbs }: FlushRequest): Buffer {
  const writer = new ByteWriter(16 + dbs.length).stamp(stamp).varint(dbs.length);
  for (const db of dbs) writer.byte(db);
  return writer.done();
}

export function decodeFlush(body: Buffer): FlushRequest {
  const reader = new ByteReader('a flush', body, 0, body.length);
  const stamp = reader.stamp();
  const dbs = Array.from({ length: reader.varint() }, () => reader.byte());
  return { stamp, dbs };
}

export function encodeClock(stamp: Stamp): Buffer {
  return new ByteWriter(8).stamp(stamp).done();
}

function decodeClock(body: Buffer): Stamp {
  return new ByteReader('a clock', body, 0, body.length).stamp();
}
