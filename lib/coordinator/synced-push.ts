/**
 * One record to all who own it, each of whom answers from its disk: what must have happened before
 * somebody else may delete his copy (DESIGN 3.3, RELIABILITY 1.9 D1).
 */
import { after, Deferred, outcomeOf } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import type { Place } from '../replica/place.ts';
import { timeoutFor } from './deadlines.ts';
import { writeHead } from './heads.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { encodeReplicate, replicateFlags } from './peer-messages.ts';

/** They wait for their disks. */
const diskMs = 5000;

/**
 * Settles once each of them has it on its disk, this node too if it is one of them; else fails with
 * the first PeerError or StoreError. `record` is borrowed for the turn.
 */
export function pushSynced(
  parts: Parts,
  place: Place,
  record: Record,
  owners: readonly number[],
): Promise<unknown> {
  const { ring, transport, replica, store } = parts;
  const body = encodeReplicate(writeHead(parts, place), replicateFlags.synced, record);
  const timeoutMs = diskMs + timeoutFor(parts, body.length);
  return Promise.all(
    owners.map((owner): PromiseLike<unknown> => {
      if (owner !== ring.self) {
        return transport.call(ring.idOf(owner), peerKinds.replicate, body, timeoutMs);
      }
      const held = new Deferred<void>();
      outcomeOf(
        () => after(replica.absorb(place, record), () => store.sync()),
        () => held.settle(),
        (error) => held.fail(error),
      );
      return held;
    }),
  );
}

/** Everybody who owns the slot in an active layout. */
export function allOwnersOf({ ring }: Parts, slot: number): readonly number[] {
  return [...new Set(ring.ownerSets(slot).flat())];
}
