import { expect } from 'chai';
import fc from 'fast-check';
import {
  emptyRecord,
  faultOf,
  merge,
  put,
  putCoveringAll,
  type Record,
  remove,
  replace,
  type Sibling,
} from '../../lib/causal/record.ts';
import { covered, join } from '../../lib/causal/version-vector.ts';
import { closeRecord, closeVector, siblingOf } from './arbitraries.ts';

const record = closeRecord();
/** A write that is new to any record of these specs. */
const fresh = fc.nat({ max: 4 }).map((actor) => siblingOf({ actor, stamp: 9 }));

const dotsOf = (siblings: readonly Sibling[]) =>
  siblings.map(({ dot }) => `${dot.actor}/${dot.stamp}`);

/** Unseen, live, superseded: a merge takes the furthest for each dot. */
function stateOf({ vv, siblings }: Record, dot: { actor: number; stamp: number }): number {
  if (!covered(vv, dot)) return 0;
  return dotsOf(siblings).includes(`${dot.actor}/${dot.stamp}`) ? 1 : 2;
}

describe('record', () => {
  for (const variants of [1, 3]) {
    const kind = variants === 1 ? 'records' : 'records that carry different values under one dot';
    it(`merges ${kind} commutatively, associatively and idempotently`, () => {
      const any = closeRecord(variants);
      fc.assert(
        fc.property(any, any, any, (a, b, c) => {
          expect(merge(a, b)).to.deep.equal(merge(b, a));
          expect(merge(a, merge(b, c))).to.deep.equal(merge(merge(a, b), c));
          expect(merge(a, { ...a })).to.equal(a);
        }),
        { numRuns: 500 },
      );
    });
  }

  it('takes each dot as far as one of the two records has it', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const merged = merge(a, b);
        for (let actor = 0; actor < 4; actor += 1) {
          for (let stamp = 1; stamp < 6; stamp += 1) {
            const dot = { actor, stamp };
            expect(stateOf(merged, dot)).to.equal(Math.max(stateOf(a, dot), stateOf(b, dot)));
          }
        }
      }),
    );
  });

  it('answers its first argument itself when the second has nothing new', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const merged = merge(a, b);
        expect(merge(merged, b)).to.equal(merged);
        expect(merge(merged, a)).to.equal(merged);
        expect(merge(a, emptyRecord)).to.equal(a);
      }),
    );
  });

  it('keeps its invariant through every operation', () => {
    fc.assert(
      fc.property(record, closeVector, fresh, (start, context, sibling) => {
        expect(faultOf(put(start, context, sibling))).to.equal(undefined);
        expect(faultOf(putCoveringAll(start, sibling))).to.equal(undefined);
        expect(faultOf(remove(start, context))).to.equal(undefined);
      }),
    );
  });

  it('drops what a put has seen and keeps the rest beside the new value', () => {
    fc.assert(
      fc.property(record, closeVector, fresh, (start, context, sibling) => {
        const after = put(start, context, sibling);
        const rest = start.siblings.filter(({ dot }) => !covered(context, dot));
        expect(dotsOf(after.siblings)).to.have.members(dotsOf([...rest, sibling]));
        expect(after.vv).to.deep.equal(join(join(start.vv, context), [sibling.dot]));
      }),
    );
  });

  it('puts over everything as it puts with its own vector as context', () => {
    fc.assert(
      fc.property(record, fresh, (start, sibling) => {
        expect(putCoveringAll(start, sibling)).to.deep.equal(put(start, start.vv, sibling));
        expect(putCoveringAll(start, sibling)).to.deep.equal(put(start, [...start.vv], sibling));
      }),
    );
  });

  it('removes exactly what a delete has seen, and remembers it', () => {
    fc.assert(
      fc.property(record, closeVector, (start, context) => {
        const after = remove(start, context);
        const rest = start.siblings.filter(({ dot }) => !covered(context, dot));
        expect(after.siblings).to.deep.equal(rest);
        expect(after.vv).to.deep.equal(join(start.vv, context));
        expect(remove(after, context)).to.equal(after);
        expect(merge(after, start)).to.equal(after);
      }),
    );
  });

  it('replaces one sibling, and a replica with other writes of that actor keeps those', () => {
    const [old, earlier, other] = [
      siblingOf({ actor: 1, stamp: 5 }),
      siblingOf({ actor: 1, stamp: 3 }),
      siblingOf({ actor: 2, stamp: 4 }),
    ];
    const start = put(put(put(emptyRecord, [], earlier), [], old), [], other);
    const renewed = siblingOf({ actor: 3, stamp: 9 });
    const after = replace(start, old.dot, renewed);
    expect(dotsOf(after.siblings)).to.deep.equal(['1/3', '2/4', '3/9']);
    expect(merge(start, after)).to.deep.equal(after);
    const ahead = put(start, [], siblingOf({ actor: 1, stamp: 7 }));
    expect(dotsOf(merge(ahead, after).siblings)).to.deep.equal(['1/3', '1/7', '2/4', '3/9']);
  });

  it('refuses to replace a sibling that it does not hold', () => {
    const start = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    const renewed = siblingOf({ actor: 3, stamp: 9 });
    expect(() => replace(start, { actor: 1, stamp: 4 }, renewed)).to.throw('is in the record');
  });

  it('refuses a write whose dot it, or the context, has seen already', () => {
    const start = put(emptyRecord, [], siblingOf({ actor: 1, stamp: 5 }));
    const context = [{ actor: 1, stamp: 8 }];
    for (const stamp of [4, 5]) {
      const stale = siblingOf({ actor: 1, stamp });
      expect(() => put(start, [], stale)).to.throw('above all');
      expect(() => putCoveringAll(start, stale)).to.throw('above all');
      expect(() => replace(start, { actor: 1, stamp: 5 }, stale)).to.throw('above all');
    }
    expect(() => put(start, context, siblingOf({ actor: 1, stamp: 8 }))).to.throw('above all');
  });

  it('names the fault of a record that breaks the invariant', () => {
    const [one, two] = [
      { actor: 1, stamp: 5 },
      { actor: 2, stamp: 5 },
    ];
    const faults: [Record, string][] = [
      [{ vv: [two, one], siblings: [] }, 'out of order'],
      [{ vv: [one, one], siblings: [] }, 'out of order'],
      [{ vv: [{ actor: 1, stamp: 0 }], siblings: [] }, 'bad dot'],
      [{ vv: [one], siblings: [siblingOf(two)] }, 'not covered'],
      [{ vv: [two], siblings: [siblingOf(one)] }, 'not covered'],
      [{ vv: [one], siblings: [siblingOf({ actor: 1, stamp: 6 })] }, 'not covered'],
      [{ vv: [one, two], siblings: [siblingOf(two), siblingOf(one)] }, 'out of order'],
      [{ vv: [one], siblings: [siblingOf(one), siblingOf(one)] }, 'out of order'],
      [{ vv: [one], siblings: [{ ...siblingOf(one), order: 0 }] }, 'bad order'],
      [{ vv: [one], siblings: [{ ...siblingOf(one), expireAtMs: 2 ** 53 }] }, 'bad expiry'],
    ];
    for (const [broken, text] of faults) expect(faultOf(broken)).to.contain(text);
  });
});
