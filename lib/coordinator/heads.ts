/** How messages about a key begin (`peer-messages.ts`), by the layout that they go by. */
import { RedisError } from '../base/errors.ts';
import type { Place } from '../replica/place.ts';
import { PeerError } from '../transport/transport.ts';
import type { Parts } from './parts.ts';
import type { Head } from './peer-messages.ts';

/** Copies of a write: the newest layout, so that no owner is left out. */
export function writeHead(parts: Parts, place: Place): Head {
  return headOf(parts, place, parts.ring.version);
}

/** The layout that is read from. */
export function readHead(parts: Parts, place: Place): Head {
  return headOf(parts, place, parts.ring.reading.version);
}

/** Writes to be coordinated: the oldest active layout, which says who does that. */
export function routeHead(parts: Parts, place: Place): Head {
  return headOf(parts, place, parts.ring.oldest);
}

function headOf({ replica }: Parts, place: Place, layout: number): Head {
  return { place, layout, flushStamp: replica.flushed.of(place.db) };
}

const stale = 'STALE';

/** Refuses what goes by a layout older than `version`. */
export function refuseStale({ layout }: Head, version: number): void {
  if (layout >= version) return;
  throw new RedisError(`${stale} this node goes by layout ${version}, the request by ${layout}`);
}

/** Whether a peer has refused a request because it goes by a newer layout. */
export function isStale(error: unknown): boolean {
  return error instanceof PeerError && error.message.startsWith(stale);
}
