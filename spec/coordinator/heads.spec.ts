/** Nobody acts on a layout that is gone. */
import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { isStale, refuseStale } from '../../lib/coordinator/heads.ts';
import { Locator } from '../../lib/replica/place.ts';
import { PeerError } from '../../lib/transport/transport.ts';

const place = new Locator(Buffer.alloc(32, 7)).locate(0, Buffer.from('k'));

describe('the head of a message', () => {
  it('is refused if its layout is older, and taken if it is the same or newer', () => {
    const head = (layout: number) => ({ place, layout, flushStamp: 0 });
    expect(() => refuseStale(head(2), 3)).to.throw(
      RedisError,
      'STALE this node goes by layout 3, the request by 2',
    );
    refuseStale(head(3), 3);
    refuseStale(head(4), 3);
  });

  it('is known by its sender to be stale, and only then', () => {
    expect(isStale(new PeerError('refused', 'STALE this node goes by layout 3'))).to.equal(true);
    expect(isStale(new PeerError('refused', 'ERR this node is no owner'))).to.equal(false);
    expect(isStale(new PeerError('timeout', 'no answer'))).to.equal(false);
    expect(isStale(new Error('STALE'))).to.equal(false);
  });
});
