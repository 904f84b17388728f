/** What members say in a ballot, as bytes that may come from anywhere. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import {
  type BallotAnswer,
  type BallotRequest,
  type BallotState,
  decodeAnswer,
  decodeRequest,
  decodeState,
  encodeAnswer,
  encodeRequest,
  encodeState,
  type Proposal,
} from '../../lib/membership/ballot-messages.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { memberId, wanted } from '../ring/arbitraries.ts';
import { membersOf } from './voters.ts';

const versions = fc.integer({ min: 1, max: 2 ** 31 });
const ballots = fc.record({ round: fc.nat(), node: fc.nat(9).map(memberId) });
const ids = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes));

function proposals(version: number): fc.Arbitrary<Proposal> {
  return fc
    .tuple(wanted(fc.integer({ min: 1, max: 9 })), ids)
    .map(([{ candidates, partitions, n }, id]) => {
      const layout = { ...firstLayout(candidates, partitions, n), version };
      return { id, layout, members: membersOf(layout) };
    });
}

function votes(version: number) {
  return fc.record({ ballot: ballots, value: proposals(version) });
}

const requests: fc.Arbitrary<BallotRequest> = versions.chain((version) =>
  fc.oneof(
    fc.record({
      kind: fc.constant('prepare' as const),
      version: fc.constant(version),
      ballot: ballots,
    }),
    fc.record({
      kind: fc.constant('accept' as const),
      version: fc.constant(version),
      vote: votes(version),
    }),
    fc.record({
      kind: fc.constant('decided' as const),
      version: fc.constant(version),
      proposal: proposals(version),
    }),
  ),
);

const answers: fc.Arbitrary<BallotAnswer> = fc.oneof(
  fc.record({
    kind: fc.constant('yes' as const),
    accepted: fc.option(votes(7), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('no' as const), round: fc.nat() }),
  fc.constant({ kind: 'newer' } as const),
  fc.constant({ kind: 'older' } as const),
);

const states: fc.Arbitrary<BallotState> = fc.record({
  version: versions,
  promised: ballots,
  accepted: fc.option(votes(7), { nil: undefined }),
});

const codecs = [
  ['a request', requests, encodeRequest, decodeRequest],
  ['an answer', answers, encodeAnswer, decodeAnswer],
  ['what is kept', states, encodeState, decodeState],
] as const;

for (const [name, arbitrary, encode, decode] of codecs) {
  describe(`${name} of a ballot`, () => {
    // The rows of the table differ in their type, not in what is asked of them.
    const values = arbitrary as fc.Arbitrary<never>;
    const write = encode as (value: never) => Buffer;

    it('survives its encoding', () => {
      fc.assert(
        fc.property(values, (value) => {
          expect(decode(write(value))).to.deep.equal(value);
        }),
      );
    });

    it('shares no memory with the bytes', () => {
      fc.assert(
        fc.property(values, (value) => {
          const bytes = write(value);
          const decoded = decode(bytes);
          bytes.fill(0);
          expect(decoded).to.deep.equal(value);
        }),
      );
    });

    it('is refused when it is cut short, and read or refused whatever its bytes are', () => {
      fc.assert(
        fc.property(values, fc.nat(), fc.nat(255), (value, at, byte) => {
          const bytes = write(value);
          const index = at % bytes.length;
          expect(() => decode(bytes.subarray(0, index))).to.throw(CodecError);
          bytes[index] = byte;
          try {
            decode(bytes);
          } catch (error) {
            expect(error).to.be.instanceOf(CodecError);
          }
        }),
      );
    });
  });
}
