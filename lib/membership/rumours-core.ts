/**
 * News that is still worth telling: each so many times, that which was told least often first, and
 * of that the newest. Something newer of the same member takes the place of the older.
 *
 * Invariant: a rumour lies on the level of how often it was told; outdated ones are left lying and
 * thrown away when they come up.
 */
import type { PeerId } from '../transport/transport.ts';

interface Rumour {
  readonly id: PeerId;
  readonly bytes: Buffer;
}

/** 4 * ceil(log10(n + 1)): by then everybody has heard it, all but certainly. */
export function tellingsFor(membersCount: number): number {
  return 4 * Math.ceil(Math.log10(membersCount + 1));
}

export class Rumours {
  readonly #current = new Map<PeerId, Rumour>();
  /** By how often they were told; the newest at the end of each. */
  readonly #levels: Rumour[][] = [];

  get count(): number {
    return this.#current.size;
  }

  add(id: PeerId, bytes: Buffer): void {
    const rumour = { id, bytes };
    this.#current.set(id, rumour);
    this.#level(0).push(rumour);
  }

  /** What to tell now, up to so many bytes but one at least; it counts as told. */
  take(bytesMax: number, tellings: number): Buffer[] {
    const told: { readonly rumour: Rumour; readonly times: number }[] = [];
    let bytes = 0;
    for (let level = this.#firstLevel(); level >= 0; level = this.#firstLevel()) {
      const rumour = this.#level(level).at(-1) as Rumour;
      bytes += rumour.bytes.length;
      if (bytes > bytesMax && told.length > 0) break;
      this.#level(level).pop();
      told.push({ rumour, times: level + 1 });
    }
    for (const { rumour, times } of told.toReversed()) {
      if (times >= tellings) this.#current.delete(rumour.id);
      else this.#level(times).push(rumour);
    }
    return told.map(({ rumour }) => rumour.bytes);
  }

  /** The lowest one with a rumour at its end, or -1; outdated ones on the way are thrown away. */
  #firstLevel(): number {
    for (const [index, level] of this.#levels.entries()) {
      for (let last = level.at(-1); last !== undefined; last = level.at(-1)) {
        if (this.#current.get(last.id) === last) return index;
        level.pop();
      }
    }
    return -1;
  }

  #level(index: number): Rumour[] {
    const level = this.#levels[index] ?? [];
    this.#levels[index] = level;
    return level;
  }
}
