/**
 * Chance that a seed decides. `stream` gives each part of the world a sequence of its own, so that
 * one that draws more or less does not move the others.
 */
import type { Random } from '../../lib/runtime/ports.ts';

/** sfc32: small, fast, good enough for schedules. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    for (let round = 0; round < 12; round += 1) this.u32();
  }

  u48(): number {
    return this.u32() * 2 ** 16 + (this.u32() >>> 16);
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.u32() & 255;
    return bytes;
  }

  below(below: number): number {
    return Math.floor((this.u32() / 2 ** 32) * below);
  }

  /** Uniform over 0..1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Uniform over both ends. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let at = result.length - 1; at > 0; at -= 1) {
      const other = this.below(at + 1);
      [result[at], result[other]] = [result[other] as T, result[at] as T];
    }
    return result;
  }

  u32(): number {
    const t = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }
}

/** The stream of this name under this seed (FNV-1a of the name stirs the seed). */
export function stream(seed: number, name: string): SeededRandom {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  const low = (seed ^ hash) >>> 0;
  const high = (Math.floor(seed / 2 ** 32) ^ Math.imul(hash, 0x85ebca6b)) >>> 0;
  return new SeededRandom(low + (high & 0x1fffff) * 2 ** 32);
}
