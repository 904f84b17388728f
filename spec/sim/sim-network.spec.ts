import { expect } from 'chai';
import fc from 'fast-check';
import type { Socket, SocketEvents } from '../../lib/transport/sockets.ts';
import { SimNetwork } from './sim-network.ts';
import { VirtualTime } from './virtual-time.ts';

/** What one side of a connection has heard. */
class Ear implements SocketEvents {
  text = '';
  events: string[] = [];
  socket: Socket | undefined;

  onOpen(): void {
    this.events.push('open');
  }
  onBytes(bytes: Buffer): void {
    this.text += bytes.toString('latin1');
  }
  onClose(reason: string): void {
    this.events.push(reason);
  }
  say(text: string): void {
    this.socket?.write([Buffer.from(text, 'latin1')]);
  }
}

interface World {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly accepted: Ear[];
  connect(port?: number): Ear;
}

/** `b` listens on port 5; `connect` is from `a`. */
async function world(seed = 1): Promise<World> {
  const time = new VirtualTime(seed, { shuffled: true });
  const network = new SimNetwork(time.timers(), time.stream('network'));
  const accepted: Ear[] = [];
  await network.sockets('b').listen({ host: '0.0.0.0', port: 5 }, (socket) => {
    const ear = new Ear();
    ear.socket = socket;
    accepted.push(ear);
    return ear;
  });
  const connect = (port = 5): Ear => {
    const ear = new Ear();
    ear.socket = network.sockets('a').connect({ host: 'b', port }, ear);
    return ear;
  };
  return { time, network, accepted, connect };
}

describe('the simulated network', () => {
  it('keeps the order of bytes both ways, until the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.tuple(fc.boolean(), fc.string({ minLength: 1 }), fc.nat(3))),
        async (seed, words) => {
          const { time, accepted, connect } = await world(seed);
          const near = connect();
          await time.advance(200);
          const [far] = accepted;
          const said = { near: '', far: '' };
          for (const [isNear, word, pauseMs] of words) {
            (isNear ? near : far)?.say(word);
            said[isNear ? 'near' : 'far'] += Buffer.from(word, 'latin1').toString('latin1');
            await time.advance(pauseMs / 10);
          }
          await time.advance(200);
          expect([near.text, far?.text]).to.deep.equal([said.far, said.near]);
          near.socket?.destroy();
          await time.advance(200);
          expect([near.events, far?.events]).to.deep.equal([
            ['open'],
            ['closed by the other side'],
          ]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('refuses where nobody listens', async () => {
    const { time, connect } = await world();
    const near = connect(6);
    await time.advance(200);
    expect(near.events).to.deep.equal(['connection refused']);
  });

  it('overwrites a chunk once its turn is long over', async () => {
    const { time, accepted, connect } = await world();
    const near = connect();
    await time.advance(200);
    const [far] = accepted;
    let kept: Buffer = Buffer.alloc(0);
    if (far !== undefined) {
      far.onBytes = (bytes) => {
        if (kept.length === 0) kept = bytes;
      };
    }
    near.say('a');
    await time.advance(200);
    expect(kept.toString()).to.equal('a');
    near.say('b');
    await time.advance(200);
    expect(kept.toString()).to.not.equal('a');
  });

  it('drops in silence what is cut, one way, and never delivers what comes behind', async () => {
    const { time, network, accepted, connect } = await world();
    const near = connect();
    await time.advance(200);
    const [far] = accepted;
    near.say('under way');
    network.cut('a', 'b');
    far?.say('the other way');
    await time.advance(1000);
    network.mend('a', 'b');
    near.say('behind');
    near.socket?.destroy();
    await time.advance(1000);
    expect([near.text, far?.text]).to.deep.equal(['the other way', '']);
    expect([near.events, far?.events]).to.deep.equal([['open'], []]);
    far?.say('anybody?');
    await time.advance(200);
    expect(far?.events).to.deep.equal(['connection reset']);
  });

  it('lets a connect time out where it is cut', async () => {
    const { time, network, connect } = await world();
    network.cut('b', 'a');
    const near = connect();
    await time.advance(126_000);
    expect(near.events).to.deep.equal([]);
    await time.advance(2000);
    expect(near.events).to.deep.equal(['connect timed out']);
  });

  it('leaves a connection alone that had nothing to lose while it was cut', async () => {
    const { time, network, accepted, connect } = await world();
    const near = connect();
    await time.advance(200);
    network.cut('a', 'b');
    await time.advance(1000);
    network.mendAll();
    near.say('still here');
    await time.advance(200);
    expect(accepted[0]?.text).to.equal('still here');
  });

  it('resets both sides', async () => {
    const { time, network, accepted, connect } = await world();
    const near = connect();
    await time.advance(200);
    network.reset('a', 'b');
    await time.advance(1);
    expect([near.events, accepted[0]?.events]).to.deep.equal([
      ['open', 'connection reset'],
      ['connection reset'],
    ]);
  });

  it('keeps what comes to a machine that is paused, connects too, and delivers it all', async () => {
    const { time, network, accepted, connect } = await world();
    network.pause('b');
    const near = connect();
    await time.advance(200);
    for (let count = 0; count < 10; count += 1) near.say(String(count));
    await time.advance(10_000);
    expect(near.events).to.deep.equal(['open']);
    expect(accepted).to.deep.equal([]);
    network.resume('b');
    await time.advance(0);
    expect(accepted[0]?.text).to.equal('0123456789');
  });

  it('delivers some of the last bytes of a machine that crashes, from their beginning', async () => {
    const lengths = new Set<number>();
    for (let seed = 1; seed < 60; seed += 1) {
      const { time, network, accepted, connect } = await world(seed);
      const near = connect();
      await time.advance(200);
      for (let count = 0; count < 5; count += 1) accepted[0]?.say(String(count));
      network.crash('b');
      await time.advance(200);
      expect('01234'.startsWith(near.text)).to.equal(true);
      expect(near.events).to.deep.equal(['open', 'connection reset']);
      expect(accepted[0]?.events).to.deep.equal([]);
      lengths.add(near.text.length);
      const again = connect();
      await time.advance(200);
      expect(again.events).to.deep.equal(['connection refused']);
    }
    expect([...lengths].sort()).to.deep.equal([0, 1, 2, 3, 4, 5]);
  });
});
