/** Whether two processes live under one node id at once. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Twins } from '../../lib/membership/twins.ts';

const peer = 'a'.repeat(40);

describe('twins', () => {
  it('are found when an older process answers what was asked after the newer was heard', () => {
    const twins = new Twins();
    expect(twins.heard(peer, 1, 0, 10)).to.equal(undefined);
    expect(twins.heard(peer, 2, 20, 30)).to.equal(undefined);
    expect(twins.heard(peer, 1, 40, 50)).to.deep.equal([1, 2]);
  });

  it('are told once a pair', () => {
    const twins = new Twins();
    const told: unknown[] = [];
    for (let ms = 0; ms < 1000; ms += 10) {
      const pair = twins.heard(peer, 1 + ((ms / 10) % 3), ms, ms + 5);
      if (pair !== undefined) told.push(pair);
    }
    expect(told).to.deep.equal([
      [1, 3],
      [2, 1],
      [3, 2],
    ]);
  });

  it('are not a process that answers late what it was asked before', () => {
    const twins = new Twins();
    twins.heard(peer, 1, 0, 10);
    twins.heard(peer, 2, 20, 30);
    expect(twins.heard(peer, 1, 25, 1000)).to.equal(undefined);
    expect(twins.heard(peer, 1, 30, 1001)).to.equal(undefined);
    expect(twins.heard(peer, 2, 1002, 1003)).to.equal(undefined);
  });

  it('are not two nodes', () => {
    const twins = new Twins();
    const other = 'b'.repeat(40);
    for (let ms = 0; ms < 100; ms += 10) {
      expect(twins.heard(peer, 1, ms, ms + 1)).to.equal(undefined);
      expect(twins.heard(other, 2, ms, ms + 1)).to.equal(undefined);
    }
  });

  it('are forgotten with the peer', () => {
    const twins = new Twins();
    twins.heard(peer, 1, 0, 10);
    twins.heard(peer, 2, 20, 30);
    twins.forget(peer);
    expect(twins.heard(peer, 1, 40, 50)).to.equal(undefined);
  });

  it('are never processes that ran one after the other, however late their answers come', () => {
    const ping = fc.record({
      sentAtMs: fc.nat(1000),
      reachesAfterMs: fc.nat(300),
      heardAfterMs: fc.nat(300),
    });
    const lives = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(lives, fc.array(ping, { maxLength: 200 }), (lengthsMs, pings) => {
        const twins = new Twins();
        const nonceAt = (ms: number): number => {
          let endMs = 0;
          return lengthsMs.findIndex((lengthMs) => {
            endMs += lengthMs;
            return ms < endMs;
          });
        };
        const answers = pings
          .map(({ sentAtMs, reachesAfterMs, heardAfterMs }) => {
            const atMs = sentAtMs + reachesAfterMs;
            return { sentAtMs, nonce: nonceAt(atMs), nowMs: atMs + heardAfterMs };
          })
          .sort((a, b) => a.nowMs - b.nowMs);
        for (const { sentAtMs, nonce, nowMs } of answers) {
          expect(twins.heard(peer, nonce, sentAtMs, nowMs)).to.equal(undefined);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are found among any number of restarts, if both answer for a while', () => {
    const restarts = fc.uniqueArray(fc.integer({ min: 10, max: 1000 }), { maxLength: 40 });
    fc.assert(
      fc.property(restarts, fc.array(fc.boolean(), { maxLength: 30 }), (nonces, whoAnswers) => {
        const twins = new Twins();
        let ms = 0;
        const told: unknown[] = [];
        for (const nonce of [...nonces, ...whoAnswers.map((is) => (is ? 1 : 2)), 1, 2, 1, 2]) {
          ms += 10;
          const pair = twins.heard(peer, nonce, ms, ms + 5);
          if (pair !== undefined) told.push([...pair].sort());
        }
        expect(told).to.deep.equal([[1, 2]]);
      }),
    );
  });
});
