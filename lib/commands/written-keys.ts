/**
 * The keys that a connection has written, for WAIT: what counts is how many members hold the one
 * that fewest hold. A key that all members hold needs no asking any more and is forgotten. There is
 * room for so many; all that is known of further ones is the W that their writes waited for, so
 * from then on WAIT answers no more than that. The answer is always a lower bound.
 *
 * Every connection that writes has one, so it is kept small: a key is one string.
 */
import { fromMapKey } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import type { Coordinator } from '../coordinator/coordinator.ts';
import { placeText } from './tracking.ts';

export const writtenKeysMax = 1000;
const writtenBytesMax = 256 * 1024;

export class WrittenKeys {
  /** By place: the members that were seen to hold it since it was last written. */
  readonly #holders = new Map<string, number>();
  #bytes = 0;
  /** Of the keys that there was no room for. */
  #holdersOfOthers = Number.POSITIVE_INFINITY;
  /** Grows with every write: an answer from before says nothing of what was written since. */
  #writes = 0;

  /** A write of the key begins, which will wait for `w` copies. The key is borrowed. */
  note(db: number, key: Buffer, w: number): void {
    const text = placeText(db, key);
    this.#writes += 1;
    if (this.#holders.has(text)) this.#holders.set(text, 0);
    else if (this.#holders.size < writtenKeysMax && this.#bytes + text.length <= writtenBytesMax) {
      this.#holders.set(text, 0);
      this.#bytes += text.length;
    } else this.#holdersOfOthers = Math.min(this.#holdersOfOthers, w);
  }

  /** The fewest members that were seen to hold a key, out of `membersCount`. */
  fewestHolders(membersCount: number): number {
    let fewest = Math.min(membersCount, this.#holdersOfOthers);
    for (const count of this.#holders.values()) fewest = Math.min(fewest, count);
    return fewest;
  }

  /** Asks for the keys that fewer than `enough` were seen to hold. */
  async ask(coordinator: Coordinator, enough: number, membersCount: number): Promise<void> {
    const asked: Promise<void>[] = [];
    for (const [text, count] of this.#holders) {
      if (count < enough) asked.push(this.#askFor(coordinator, text, membersCount));
    }
    await Promise.all(asked);
  }

  async #askFor(coordinator: Coordinator, text: string, membersCount: number): Promise<void> {
    const writes = this.#writes;
    const count = await holdersOf(coordinator, text);
    if (writes !== this.#writes || !this.#holders.has(text)) return;
    if (count < membersCount) this.#holders.set(text, count);
    else {
      this.#holders.delete(text);
      this.#bytes -= text.length;
    }
  }
}

/** Where nobody can be asked, one member holds it for all we know. */
async function holdersOf(coordinator: Coordinator, text: string): Promise<number> {
  const dbEnd = text.indexOf(':');
  const key = fromMapKey(text.slice(dbEnd + 1));
  try {
    return await coordinator.holders(Number(text.slice(0, dbEnd)), key);
  } catch (error) {
    if (error instanceof RedisError) return 1;
    throw error;
  }
}
