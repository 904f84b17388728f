import { expect } from 'chai';
import fc from 'fast-check';
import type { Dot, VersionVector } from '../../lib/causal/record.ts';
import { stampOf } from '../../lib/causal/stamp-clock.ts';
import {
  compareVersions,
  covered,
  describeVersions,
  including,
  join,
  makeVersionVector,
} from '../../lib/causal/version-vector.ts';
import { anyDot, anyVector, closeVector } from './arbitraries.ts';

/** What a vector says, spelled out: every dot of a small world that it covers. */
function history(vv: VersionVector): Set<string> {
  const dots = new Set<string>();
  for (const { actor, stamp } of vv) {
    for (let s = 1; s <= stamp; s += 1) dots.add(`${actor}/${s}`);
  }
  return dots;
}

const isIn = (a: Set<string>, b: Set<string>) => [...a].every((dot) => b.has(dot));

describe('version vector', () => {
  it('joins to the union of what both have seen', () => {
    fc.assert(
      fc.property(closeVector, closeVector, (a, b) => {
        const union = new Set([...history(a), ...history(b)]);
        expect(history(join(a, b))).to.deep.equal(union);
      }),
    );
  });

  it('joins commutatively, associatively and idempotently', () => {
    fc.assert(
      fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
        expect(join(a, b)).to.deep.equal(join(b, a));
        expect(join(a, join(b, c))).to.deep.equal(join(join(a, b), c));
        expect(join(a, [...a])).to.equal(a);
      }),
    );
  });

  it('builds nothing where one side has seen all of the other', () => {
    fc.assert(
      fc.property(closeVector, closeVector, (a, b) => {
        const both = join(a, b);
        expect(join(both, a)).to.equal(both);
        if (a.length > 0) expect(join(a, both)).to.deep.equal(both);
      }),
    );
  });

  it('compares as the histories do', () => {
    fc.assert(
      fc.property(closeVector, closeVector, (a, b) => {
        const [inB, inA] = [isIn(history(a), history(b)), isIn(history(b), history(a))];
        const expected = inB ? (inA ? 'equal' : 'before') : inA ? 'after' : 'concurrent';
        expect(compareVersions(a, b)).to.equal(expected);
      }),
    );
  });

  it('covers exactly the dots of its history', () => {
    const dot = fc.record({ actor: fc.nat({ max: 4 }), stamp: fc.integer({ min: 1, max: 6 }) });
    fc.assert(
      fc.property(closeVector, dot, (vv, { actor, stamp }) => {
        expect(covered(vv, { actor, stamp })).to.equal(history(vv).has(`${actor}/${stamp}`));
      }),
    );
  });

  it('never trusts the order of dots from outside', () => {
    fc.assert(
      fc.property(fc.array(anyDot, { maxLength: 10 }), fc.nat(), (dots, at) => {
        const vv = makeVersionVector(dots);
        const rotated = [...dots.slice(at % 11), ...dots.slice(0, at % 11)].reverse();
        expect(makeVersionVector(rotated)).to.deep.equal(vv);
        for (const dot of dots) expect(covered(vv, dot)).to.equal(true);
        vv.forEach((entry, index) => {
          const next = vv[index + 1];
          if (next !== undefined) expect(next.actor).to.be.above(entry.actor);
        });
      }),
    );
  });

  it('refuses dots that are none', () => {
    const bad: Dot[] = [
      { actor: -1, stamp: 1 },
      { actor: 2 ** 48, stamp: 1 },
      { actor: 1.5, stamp: 1 },
      { actor: 1, stamp: 0 },
      { actor: 1, stamp: 2 ** 53 },
      { actor: 1, stamp: Number.NaN },
    ];
    for (const dot of bad) expect(() => makeVersionVector([dot])).to.throw('48-bit actor');
  });

  it('includes a write that is new to its actor, and no other', () => {
    const vv = makeVersionVector([
      { actor: 1, stamp: 5 },
      { actor: 3, stamp: 5 },
    ]);
    expect(including(vv, { actor: 2, stamp: 1 }).map(({ actor }) => actor)).to.deep.equal([
      1, 2, 3,
    ]);
    expect(including(vv, { actor: 3, stamp: 6 })[1]).to.deep.equal({ actor: 3, stamp: 6 });
    expect(() => including(vv, { actor: 3, stamp: 5 })).to.throw('above all');
  });

  it('describes itself by actor and wall clock', () => {
    const wallMs = Date.UTC(2026, 0, 1);
    const vv = [{ actor: 0xbeef, stamp: stampOf(wallMs) + 4095 }];
    expect(describeVersions(vv)).to.deep.equal([['00000000beef', wallMs]]);
  });
});
