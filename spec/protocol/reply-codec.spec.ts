import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import {
  DoubleReply,
  ErrorReply,
  MapReply,
  noReply,
  nullArray,
  Prepared,
  type Reply,
  SetReply,
  SimpleString,
  Verbatim,
} from '../../lib/protocol/reply.ts';
import { decodeReply, encodeReply, replyDepthMax } from '../../lib/protocol/reply-codec.ts';

const text = fc.string({ unit: 'grapheme' });

const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    text,
    fc.constantFrom(null, nullArray, noReply),
    text.map((value) => new SimpleString(value)),
    text.map((value) => new ErrorReply(value)),
    text.map((value) => new Verbatim(value)),
    fc.double().map((value) => new DoubleReply(value)),
    fc.array(tie('reply')),
    fc.array(tie('reply')).map((items) => new SetReply(items)),
    fc.array(fc.tuple(tie('reply'), tie('reply'))).map((entries) => new MapReply(entries)),
  ),
}));

function nested(depth: number): Reply {
  let inner: Reply = 1;
  for (let level = 0; level < depth; level += 1) inner = [inner];
  return inner;
}

describe('reply codec', () => {
  it('gives every reply back as what it was', () => {
    fc.assert(
      fc.property(reply, (given) => {
        const back = decodeReply(encodeReply(given));
        expect(back).to.deep.equal(given);
        expect(encodeReply(back)).to.deep.equal(encodeReply(given));
      }),
    );
  });

  it('refuses a reply that is cut short or has bytes behind its end', () => {
    fc.assert(
      fc.property(reply, fc.double({ min: 0, max: 1, maxExcluded: true }), (given, share) => {
        const bytes = encodeReply(given);
        const end = Math.floor(bytes.length * share);
        expect(() => decodeReply(bytes.subarray(0, end))).to.throw(CodecError);
        expect(() => decodeReply(Buffer.concat([bytes, Buffer.of(0)]))).to.throw(CodecError);
      }),
    );
  });

  it('reads any bytes or refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeReply(Buffer.from(bytes));
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
        }
      }),
    );
  });

  it('sends what is prepared as what it is', () => {
    expect(decodeReply(encodeReply([new Prepared(['a', 1])]))).to.deep.equal([['a', 1]]);
  });

  it('bounds the depth, on both sides', () => {
    const deepest = nested(replyDepthMax);
    expect(decodeReply(encodeReply(deepest))).to.deep.equal(deepest);
    expect(() => encodeReply(nested(replyDepthMax + 1))).to.throw(/bounded number of levels/);
    const arrays = Buffer.alloc(20_000, Buffer.of(11, 1));
    expect(() => decodeReply(arrays)).to.throw(CodecError, /too deep/);
  });

  it('makes no room for a count that is only announced', () => {
    const announced = Buffer.of(11, 0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(() => decodeReply(announced)).to.throw(CodecError, /ends too early/);
  });
});
