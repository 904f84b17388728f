/** Random dots, vectors and records that keep the invariant, for the property specs. */
import fc from 'fast-check';
import {
  type Dot,
  type Record,
  type Sibling,
  siblingKind,
  type VersionVector,
} from '../../lib/causal/record.ts';
import { compareDots, makeVersionVector } from '../../lib/causal/version-vector.ts';

export const u48 = fc.oneof(
  fc.nat({ max: 3 }),
  fc.maxSafeNat().map((n) => n % 2 ** 48),
  fc.constant(2 ** 48 - 1),
);
export const anyStamp = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.maxSafeNat().map((n) => Math.max(1, n)),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
export const anyDot = fc.record({ actor: u48, stamp: anyStamp });
export const anyVector = fc.array(anyDot, { maxLength: 8 }).map(makeVersionVector);

/** Few actors and stamps, so that vectors and siblings of two records meet. */
const closeDot = fc.record({ actor: fc.nat({ max: 3 }), stamp: fc.integer({ min: 1, max: 5 }) });
export const closeVector = fc.array(closeDot, { maxLength: 6 }).map(makeVersionVector);

/** The one write that a dot names: everything else about it follows from the dot. */
export function siblingOf(dot: Dot, variant = 0): Sibling {
  const { actor, stamp } = dot;
  return {
    dot,
    order: ((stamp * 7 + actor) % 5) + 1,
    kind: stamp % 4 === 0 ? siblingKind.tombstone : siblingKind.value,
    expireAtMs: stamp % 3 === 0 ? 1000 * stamp : 0,
    bytes: Buffer.from(stamp % 4 === 0 ? '' : `${actor}/${stamp}/${variant}`),
  };
}

function recordOf(vv: VersionVector, siblings: readonly Sibling[]): Record {
  const byDot = new Map(siblings.map((s) => [`${s.dot.actor}/${s.dot.stamp}`, s]));
  return { vv, siblings: [...byDot.values()].sort((a, b) => compareDots(a.dot, b.dot)) };
}

/** Records over few dots. `variants` above 1: one dot may carry different contents. */
export function closeRecord(variants = 1): fc.Arbitrary<Record> {
  const sibling = fc.tuple(closeDot, fc.nat({ max: variants - 1 }));
  return fc.tuple(closeVector, fc.array(sibling, { maxLength: 6 })).map(([seen, chosen]) =>
    recordOf(
      makeVersionVector([...seen, ...chosen.map(([dot]) => dot)]),
      chosen.map(([dot, variant]) => siblingOf(dot, variant)),
    ),
  );
}

/** Records over the whole range of every field. */
export const anyRecord: fc.Arbitrary<Record> = fc
  .tuple(
    anyVector,
    fc.array(
      fc.record({
        dot: anyDot,
        order: anyStamp,
        kind: fc.constantFrom(siblingKind.value, siblingKind.tombstone),
        expireAtMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
        bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      }),
      { maxLength: 5 },
    ),
  )
  .map(([seen, siblings]) =>
    recordOf(makeVersionVector([...seen, ...siblings.map(({ dot }) => dot)]), siblings),
  );
