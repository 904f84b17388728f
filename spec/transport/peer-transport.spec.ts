import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import type { PeerTransportOptions } from '../../lib/transport/peer-transport.ts';
import { failureOf, Node, stranger, transportContract } from '../contract/transport-contract.ts';
import { hostOf, type SimRig, simRig } from './sim-rig.ts';

transportContract('SimNetwork', async () => simRig());

const minuteMs = 60_000;
const mega = 1024 * 1024;

describe('peer links under faults', () => {
  let rig: SimRig;
  let nodes: Node[];

  async function start(index: number, options: Partial<PeerTransportOptions> = {}): Promise<Node> {
    const made = new Node(rig.machine(index), { port: 100, ...options });
    nodes.push(made);
    await rig.run(made.transport.start(made.id));
    return made;
  }

  async function pair(): Promise<readonly [Node, Node]> {
    const [a, b] = [await start(0), await start(1)];
    a.transport.dial(b.address);
    await rig.run(a.connected(b));
    return [a, b];
  }

  function cutBoth(a: number, b: number): void {
    rig.network.cut(hostOf(a), hostOf(b));
    rig.network.cut(hostOf(b), hostOf(a));
  }

  beforeEach(() => {
    rig = simRig();
    nodes = [];
  });
  afterEach(async () => {
    for (const { transport } of nodes) await rig.run(transport.stop());
    await rig.time.advance(10 * minuteMs);
    expect(rig.time.eventsPending, 'something is left running').to.equal(0);
  });

  it('stay for an hour without a request, and tokens stay fresh', async () => {
    const [a, b] = await pair();
    let lost = 0;
    a.transport.onDisconnected(() => {
      lost += 1;
    });
    const ages: number[] = [];
    b.transport.handle(2, ({ ageMs }) => {
      ages.push(ageMs);
      return Buffer.alloc(0);
    });
    for (let hour = 0; hour < 3; hour += 1) {
      await rig.time.advance(60 * minuteMs);
      await rig.run(a.ask(b, '', 2));
    }
    expect(lost).to.equal(0);
    expect(Math.max(...ages)).to.be.below(4000);
  });

  for (const [what, directions] of [
    ['both ways', [0, 1]],
    ['towards the peer', [0]],
    ['from the peer', [1]],
  ] as const) {
    it(`are given up within 6 s when they are cut ${what}, and dialled again`, async () => {
      const [a, b] = await pair();
      for (const direction of directions) {
        rig.network.cut(hostOf(direction), hostOf(1 - direction));
      }
      const call = a.failure(b, 1, 30_000);
      await rig.time.advance(4000);
      expect(a.transport.isConnected(b.peerId)).to.equal(true);
      await rig.time.advance(2000);
      expect(a.transport.isConnected(b.peerId)).to.equal(false);
      expect(await rig.run(call)).to.equal('lost');
      await rig.time.advance(5 * minuteMs);
      rig.network.mendAll();
      await rig.time.advance(5000);
      expect(a.transport.isConnected(b.peerId)).to.equal(true);
      expect(await rig.run(a.ask(b, 'again'))).to.equal('again');
    });
  }

  it('are given up when they are cut while nobody asks anything', async () => {
    const [a, b] = await pair();
    await rig.time.advance(minuteMs);
    cutBoth(0, 1);
    await rig.time.advance(8000);
    expect(a.transport.isConnected(b.peerId)).to.equal(false);
  });

  it('that were accepted end a minute after the peer was last heard of', async () => {
    const [a] = await pair();
    expect(rig.network.socketsCount('n1')).to.equal(1);
    cutBoth(0, 1);
    await rig.run(a.transport.stop());
    await rig.time.advance(59_000);
    expect(rig.network.socketsCount('n1')).to.equal(1);
    await rig.time.advance(3000);
    expect(rig.network.socketsCount('n1')).to.equal(0);
  });

  it('do not fall for a long silence of the own process', async () => {
    const [a, b] = await pair();
    let [lost, skippedMs] = [0, 0];
    const c = new Node(
      rig.machine(2),
      { port: 100 },
      {
        ...rig.machine(2).system,
        clock: {
          wallMs: () => 0,
          monotonicMs: () => rig.time.nowMs + skippedMs,
        },
      },
    );
    nodes.push(c);
    await rig.run(c.transport.start(c.id));
    c.transport.dial(b.address);
    c.transport.onDisconnected(() => {
      lost += 1;
    });
    await rig.run(c.connected(b));
    skippedMs = 30_000;
    await rig.time.advance(1000);
    expect(await rig.run(c.ask(b, 'as before'))).to.equal('as before');
    expect(lost).to.equal(0);
    expect(a.transport.isConnected(b.peerId)).to.equal(true);
  });

  it('count how long a request was held up, and refuse it after a minute', async () => {
    const [a, b] = await pair();
    const ages: number[] = [];
    b.transport.handle(2, ({ ageMs }) => {
      ages.push(ageMs);
      return Buffer.alloc(0);
    });
    rig.network.pause('n1');
    const first = a.ask(b, '', 2);
    await rig.time.advance(3000);
    rig.network.resume('n1');
    await rig.run(first);
    expect(ages).to.have.length(1);
    expect(ages[0]).to.be.within(2999, 6000);
    rig.network.pause('n1');
    const second = a.failure(b, 2, 300_000);
    await rig.time.advance(61_000);
    expect(await rig.run(second)).to.equal('lost');
    rig.network.resume('n1');
    await rig.time.advance(10_000);
    expect(ages).to.have.length(1);
    expect(await rig.run(a.ask(b, 'well again'))).to.equal('well again');
  });

  it('live while a long request takes longer to arrive than any silence may last', async () => {
    const slow = { isOn: false, freeAtMs: 0 };
    rig = simRig(1, {
      delayMs: (): number => {
        if (!slow.isOn) return 0.2;
        slow.freeAtMs = Math.max(slow.freeAtMs, rig.time.nowMs) + 100;
        return slow.freeAtMs - rig.time.nowMs;
      },
    });
    const [a, b] = await pair();
    let lost = 0;
    a.transport.onDisconnected(() => {
      lost += 1;
    });
    slow.isOn = true;
    const call = a.transport.call(b.peerId, 1, Buffer.alloc(8 * mega, 3), 10 * minuteMs);
    await rig.time.advance(1);
    slow.isOn = false;
    const beganAtMs = rig.time.nowMs;
    expect((await rig.run(call)).length).to.equal(8 * mega);
    expect(rig.time.nowMs - beganAtMs).to.be.above(10_000);
    expect(lost).to.equal(0);
  });

  it('lose at once what is under way when the peer crashes, and come back with it', async () => {
    const [a, b] = await pair();
    b.transport.handle(2, () => new Deferred<Buffer>());
    const call = a.failure(b, 2, 30_000);
    await rig.time.advance(100);
    const crashedAtMs = rig.time.nowMs;
    rig.network.crash('n1');
    expect(await rig.run(call)).to.equal('lost');
    expect(rig.time.nowMs - crashedAtMs).to.be.below(100);
    await rig.run(b.transport.stop());
    await rig.time.advance(minuteMs);
    const next = await start(1);
    await rig.time.advance(3000);
    expect(await rig.run(a.ask(next, 'back'))).to.equal('back');
  });

  it('of two addresses to one peer keep the newer, and the other when that breaks', async () => {
    const [a, b] = await pair();
    const events: string[] = [];
    a.transport.onConnected((_, { host }) => events.push(`+${host}`));
    a.transport.onDisconnected(() => events.push('-'));
    b.transport.handle(2, () => new Deferred<Buffer>());
    const call = a.failure(b, 2, minuteMs);
    rig.network.alias('other-name', 'n1');
    a.transport.dial({ host: 'other-name', port: 100 });
    expect(await rig.run(call)).to.equal('lost');
    await rig.time.advance(10 * minuteMs);
    expect(events).to.deep.equal(['-', '+other-name']);
    expect(await rig.run(a.ask(b, 'over one of them'))).to.equal('over one of them');
    a.transport.forget({ host: 'other-name', port: 100 });
    await rig.time.advance(1000);
    expect(events).to.deep.equal(['-', '+other-name', '-', '+n1']);
    expect(await rig.run(a.ask(b, 'over the other'))).to.equal('over the other');
  });

  it('between machines need a secret; both logs say so', async () => {
    rig = simRig(1, { loopback: false });
    const [a, b] = [await start(0, { secret: '' }), await start(1, { secret: '' })];
    a.transport.dial(b.address);
    const heard = await rig.run(stranger(rig.machine(2), b.address, []));
    expect(heard.toString('latin1')).to.equal('RDYN\x02\x04');
    await rig.time.advance(5000);
    expect(a.transport.isConnected(b.peerId)).to.equal(false);
    expect(a.log.warnings).to.have.length(1);
    expect(a.log.warnings[0]).to.match(/without peer-secret only nodes of the same machine/);
    expect(b.log.warnings.length).to.equal(2, 'one for each host');
    const c = await start(2);
    const d = await start(3);
    c.transport.dial(d.address);
    await rig.run(c.connected(d));
  });

  it('take no more than 64 MB that the network does not take', async () => {
    const [a, b] = await pair();
    rig.network.pause('n1');
    const body = Buffer.alloc(8 * mega);
    const calls: Promise<string>[] = [];
    for (let count = 0; count < 12; count += 1) {
      calls.push(failureOf(a.transport.call(b.peerId, 1, body, 2000)));
      await rig.time.advance(1);
    }
    const ends = await rig.run(Promise.all(calls));
    expect(ends.filter((end) => end === 'overloaded')).to.have.length(3);
    expect(ends.filter((end) => end === 'timeout')).to.have.length(9);
    rig.network.resume('n1');
    await rig.time.advance(1000);
    expect(await rig.run(a.ask(b, 'free again'))).to.equal('free again');
  });

  it('are found by peers however many strangers say nothing', async () => {
    const b = await start(1);
    let ended = 0;
    for (let count = 0; count < 3000; count += 1) {
      stranger(rig.machine(2), b.address, []).listen(
        () => {
          ended += 1;
        },
        () => undefined,
      );
    }
    await rig.time.advance(100);
    expect(ended).to.be.at.least(3000 - 1024);
    const a = await start(0);
    a.transport.dial(b.address);
    await rig.time.advance(100);
    expect(await rig.run(a.ask(b, 'through'))).to.equal('through');
    await rig.time.advance(5000);
    expect(b.log.warnings).to.have.length(1);
  });

  it('complain again of a stranger who comes again after ten minutes', async () => {
    const b = await start(1);
    for (let minute = 0; minute < 25; minute += 1) {
      await rig.run(stranger(rig.machine(2), b.address, [Buffer.from('GET / HTTP/1.1\r\n')]));
      await rig.time.advance(minuteMs);
    }
    expect(b.log.warnings).to.have.length(3);
  });

  it('end every call once, and are all there again, whatever the network does', async function () {
    this.timeout(30_000);
    for (let seed = 1; seed <= 40; seed += 1) {
      rig = simRig(seed);
      const random = rig.time.stream('spec');
      const ring = [await start(0), await start(1), await start(2)];
      const handled = new Set<string>();
      for (const node of ring) {
        node.transport.handle(2, ({ body }) => {
          const text = body.toString('latin1', 0, 20);
          expect(handled.has(text), `${text} is handled twice`).to.equal(false);
          handled.add(text);
          return Buffer.from(body);
        });
        for (const other of ring) node.transport.dial(other.address);
      }
      let ended = 0;
      const end = (call: Deferred<Buffer>, body: Buffer): void =>
        call.listen(
          (answer) => {
            expect(answer.equals(body)).to.equal(true);
            ended += 1;
          },
          () => {
            ended += 1;
          },
        );
      for (let step = 0; step < 300; step += 1) {
        const [near, far] = [ring[random.below(3)], ring[random.below(3)]];
        if (near === undefined || far === undefined) continue;
        const body = Buffer.alloc(random.below(10) === 0 ? 200_000 : 30, step);
        body.write(`${step}`.padEnd(20), 'latin1');
        end(near.transport.call(far.peerId, 2, body, 1 + random.below(3000)), body);
        const [a, b] = [hostOf(random.below(3)), hostOf(random.below(3))];
        const faults = [
          () => rig.network.cut(a, b),
          () => rig.network.mend(a, b),
          () => rig.network.reset(a, b),
          () => rig.network.pause(a),
          () => rig.network.resume(a),
        ];
        if (random.below(8) === 0) faults[random.below(faults.length)]?.();
        if (random.below(2) === 0) await rig.time.advance(random.below(400));
      }
      rig.network.mendAll();
      for (const host of [0, 1, 2].map(hostOf)) rig.network.resume(host);
      await rig.time.advance(20_000);
      expect(ended).to.equal(300);
      for (const near of ring) {
        for (const far of ring) {
          if (near !== far) expect(await rig.run(near.ask(far, 'well'))).to.equal('well');
        }
      }
      for (const { transport } of ring) await rig.run(transport.stop());
    }
  });

  it('end calls at their deadlines, to within 10 ms, whatever their order', async () => {
    const [a, b] = await pair();
    b.transport.handle(2, () => new Deferred<Buffer>());
    const lateMs: number[] = [];
    const waits: PromiseLike<unknown>[] = [];
    for (const timeoutMs of [500, 20, 100, 333, 50, 1, 100, 5000]) {
      const dueAtMs = rig.time.nowMs + timeoutMs;
      const ended = a.failure(b, 2, timeoutMs).then((end) => {
        expect(end).to.equal('timeout');
        lateMs.push(rig.time.nowMs - dueAtMs);
      });
      waits.push(ended);
    }
    await rig.run(Promise.all(waits));
    expect(Math.min(...lateMs)).to.be.at.least(0);
    expect(Math.max(...lateMs)).to.be.at.most(10);
  });
});
