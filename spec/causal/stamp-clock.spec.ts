import { expect } from 'chai';
import fc from 'fast-check';
import { StampClock, stampOf, wallMsOf } from '../../lib/causal/stamp-clock.ts';

const wallMs = Date.UTC(2026, 5, 1);

describe('stamp clock', () => {
  it('counts 4096 stamps to a millisecond since 2020', () => {
    expect(stampOf(Date.UTC(2020, 0, 1))).to.equal(0);
    expect(stampOf(Date.UTC(2020, 0, 1) + 3)).to.equal(3 * 4096);
    expect(stampOf(0)).to.equal(0);
    expect(wallMsOf(stampOf(wallMs) + 4095)).to.equal(wallMs);
    expect(Number.isSafeInteger(stampOf(Date.UTC(2089, 0, 1)))).to.equal(true);
  });

  it('strictly increases, however the wall clock steps and whatever it observes', () => {
    const offsetMs = fc.integer({ min: -3_600_000, max: 3_600_000 });
    const event = fc.tuple(fc.constantFrom('tick', 'observe', 'lift'), offsetMs, offsetMs);
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
        const clock = new StampClock(0);
        let last = clock.last;
        for (const [kind, ownMs, foreignMs] of events) {
          const foreign = stampOf(wallMs + foreignMs);
          if (kind === 'observe') clock.observe(foreign, wallMs + ownMs);
          if (kind === 'lift') clock.lift(foreign);
          expect(clock.last).to.be.at.least(last);
          const next = clock.tick(wallMs + ownMs);
          expect(next).to.be.above(last).and.equal(clock.last);
          expect(next).to.be.at.least(stampOf(wallMs + ownMs));
          last = next;
        }
      }),
    );
  });

  it('carries a burst into the following milliseconds and falls back in step', () => {
    const clock = new StampClock(0);
    for (let count = 0; count < 10_000; count += 1) clock.tick(wallMs);
    expect(clock.last).to.equal(stampOf(wallMs) + 9_999);
    expect(clock.tick(wallMs + 2)).to.equal(stampOf(wallMs) + 10_000);
    expect(clock.tick(wallMs + 3)).to.equal(stampOf(wallMs + 3));
  });

  it('counts on from its last stamp when the wall clock steps back', () => {
    const clock = new StampClock(0);
    const before = clock.tick(wallMs);
    expect(clock.tick(wallMs - 86_400_000)).to.equal(before + 1);
  });

  it('starts above the ceiling', () => {
    const ceiling = stampOf(wallMs + 10_000);
    expect(new StampClock(ceiling).tick(wallMs)).to.equal(ceiling + 1);
  });

  it('is lifted by a foreign stamp up to one second ahead and by none beyond', () => {
    const clock = new StampClock(0);
    clock.tick(wallMs);
    expect(clock.observe(stampOf(wallMs + 1000), wallMs)).to.equal(true);
    expect(clock.tick(wallMs)).to.equal(stampOf(wallMs + 1000) + 1);
    expect(clock.observe(stampOf(wallMs + 1001), wallMs)).to.equal(false);
    expect(clock.observe(stampOf(wallMs + 31_536_000_000), wallMs)).to.equal(false);
    expect(clock.last).to.equal(stampOf(wallMs + 1000) + 1);
    expect(clock.observe(stampOf(wallMs - 5000), wallMs)).to.equal(true);
    expect(clock.last).to.equal(stampOf(wallMs + 1000) + 1);
  });

  it('is lifted by a flush without a limit, and never lowered', () => {
    const clock = new StampClock(0);
    clock.lift(stampOf(wallMs + 60_000));
    clock.lift(5);
    expect(clock.tick(wallMs)).to.equal(stampOf(wallMs + 60_000) + 1);
  });

  it('stops rather than give out a stamp that is no safe integer', () => {
    const clock = new StampClock(Number.MAX_SAFE_INTEGER);
    expect(() => clock.tick(wallMs)).to.throw('run out of stamps');
    expect(() => clock.lift(2 ** 53)).to.throw('safe integer');
    expect(() => new StampClock(-1)).to.throw('starts at a stamp');
  });
});
