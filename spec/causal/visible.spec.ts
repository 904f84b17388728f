import { expect } from 'chai';
import fc from 'fast-check';
import { emptyRecord, type Record, type Sibling, siblingKind } from '../../lib/causal/record.ts';
import {
  isExpired,
  liveSiblings,
  visible,
  winner,
  withoutFlushed,
} from '../../lib/causal/visible.ts';
import { anyRecord } from './arbitraries.ts';

const nowMs = 1_800_000_000_000;

/** A record whose siblings differ as given; every actor has one. */
function recordOf(...siblings: readonly Partial<Sibling>[]): Record {
  const whole = siblings.map((given, actor) => ({
    dot: { actor, stamp: 10 },
    order: 10,
    kind: siblingKind.value,
    expireAtMs: 0,
    bytes: Buffer.from(`${actor}`),
    ...given,
  }));
  return { vv: whole.map(({ dot }) => dot), siblings: whole };
}

const text = (sibling: Sibling | undefined) => sibling?.bytes.toString();

describe('visible value', () => {
  it('is the highest by order, then stamp, then actor', () => {
    const late = { dot: { actor: 1, stamp: 99 } };
    expect(text(visible(recordOf({ order: 11 }, late), nowMs))).to.equal('0');
    expect(text(visible(recordOf({}, late, {}), nowMs))).to.equal('1');
    expect(text(visible(recordOf({}, {}, {}), nowMs))).to.equal('2');
    expect(visible(emptyRecord, nowMs)).to.equal(undefined);
  });

  it('is nothing where a tombstone or an expired value wins', () => {
    expect(visible(recordOf({}, { order: 11, kind: siblingKind.tombstone }), nowMs)).to.equal(
      undefined,
    );
    expect(visible(recordOf({}, { order: 11, expireAtMs: nowMs }), nowMs)).to.equal(undefined);
    expect(text(visible(recordOf({}, { order: 11, expireAtMs: nowMs + 1 }), nowMs))).to.equal('1');
    expect(text(visible(recordOf({}, { order: 9, expireAtMs: 1 }), nowMs))).to.equal('0');
  });

  it('expires at its instant and never at 0', () => {
    expect(isExpired(0, nowMs)).to.equal(false);
    expect(isExpired(nowMs + 1, nowMs)).to.equal(false);
    expect(isExpired(nowMs, nowMs)).to.equal(true);
  });

  it('lists live values newest first, the visible one in front if it is live', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const live = liveSiblings(record, nowMs);
        const best = winner(record.siblings);
        live.forEach((sibling, index) => {
          expect(winner(live.slice(index))).to.equal(sibling);
          expect(sibling.kind).to.equal(siblingKind.value);
          expect(isExpired(sibling.expireAtMs, nowMs)).to.equal(false);
        });
        if (visible(record, nowMs) !== undefined) expect(live[0]).to.equal(best);
        else expect(live.includes(best as Sibling)).to.equal(false);
      }),
    );
  });

  it('loses what a flush has reached, by order, and keeps the vector', () => {
    const record = recordOf({ order: 5 }, { order: 6 }, { order: 7 });
    const after = withoutFlushed(record, 6);
    expect(after.vv).to.equal(record.vv);
    expect(after.siblings.map(({ order }) => order)).to.deep.equal([7]);
    expect(withoutFlushed(record, 4)).to.equal(record);
    expect(withoutFlushed(emptyRecord, 4)).to.equal(emptyRecord);
  });
});
