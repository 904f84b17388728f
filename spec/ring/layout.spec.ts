/** The table of owners, as stored, sent and checked. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import {
  decodeLayout,
  encodeLayout,
  faultOfLayout,
  type Layout,
  layoutFingerprint,
} from '../../lib/ring/layout.ts';
import { alike, memberId, wanted } from './arbitraries.ts';

const gone = fc.uniqueArray(fc.integer({ min: 100, max: 200 }).map(memberId), { maxLength: 3 });

const layouts = fc
  .tuple(wanted(fc.integer({ min: 1, max: 10 })), gone)
  .map(([{ candidates, partitions, n }, removed]) => ({
    ...firstLayout(candidates, partitions, n),
    removed: removed.sort(),
  }));

describe('a layout', () => {
  it('survives its encoding', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        expect(decodeLayout(encodeLayout(layout))).to.deep.equal(layout);
      }),
    );
  });

  it('is refused when it is cut short or goes on', () => {
    const bytes = encodeLayout(firstLayout(alike(4), 8, 3));
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => decodeLayout(bytes.subarray(0, length)), `${length}`).to.throw(CodecError);
    }
    expect(() => decodeLayout(Buffer.concat([bytes, Buffer.of(0)]))).to.throw(CodecError);
    expect(() => decodeLayout(Buffer.concat([Buffer.of(1), bytes.subarray(1)]))).to.throw(
      CodecError,
      'format 1',
    );
  });

  it('is decoded as something legal or refused, whatever byte is changed', () => {
    const sound = firstLayout(alike(4), 8, 3);
    const zones = ['rack', '\u00e4', '', 'rack'];
    const bytes = encodeLayout({ ...sound, zones, removed: [memberId(9)] });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          const layout = decodeLayout(changed);
          expect(encodeLayout(layout)).to.deep.equal(changed);
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
        }
      }),
    );
  });

  it('names what is wrong with it', () => {
    const sound = firstLayout(alike(4), 8, 3);
    const twice = Uint16Array.from(sound.owners);
    twice[1] = twice[0] ?? 0;
    const stranger = Uint16Array.from(sound.owners);
    stranger[5] = 4;
    const [one = '', ...others] = sound.members;
    const faults: readonly [Partial<Layout>, RegExp][] = [
      [{ version: 0 }, /version 0/],
      [{ partitions: 12 }, /12 partitions/],
      [{ partitions: 32768 }, /32768 partitions/],
      [{ members: [] }, /0 members/],
      [{ members: ['x', ...others] }, /a member without a node id/],
      [{ members: [one, one, ...others.slice(1)] }, /a member that is named twice/],
      [{ members: [...others, one] }, /a member out of order/],
      [{ weights: [1, 1, 1] }, /3 weights of 4 members/],
      [{ weights: [1, 1, 0, 1] }, /weight 0/],
      [{ weights: [1, 1, 65_536, 1] }, /weight 65536/],
      [{ weights: [1, 1.5, 1, 1] }, /weight 1.5/],
      [{ zones: ['', ''] }, /2 zones of 4 members/],
      [{ zones: ['', '', '', '\u00e4'.repeat(128)] }, /zone is longer than 255 bytes/],
      [{ zones: ['', '', '', '\ud800'] }, /zone is no text/],
      [{ removed: [memberId(8), memberId(8)] }, /a member that is named twice/],
      [{ removed: ['0'.repeat(39)] }, /a removed member without a node id/],
      [{ removed: [one] }, /a removed member among the members/],
      [{ n: 0 }, /0 replicas/],
      [{ n: 5 }, /5 replicas with 4 members/],
      [{ owners: sound.owners.slice(1) }, /23 owners of 8 x 3/],
      [{ owners: stranger }, /a stranger owns 1/],
      [{ owners: twice }, /partition 0 has an owner twice/],
    ];
    expect(faultOfLayout(sound)).to.equal(undefined);
    for (const [change, fault] of faults) {
      expect(faultOfLayout({ ...sound, ...change })).to.match(fault);
    }
  });
  it('is told apart by its fingerprint from whatever differs', () => {
    const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
    const sound = firstLayout(alike(4), 8, 3);
    const others: readonly Partial<Layout>[] = [
      {},
      { version: 2 },
      { weights: [1, 1, 2, 1] },
      { zones: ['', '', 'a', ''] },
      { removed: [memberId(9)] },
      { owners: Uint16Array.from(sound.owners).reverse() },
    ];
    const prints = others.map((change) => layoutFingerprint({ ...sound, ...change }, sha256));
    expect(prints.map(({ length }) => length)).to.deep.equal(others.map(() => 8));
    expect(new Set(prints.map((print) => print.toString('hex'))).size).to.equal(others.length);
    const again = decodeLayout(encodeLayout(sound));
    expect(layoutFingerprint(again, sha256)).to.deep.equal(prints[0]);
  });
});
