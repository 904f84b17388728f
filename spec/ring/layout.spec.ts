/** The table of owners, as stored, sent and checked. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { decodeLayout, encodeLayout, faultOfLayout, type Layout } from '../../lib/ring/layout.ts';
import { alike, memberId, wanted } from './arbitraries.ts';

const layouts = wanted(fc.integer({ min: 1, max: 10 })).map(({ candidates, partitions, n }) =>
  firstLayout(candidates, partitions, n),
);

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
    expect(() => decodeLayout(Buffer.concat([Buffer.of(2), bytes.subarray(1)]))).to.throw(
      CodecError,
      'format 2',
    );
  });

  it('is decoded as something legal or refused, whatever byte is changed', () => {
    const bytes = encodeLayout(firstLayout(alike(4), 8, 3));
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
    const id = memberId(0);
    const faults: readonly [Partial<Layout>, RegExp][] = [
      [{ version: 0 }, /version 0/],
      [{ partitions: 12 }, /12 partitions/],
      [{ partitions: 32768 }, /32768 partitions/],
      [{ members: [] }, /0 members/],
      [{ members: ['x', ...sound.members.slice(1)] }, /without a node id/],
      [{ members: [id, id, memberId(1), memberId(2)] }, /named twice/],
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
});
