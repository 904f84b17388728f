/** Small rings of every shape. */
import fc from 'fast-check';
import type { Candidate } from '../../lib/ring/claim.ts';

/** 40 hex digits, in no particular order. */
export function memberId(index: number): string {
  const head = (Math.imul(index + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return head + index.toString(16).padStart(32, '0');
}

export interface Wanted {
  readonly candidates: readonly Candidate[];
  readonly partitions: number;
  readonly n: number;
}

export function wanted(weights: fc.Arbitrary<number>): fc.Arbitrary<Wanted> {
  const candidate = fc.record({ weight: weights, zone: fc.constantFrom('', 'a', 'b', 'c', 'd') });
  return fc.record({
    candidates: fc
      .array(candidate, { minLength: 1, maxLength: 12 })
      .map((drawn) => drawn.map((facts, index) => ({ id: memberId(index), ...facts }))),
    partitions: fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
    n: fc.integer({ min: 1, max: 5 }),
  });
}

/** So many members alike. */
export function alike(count: number): readonly Candidate[] {
  return Array.from({ length: count }, (_, index) => ({
    id: memberId(index),
    weight: 1,
    zone: '',
  }));
}
