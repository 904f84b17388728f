/**
 * DYN.CONTEXT TRACK: what one connection has seen of each key, so that unchanged code becomes a
 * causal client (DESIGN 2.4). A GET or a write of a key replaces what is remembered of it by the
 * context of its result; the next plain SET carries that, and DEL and GETDEL remove what it covers.
 *
 * Commands of one connection may overlap, but what a SET carries depends on the answer before it:
 * under TRACK they therefore run one after another (`inOrder`).
 */
import { mapKey } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { isLater, type Later } from '../base/later.ts';
import type { VersionVector } from '../causal/record.ts';

/** A key of some database. */
export interface Place {
  readonly db: number;
  readonly key: Buffer;
}

export const trackedKeysMax = 1000;

const tooManyKeys =
  `ERR this connection tracks ${trackedKeysMax} keys, the most it may: ` +
  'DYN.CONTEXT TRACK OFF and ON forgets them, DYN.GET and DYN.PUT need no tracking';

export class Tracking {
  readonly #seen = new Map<string, VersionVector>();
  #last: Later<unknown> = undefined;

  /** Starts an operation when the one before it has ended, however it ended. */
  inOrder<T>(start: () => Later<T>): Later<T> {
    const started = isLater(this.#last) ? this.#last.then(start, start) : start();
    this.#last = isLater(started) ? started : undefined;
    return started;
  }

  /** What the connection has seen of the key; undefined: it has not met it. */
  recall(place: Place): VersionVector | undefined {
    return this.#seen.get(placeText(place.db, place.key));
  }

  remember(place: Place, seen: VersionVector): void {
    this.#seen.set(placeText(place.db, place.key), seen);
  }

  /** Refuses a key that there is no room to remember, before anything is done to it. */
  admit(place: Place): void {
    if (this.#seen.size < trackedKeysMax || this.#seen.has(placeText(place.db, place.key))) return;
    throw new RedisError(tooManyKeys);
  }
}

/** For keys of a Map: the db up to the first colon, then the key's bytes. */
export function placeText(db: number, key: Buffer): string {
  return `${db}:${mapKey(key)}`;
}
