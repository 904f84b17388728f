import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { peerKinds } from '../../lib/coordinator/peer-kinds.ts';
import {
  decodePage,
  decodeTransfer,
  encodePage,
  encodeTransfer,
  type TransferPage,
} from '../../lib/coordinator/transfers.ts';
import { slotCount } from '../../lib/ring/slots.ts';
import { PeerError } from '../../lib/transport/transport.ts';
import { anyRecord, anyStamp, closeRecord } from '../causal/arbitraries.ts';
import { placeOf } from '../replica/replica-rig.ts';
import { idOf, join, SmallWorld } from './small-world.ts';

const somePlace = fc.tuple(fc.string(), fc.nat(2)).map(([name, db]) => placeOf(name, db));

const somePage: fc.Arbitrary<TransferPage> = fc.record({
  flushStamps: fc.array(fc.oneof(fc.constant(0), anyStamp), { maxLength: 16 }),
  next: fc.option(
    somePlace.map(({ storageKey }) => storageKey),
    { nil: undefined },
  ),
  records: fc.array(fc.record({ place: somePlace, record: anyRecord }), { maxLength: 5 }),
});

function plain({ flushStamps, next, records }: TransferPage) {
  return {
    flushStamps,
    next: next?.toString('hex'),
    records: records.map(({ place, record }) => ({
      key: place.storageKey.toString('hex'),
      slot: place.slot,
      record,
    })),
  };
}

describe('the messages of a transfer', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(somePage, (page) => {
        expect(plain(decodePage(encodePage(page)))).to.deep.equal(plain(page));
      }),
    );
    fc.assert(
      fc.property(fc.nat(), fc.nat(slotCount - 1), somePlace, (version, from, { storageKey }) => {
        for (const behind of [undefined, storageKey]) {
          const request = { version, slots: { from, to: slotCount }, behind };
          expect(decodeTransfer(encodeTransfer(request))).to.deep.equal(request);
        }
      }),
    );
  });

  it('are refused when they end early', () => {
    fc.assert(
      fc.property(somePage, fc.nat(), (page, cut) => {
        const bytes = encodePage(page);
        const part = bytes.subarray(0, cut % bytes.length);
        expect(() => decodePage(part)).to.throw(Error);
      }),
    );
    for (const slots of [
      { from: 5, to: 5 },
      { from: 0, to: slotCount + 1 },
    ]) {
      const bytes = encodeTransfer({ version: 1, slots, behind: undefined });
      expect(() => decodeTransfer(bytes)).to.throw(CodecError, 'names no slots');
    }
  });
});

describe('an owner that is asked for its records', () => {
  const [record] = fc.sample(
    closeRecord().filter(({ siblings }) => siblings.length > 0),
    { numRuns: 1, seed: 1 },
  );
  const all = { from: 0, to: slotCount };

  async function ask(world: SmallWorld, name: string, version: number): Promise<TransferPage> {
    const body = encodeTransfer({ version, slots: all, behind: undefined });
    const { transport } = world.node('d').parts;
    const answer = transport.call(idOf(name), peerKinds.transfer, body, 1000);
    return decodePage(await world.time.run(answer));
  }

  async function failure(work: Promise<unknown>): Promise<string> {
    return work.then(
      () => 'none',
      (error: unknown) => (error instanceof PeerError ? error.message : String(error)),
    );
  }

  it('waits until it has adopted the layout, and answers with its flushes', async () => {
    const world = await SmallWorld.of(1, 'abc');
    const a = world.node('a');
    await a.absorb(placeOf('k', 1), record ?? { vv: [], siblings: [] });
    await a.rig.run(a.rig.replica.flush([2], 77));
    await world.come('d');
    expect(await failure(ask(world, 'a', 2))).to.equal('ERR layout 2 is not adopted here, 1 is');
    await world.adopt(world.next(join('d')), 'a');
    const page = await ask(world, 'a', 2);
    expect(page.flushStamps).to.deep.equal([0, 0, 77]);
    expect(page.records.map(({ place }) => place.id)).to.deep.equal([placeOf('k', 1).id]);
    await world.end();
  });

  it('refuses strangers, and for slots that it does not own in the oldest layout', async () => {
    const world = await SmallWorld.of(1, 'ab', { n: 1, w: 1 });
    await world.come('d');
    expect(await failure(ask(world, 'a', 1))).to.equal('ERR you are no member of layout 1');
    await world.adopt(world.next(join('d')), 'a');
    const reason = await failure(ask(world, 'a', 2));
    expect(reason).to.match(/^ERR partition \d+ is not owned here, in 1$/);
    await world.end();
  });
});
