/** What members tell each other all the time. */
import { expect } from 'chai';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { Pings } from '../../lib/coordinator/pings.ts';
import type { Said } from '../../lib/membership/membership.ts';
import type { Trackers } from '../../lib/membership/topology.ts';
import { ReplicaRig } from '../replica/replica-rig.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

const databases = 3;

describe('a ping', () => {
  let rigs: readonly ReplicaRig[];
  let time: VirtualTime;
  let trackers: Trackers;
  let heard: (readonly [number, Said])[];

  beforeEach(async () => {
    time = new VirtualTime(1);
    rigs = [await ReplicaRig.started(0, time), await ReplicaRig.started(0, time)];
    trackers = { adopted: 2 ** 31, complete: 8, reading: 7, oldest: 7 };
    heard = [];
  });

  afterEach(async () => {
    for (const rig of rigs) await rig.end();
  });

  function pings(index: number, aheadMs = 0, told = databases): Pings {
    const { replica } = rigs[index] as ReplicaRig;
    const { clock } = time.system();
    const own = { ...clock, wallMs: () => clock.wallMs() + aheadMs };
    return new Pings(replica, own, {
      bootNonce: 2 ** 47 + index,
      databases: told,
      trackers: () => trackers,
      heard: (member, said) => heard.push([member, said]),
    });
  }

  it('tells the process it comes from, and how far that is with the layouts', () => {
    pings(0).hear(4, pings(1).body(), 123);
    expect(heard).to.deep.equal([[4, { nonce: 2 ** 47 + 1, trackers, sentAfterMs: 123 }]]);
    trackers = { adopted: 9, complete: 9, reading: 9, oldest: 9 };
    pings(0).hear(4, pings(1).body(), 124);
    expect(heard[1]?.[1].trackers).to.deep.equal(trackers);
  });

  it('tells of every flush, so that whoever missed it hears of it', async () => {
    const [here, there] = rigs as readonly [ReplicaRig, ReplicaRig];
    const stamp = there.replica.flushed.of(1) + there.clock.last + 4096;
    const [said, listening] = [pings(1), pings(0)];
    listening.hear(1, said.body(), 0);
    expect(here.replica.flushed.of(1)).to.equal(0);
    await time.run(there.replica.flush([1], stamp));
    listening.hear(1, said.body(), 0);
    await time.advance(100);
    expect([0, 1, 2].map((db) => here.replica.flushed.of(db))).to.deep.equal([0, stamp, 0]);
  });

  it('is understood by a node of more databases, and by one of fewer', () => {
    for (const told of [1, 2]) {
      pings(0, 0, told).hear(1, pings(1).body(), 0);
      pings(0).hear(1, pings(1, 0, told).body(), 0);
    }
    expect(heard).to.have.length(4);
  });

  it('shows how far the wall clock is from the median of the others', () => {
    const here = pings(0);
    expect(here.clockOffsetMs).to.equal(0);
    for (const [member, aheadMs] of [
      [1, 5000],
      [2, -300],
      [3, -200],
    ] as const) {
      here.hear(member, pings(1, aheadMs).body(), 0);
    }
    expect(here.clockOffsetMs).to.equal(200);
  });

  it('of another version or cut short is refused', () => {
    const body = pings(1).body();
    for (let length = 0; length < body.length; length += 1) {
      expect(() => pings(0).hear(1, body.subarray(0, length), 0), `${length}`).to.throw(CodecError);
    }
    const later = Buffer.from(body);
    later[0] = 9;
    expect(() => pings(0).hear(1, later, 0)).to.throw(CodecError, 'version');
  });
});
