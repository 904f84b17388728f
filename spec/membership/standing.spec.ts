/** Whether a node may serve: the gravest reason against it stays. */
import { expect } from 'chai';
import { Standing } from '../../lib/membership/standing.ts';

describe('the standing of a node', () => {
  it('is good until something is known against it', () => {
    expect(new Standing().refusal).to.equal(undefined);
  });

  it('names what the operator is to do, as an error that cluster clients retry', () => {
    const reasons: readonly (readonly [(standing: Standing) => void, string, RegExp])[] = [
      [(standing) => standing.lostDisk('n1'), 'everything', /lost its data.* --replace-node n1$/],
      [(standing) => standing.removed(), 'everything', /was removed .* start it empty$/],
      [(standing) => standing.left(), 'everything', /has left .* start it empty to join again$/],
      [(standing) => standing.twin(), 'writes', /copies of one data directory: stop both/],
    ];
    for (const [happen, of, text] of reasons) {
      const standing = new Standing();
      happen(standing);
      expect(standing.refusal?.of).to.equal(of);
      expect(standing.refusal?.text)
        .to.match(/^CLUSTERDOWN /)
        .and.to.match(text);
    }
  });

  it('gets worse, never better', () => {
    const standing = new Standing();
    standing.twin();
    standing.removed();
    expect(standing.refusal?.text).to.match(/was removed/);
    standing.twin();
    standing.left();
    expect(standing.refusal?.text).to.match(/was removed/);
  });
});
