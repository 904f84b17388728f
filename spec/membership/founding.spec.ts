/** Who a node is: founded once, kept for ever, and refused rather than guessed. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkAgainst,
  decodeIdentity,
  encodeIdentity,
  establishIdentity,
  type Identity,
  IdentityError,
  nodeIdBytes,
  type RingSettings,
  ringKeyBytes,
} from '../../lib/membership/founding.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { metaKey } from '../../lib/storage/keys.ts';
import { sealMeta } from '../../lib/storage/meta.ts';
import { silentLog } from '../sim/virtual-time.ts';
import { StoreRig } from '../storage/store-rig.ts';

const settings: RingSettings = { clusterName: 'carts', partitions: 1024, databases: 16, n: 3 };
const { hashes } = realSystem(silentLog);

async function establish(rig: StoreRig, wanted = settings): Promise<Identity> {
  const report = await rig.start();
  const system = { ...rig.time.system(() => true), hashes };
  return rig.run(establishIdentity(rig.store, report, wanted, system));
}

async function refusal(rig: StoreRig): Promise<string> {
  try {
    await establish(rig);
  } catch (error) {
    if (error instanceof IdentityError) return error.message;
    throw error;
  }
  return 'none';
}

describe('the founding of a ring', () => {
  it('happens once: a restart, even after a power cut, finds the same node and ring', async () => {
    const rig = new StoreRig(1);
    const founded = await establish(rig);
    expect(founded).to.include(settings);
    for (const kind of ['process', 'power'] as const) {
      rig.crash(kind);
      expect(await establish(rig, { ...settings, clusterName: 'another' })).to.deep.equal(founded);
    }
  });

  it('makes another node and another ring key in every directory', async () => {
    const [one, other] = [await establish(new StoreRig(1)), await establish(new StoreRig(2))];
    expect(one.nodeId.equals(other.nodeId)).to.equal(false);
    expect(one.ringKey.equals(other.ringKey)).to.equal(false);
  });

  it('is refused where there are records without an identity', async () => {
    const rig = new StoreRig(1);
    await rig.start();
    await rig.run(rig.writer.write('k', 'value'));
    await rig.run(rig.store.close());
    expect(await refusal(rig)).to.match(/has records but no readable identity/);
  });

  it('is refused where the identity is damaged', async () => {
    const rig = new StoreRig(1);
    await establish(rig);
    rig.crash('process');
    rig.disk.flipBit((key) => key.equals(metaKey('identity')));
    expect(await refusal(rig)).to.match(/identity of this node is damaged/);
  });

  it('is refused where the identity is of a later version', async () => {
    const rig = new StoreRig(1);
    await rig.start();
    const later = Buffer.alloc(100, 9);
    await rig.run(rig.store.write([sealMeta('identity', later, hashes.crc32)]));
    await rig.run(rig.store.close());
    expect(await refusal(rig)).to.match(/has format 9, this version knows 1/);
  });
});

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
