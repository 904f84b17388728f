/**
 * The keys of a connection's unanswered commands. On one node the replica keeps the order per key,
 * so commands may start while earlier ones are unanswered. Over a ring they take different ways (a
 * plain SET goes to all owners at once, an INCR to the first, a GET asks the fastest), and one
 * could overtake another. So commands on one key are in flight together only if they go the same
 * way. A connection has one database in use while anything is in flight: SELECT overlaps nothing.
 */
import { mapKey } from '../base/bytes.ts';

/**
 * How a command reaches its keys.
 *   read       asks a quorum
 *   overwrite  a plain write: goes to all owners at once, whatever is there
 *   change     reads, then writes, at the first owner, which keeps the order of those that come
 *   context    DYN.PUT, DYN.DEL
 *   local      asks nobody but this node
 */
export type Way = 'read' | 'overwrite' | 'change' | 'context' | 'local';

interface Use {
  readonly way: Way;
  count: number;
}

export class KeysInFlight {
  readonly #uses = new Map<string, Use>();

  /** Whether a command may start beside those in flight. */
  admits(way: Way, keys: readonly Buffer[]): boolean {
    if (this.#uses.size === 0) return true;
    for (const key of keys) {
      const use = this.#uses.get(mapKey(key));
      if (use !== undefined && use.way !== way) return false;
    }
    return true;
  }

  /** A command is in flight; returns what `remove` takes when it is answered. */
  add(way: Way, keys: readonly Buffer[]): readonly string[] {
    const texts = keys.map(mapKey);
    for (const text of texts) {
      const use = this.#uses.get(text);
      if (use === undefined) this.#uses.set(text, { way, count: 1 });
      else use.count += 1;
    }
    return texts;
  }

  remove(texts: readonly string[]): void {
    for (const text of texts) {
      const use = this.#uses.get(text);
      if (use === undefined) continue;
      use.count -= 1;
      if (use.count === 0) this.#uses.delete(text);
    }
  }

  clear(): void {
    this.#uses.clear();
  }
}
