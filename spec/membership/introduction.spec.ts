/** What nodes that meet say to each other, as bytes that may come from anywhere. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import {
  IdentityError,
  nodeIdBytes,
  ringDirectives,
  ringKeyBytes,
} from '../../lib/membership/identity.ts';
import {
  decodeIntroduction,
  decodeJoin,
  decodeOffer,
  encodeIntroduction,
  encodeJoin,
  encodeOffer,
  type JoinRequest,
} from '../../lib/membership/introduction.ts';
import type { RingMembership } from '../../lib/membership/ring-rows.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { wanted } from '../ring/arbitraries.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const port = fc.nat(65_535);
const facts = fc.record({
  name: text,
  host: text,
  port,
  peerPort: port,
  zone: text,
  weight: fc.integer({ min: 1, max: 1000 }),
});
const ring = fc.record({
  tag: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  listsYou: fc.boolean(),
  removedYou: fc.boolean(),
});
const introductions = fc.record({
  facts,
  bootstrap: fc.boolean(),
  ring: fc.option(ring, { nil: undefined }),
  foundAt: text,
  yourHost: text,
});
const joins: fc.Arbitrary<JoinRequest> = fc.record({
  id: fc.uint8Array({ minLength: nodeIdBytes, maxLength: nodeIdBytes }).map(hexOf),
  facts,
  settings: fc.record({
    clusterName: text,
    partitions: fc.nat(16_384),
    databases: fc.nat(65_535),
    n: fc.nat(9),
  }),
  given: fc.subarray([...ringDirectives]),
  replace: text,
});

const offers: fc.Arbitrary<RingMembership> = fc
  .tuple(wanted(fc.integer({ min: 1, max: 9 })), facts)
  .map(([{ candidates, partitions, n }, said]) => {
    const layout = firstLayout(candidates, partitions, n);
    return {
      identity: {
        clusterName: 'carts',
        partitions,
        databases: 16,
        n,
        nodeId: Buffer.alloc(nodeIdBytes, 1),
        ringKey: Buffer.alloc(ringKeyBytes, 2),
      },
      ring: {
        layouts: [layout],
        reading: layout.version,
        pending: [],
        members: layout.members.map((id) => ({ id, ...said })),
      },
    };
  });

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Nothing but the errors that name what is wrong. */
function isRefusal(error: unknown): boolean {
  return error instanceof CodecError || error instanceof IdentityError;
}

function expectRefusals(decode: (bytes: Buffer) => unknown, bytes: Buffer): void {
  for (let length = 0; length < bytes.length; length += 1) {
    try {
      decode(bytes.subarray(0, length));
    } catch (error) {
      expect(isRefusal(error), String(error)).to.equal(true);
      continue;
    }
    throw new Error(`${length} of ${bytes.length} bytes were taken`);
  }
}

describe('an introduction', () => {
  it('survives its encoding', () => {
    fc.assert(
      fc.property(introductions, (said) => {
        expect(decodeIntroduction(encodeIntroduction(said))).to.deep.equal(said);
      }),
    );
  });

  it('is refused when it is cut short', () => {
    const [said] = fc.sample(introductions, { numRuns: 1, seed: 3 });
    if (said !== undefined) expectRefusals(decodeIntroduction, encodeIntroduction(said));
  });

  it('is refused where a port or a weight cannot be', () => {
    const sound = { name: '', host: '', port: 1, peerPort: 1, zone: '', weight: 1 };
    for (const wrong of [{ port: 65_536 }, { peerPort: 65_536 }, { weight: 0 }]) {
      const wrongFacts = { ...sound, ...wrong };
      const said = {
        facts: wrongFacts,
        bootstrap: false,
        ring: undefined,
        foundAt: '',
        yourHost: '',
      };
      expect(() => decodeIntroduction(encodeIntroduction(said))).to.throw(CodecError);
    }
  });
});

describe('the offer of a ring', () => {
  it('survives its encoding', () => {
    fc.assert(
      fc.property(offers, (offer) => {
        expect(decodeOffer(encodeOffer(offer))).to.deep.equal(offer);
      }),
    );
  });

  it('is refused when it is cut short', () => {
    const [offer] = fc.sample(offers, { numRuns: 1, seed: 5 });
    if (offer !== undefined) expectRefusals(decodeOffer, encodeOffer(offer));
  });

  it('is taken or refused, whatever byte is changed, and never breaks anything else', () => {
    const [offer] = fc.sample(offers, { numRuns: 1, seed: 8 });
    if (offer === undefined) throw new Error('no sample');
    const bytes = encodeOffer(offer);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          decodeOffer(changed);
        } catch (error) {
          expect(isRefusal(error), String(error)).to.equal(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a request to join', () => {
  it('survives its encoding', () => {
    fc.assert(
      fc.property(joins, (request) => {
        expect(decodeJoin(encodeJoin(request))).to.deep.equal(request);
      }),
    );
  });

  it('is refused when it is cut short, or of another format', () => {
    const [request] = fc.sample(joins, { numRuns: 1, seed: 4 });
    if (request === undefined) throw new Error('no sample');
    const bytes = encodeJoin(request);
    expectRefusals(decodeJoin, bytes);
    bytes[0] = 9;
    expect(() => decodeJoin(bytes)).to.throw(CodecError, 'format 9');
  });
});
