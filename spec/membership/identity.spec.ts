/** Who a node is, as stored. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkAgainst,
  decodeIdentity,
  encodeIdentity,
  type Identity,
  IdentityError,
  nodeIdBytes,
  type RingSettings,
  ringKeyBytes,
} from '../../lib/membership/identity.ts';

const settings: RingSettings = { clusterName: 'carts', partitions: 1024, databases: 16, n: 3 };

describe('an identity', () => {
  const identities = fc.record({
    nodeId: fc.uint8Array({ minLength: nodeIdBytes, maxLength: nodeIdBytes }),
    ringKey: fc.uint8Array({ minLength: ringKeyBytes, maxLength: ringKeyBytes }),
    partitions: fc.nat(16384),
    databases: fc.integer({ min: 1, max: 65535 }),
    n: fc.integer({ min: 1, max: 255 }),
    clusterName: fc.string({ unit: 'grapheme' }),
  });

  it('survives its encoding', () => {
    fc.assert(
      fc.property(identities, (drawn) => {
        const [nodeId, ringKey] = [Buffer.from(drawn.nodeId), Buffer.from(drawn.ringKey)];
        const identity = { ...drawn, nodeId, ringKey };
        expect(decodeIdentity(encodeIdentity(identity))).to.deep.equal(identity);
      }),
    );
  });

  it('is refused when it is cut short', () => {
    expect(() => decodeIdentity(Buffer.alloc(0))).to.throw(IdentityError, 'format none');
    expect(() => decodeIdentity(Buffer.alloc(20, 1))).to.throw(IdentityError);
  });

  it('holds against a directive that was given and says otherwise, and only then', () => {
    const identity: Identity = {
      ...settings,
      nodeId: Buffer.alloc(nodeIdBytes),
      ringKey: Buffer.alloc(ringKeyBytes),
    };
    const changes: readonly [string, Partial<RingSettings>, RegExp][] = [
      ['cluster-name', { clusterName: 'other' }, /^cluster-name is other .* founded with carts$/],
      ['partitions', { partitions: 64 }, /^partitions is 64 .* founded with 1024$/],
      ['databases', { databases: 4 }, /^databases is 4 .* founded with 16$/],
      ['quorum', { n: 5 }, /^N of quorum is 5 .* founded with 3$/],
    ];
    for (const [given, change, message] of changes) {
      const wanted = { ...settings, ...change };
      const check = (isGiven: boolean) => () =>
        checkAgainst(identity, wanted, (directive) => isGiven && directive === given);
      expect(check(true), given).to.throw(IdentityError, message);
      expect(check(false), given).to.not.throw();
    }
  });
});
