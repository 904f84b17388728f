import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { StoreError } from '../../lib/base/errors.ts';
import {
  decodeForward,
  decodeHeld,
  decodeHint,
  decodeRead,
  decodeReadAnswer,
  decodeReplicate,
  decodeUpdateResult,
  encodeForward,
  encodeHeld,
  encodeHint,
  encodeRead,
  encodeReadAnswer,
  encodeReplicate,
  encodeUpdateResult,
  type Forwarded,
  type Head,
  restamped,
  versionOf,
} from '../../lib/coordinator/peer-messages.ts';
import { Locator } from '../../lib/replica/place.ts';
import { anyRecord, anyStamp, anyVector } from '../causal/arbitraries.ts';

const locator = new Locator(Buffer.alloc(32, 7));
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const anyPlace = fc.tuple(fc.nat(15), anyBytes).map(([db, key]) => locator.locate(db, key));
const anyLayout = fc.integer({ min: 1, max: 2 ** 31 });
const anyHead = fc.record({
  place: anyPlace,
  layout: anyLayout,
  flushStamp: anyStamp,
});
const anyExpiry = fc.integer({ min: 0, max: 2 ** 45 });

function headText({ place, layout, flushStamp }: Head) {
  return [place.storageKey.toString('hex'), layout, flushStamp];
}

describe('peer messages', () => {
  it('carry records with their place, the layout they go by and the flush stamp', () => {
    fc.assert(
      fc.property(anyHead, fc.nat(3), anyRecord, (head, flags, record) => {
        const got = decodeReplicate(encodeReplicate(head, flags, record));
        expect(headText(got)).to.deep.equal(headText(head));
        expect([got.flags, got.record]).to.deep.equal([flags, record]);
        const target = Buffer.alloc(20, 3);
        const hint = decodeHint(encodeHint(head, target, record));
        expect([hint.target, hint.record]).to.deep.equal([target, record]);
        expect(headText(hint)).to.deep.equal(headText(head));
        expect(decodeHeld(encodeHeld(record))).to.deep.equal(record);
        expect(decodeHeld(encodeHeld(undefined))).to.equal(undefined);
      }),
    );
  });

  it('carry reads and each kind of answer', () => {
    fc.assert(
      fc.property(anyHead, anyBytes, anyRecord, (head, version, record) => {
        const got = decodeRead(encodeRead(head, 'compare', version));
        expect([got.mode, got.version]).to.deep.equal(['compare', version]);
        expect(headText(got)).to.deep.equal(headText(head));
        const answers = [
          { kind: 'nothing' },
          { kind: 'same' },
          { kind: 'version', version },
          { kind: 'large', version, recordBytes: 123_456_789 },
          { kind: 'record', record },
        ] as const;
        for (const answer of answers) {
          expect(decodeReadAnswer(encodeReadAnswer(answer))).to.deep.equal(answer);
        }
      }),
    );
  });

  it('carry writes to their coordinator, by the layout of now, and results back', () => {
    const anyForwarded: fc.Arbitrary<Forwarded> = fc.oneof(
      fc.record({
        op: fc.constant('update' as const),
        update: fc.record({ kind: fc.constant('append' as const), bytes: anyBytes }),
        context: fc.option(anyVector, { nil: undefined }),
      }),
      fc
        .tuple(anyVector, anyExpiry, fc.option(anyBytes, { nil: undefined }))
        .map(([context, expireAtMs, value]) => ({
          op: 'put' as const,
          request: {
            context,
            value,
            expireAtMs: value === undefined ? 0 : expireAtMs,
            w: 2,
          },
        })),
    );
    fc.assert(
      fc.property(anyHead, anyLayout, anyForwarded, (head, layout, what) => {
        const options = { timeoutMs: 450, w: 2, r: 3 };
        const got = decodeForward(encodeForward(head, options, what));
        expect([got.options, got.what]).to.deep.equal([options, what]);
        expect(headText(got)).to.deep.equal(headText(head));
        const later = decodeForward(restamped(encodeForward(head, options, what), layout));
        expect([later.options, later.what]).to.deep.equal([options, what]);
        expect(headText(later)).to.deep.equal(headText({ ...head, layout }));
      }),
    );
    const anyVisible = fc.option(fc.record({ expireAtMs: anyExpiry, bytes: anyBytes }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.boolean(), anyVisible, anyVisible, anyVector, (applied, before, after, vv) => {
        const result = { applied, before, after, vv };
        expect(decodeUpdateResult(encodeUpdateResult(result))).to.deep.equal(result);
      }),
    );
  });

  it('of any other bytes are refused, and nothing else goes wrong', () => {
    const decoders = [
      decodeReplicate,
      decodeHint,
      decodeRead,
      decodeReadAnswer,
      decodeForward,
      decodeUpdateResult,
    ];
    const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(garbage, fc.constantFrom(...decoders), (bytes, decode) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(
            error instanceof CodecError || error instanceof StoreError,
            String(error),
          ).to.equal(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('name versions that are equal exactly for equal states', () => {
    const hash = (bytes: Buffer): Buffer => Buffer.from(`hashed ${bytes.toString('hex')}`);
    fc.assert(
      fc.property(anyRecord, anyRecord, (a, b) => {
        const states = [a, b].map(({ vv, siblings }) =>
          JSON.stringify([vv, siblings.map(({ dot }) => dot)]),
        );
        expect(versionOf(a, hash).equals(versionOf(b, hash))).to.equal(states[0] === states[1]);
      }),
    );
  });
});
