/** EXEC and MSETNX over a ring: where they run, and what travels. */
import { expect } from 'chai';
import fc from 'fast-check';
import { RedisError } from '../../lib/base/errors.ts';
import type { Session } from '../../lib/commands/session.ts';
import { Frame } from '../support/fake-ports.ts';

/** Two nodes of one ring. Keys whose name begins with p are coordinated by the peer. */
class Pair {
  readonly home = new Frame({ n: 3 });
  readonly peer = new Frame({ n: 3, coordinator: this.home.coordinator });
  readonly session: Session;
  readonly bodies: Buffer[] = [];
  readonly peers: string[] = [];

  constructor(...peerKeys: readonly string[]) {
    for (const key of peerKeys) this.home.coordinator.coordinators.set(key, 'n2');
    this.session = this.home.connect();
    this.home.delegate = async (peer, body) => {
      this.peers.push(peer);
      const borrowed = Buffer.from(body);
      this.bodies.push(Buffer.from(body));
      const answer = this.peer.dispatcher.runDelegated(borrowed);
      borrowed.fill('#');
      return await answer;
    };
  }

  async exec(...lines: readonly string[]): Promise<unknown> {
    this.home.now(this.session, 'multi');
    for (const line of lines) expect(this.home.now(this.session, line)).to.equal('+QUEUED');
    return await this.home.run(this.session, 'exec');
  }

  run(line: string): Promise<unknown> {
    return this.home.run(this.session, line);
  }
}

describe('EXEC over a ring', () => {
  it('runs at the coordinator of all its keys, and answers what that answered', async () => {
    const pair = new Pair('p');
    const lines = ['SET p 41', 'INCR p', 'GET p', 'INCRBY p x', 'GET p2', 'STRLEN p'];
    pair.home.coordinator.coordinators.set('p2', 'n2');
    expect(await pair.exec(...lines)).to.deep.equal([
      '+OK',
      42,
      '42',
      '-ERR value is not an integer or out of range',
      null,
      2,
    ]);
    expect(pair.peers).to.deep.equal(['n2']);
    expect(await pair.run('GET p')).to.equal('42');
  });

  it('hands db, R and W of the connection on', async () => {
    const pair = new Pair('p');
    await pair.run('select 3');
    await pair.run('dyn.quorum r 1 w 3');
    const { asked } = pair.home.coordinator;
    asked.length = 0;
    expect(await pair.exec('SET p v', 'GET p')).to.deep.equal(['+OK', 'v']);
    expect(asked).to.deep.equal([{ w: 3 }, { r: 1 }]);
    expect(await pair.run('GET p')).to.equal('v');
    await pair.run('select 0');
    expect(await pair.run('GET p')).to.equal(null);
  });

  for (const change of ['SET p 2', 'SET h 2', 'DEL p'] as const) {
    it(`has what is watched rechecked there: null after '${change}'`, async () => {
      const pair = new Pair('p', 'h');
      await pair.run('SET p 1');
      await pair.run('watch p h');
      await pair.peer.run(pair.peer.connect(), change);
      expect(await pair.exec('SET p mine')).to.equal('*nil');
      await pair.run('watch p h');
      expect(await pair.exec('SET p mine')).to.deep.equal(['+OK']);
      expect(pair.peers).to.deep.equal(['n2', 'n2']);
    });
  }

  it('runs here where this node coordinates all its keys', async () => {
    const pair = new Pair();
    expect(await pair.exec('SET a 1', 'INCR b')).to.deep.equal(['+OK', 1]);
    expect(pair.peers).to.deep.equal([]);
  });

  it('runs here, holding nothing, where no node coordinates all', async () => {
    const pair = new Pair('p');
    let held = 0;
    const { coordinator } = pair.home;
    const exclusive = coordinator.exclusive.bind(coordinator);
    coordinator.exclusive = (db, keys, body) => {
      held += 1;
      return exclusive(db, keys, body);
    };
    await pair.run('watch h');
    expect(await pair.exec('SET p 1', 'SET h 1', 'GET p')).to.deep.equal(['+OK', '+OK', '1']);
    await pair.run('watch h');
    await pair.home.run(pair.home.connect(), 'SET h 2');
    expect(await pair.exec('SET p 2')).to.equal('*nil');
    expect([pair.peers, held]).to.deep.equal([[], 0]);
  });

  const staying = ['select 2', 'client id', 'wait 0 0', 'dyn.get p local', 'dyn.quorum', 'ping'];
  for (const line of staying) {
    it(`runs here with '${line}', which speaks of this node or connection`, async () => {
      const pair = new Pair('p');
      await pair.exec('SET p v', line);
      expect(pair.peers).to.deep.equal([]);
    });
  }

  it('runs here under TRACK, whose contexts are here', async () => {
    const pair = new Pair('p');
    await pair.run('dyn.context track on');
    expect(await pair.exec('SET p v', 'GET p')).to.deep.equal(['+OK', 'v']);
    expect(pair.peers).to.deep.equal([]);
  });

  for (const text of ['CLUSTERDOWN need 2 replicas, 1 reachable', 'UNCERTAIN no answer']) {
    it(`answers the failure of the hop: ${text.split(' ')[0]}`, async () => {
      const pair = new Pair('p');
      pair.home.delegate = () => {
        throw new RedisError(text);
      };
      expect(await pair.exec('SET p v')).to.equal(`-${text}`);
      pair.home.delegate = () => Promise.reject(new RedisError(text));
      expect(await pair.exec('SET p v')).to.equal(`-${text}`);
      expect(await pair.run('GET p')).to.equal(null);
    });
  }

  it('is UNCERTAIN when the answer cannot be read', async () => {
    const pair = new Pair('p');
    pair.home.delegate = () => Buffer.of(99);
    expect(await pair.exec('SET p v')).to.match(/^-UNCERTAIN the answer .* cannot be read/);
  });

  it('is UNCERTAIN as a whole when a write of it is, at the peer too', async () => {
    const pair = new Pair('p');
    pair.home.coordinator.refuse.set('p', new RedisError('UNCERTAIN acknowledged by 1 of 2'));
    expect(await pair.exec('SET p v')).to.equal('-UNCERTAIN acknowledged by 1 of 2');
    expect(pair.peers).to.deep.equal(['n2']);
  });
});

describe('MSETNX over a ring', () => {
  it('runs at the coordinator of all its keys', async () => {
    const pair = new Pair('p', 'q');
    expect(await pair.run('MSETNX p 1 q 2')).to.equal(1);
    expect(await pair.run('MSETNX p 3')).to.equal(0);
    expect(await pair.run('MGET p q')).to.deep.equal(['1', '2']);
    expect(pair.peers).to.deep.equal(['n2', 'n2']);
  });

  it('is CROSSSLOT where no node coordinates all, and writes nothing', async () => {
    const pair = new Pair('p');
    const crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot";
    expect(await pair.run('MSETNX p 1 here 2')).to.equal(crossSlot);
    expect(await pair.exec('MSETNX p 1 here 2')).to.deep.equal([crossSlot]);
    expect(await pair.run('EXISTS p here')).to.equal(0);
  });

  it('does not travel again from within an EXEC that has', async () => {
    const pair = new Pair('p', 'q');
    expect(await pair.exec('MSETNX p 1 q 2', 'MSETNX p 1')).to.deep.equal([1, 0]);
    expect(pair.peers).to.deep.equal(['n2']);
  });

  it('answers the failure of the hop', async () => {
    const pair = new Pair('p');
    pair.home.delegate = () => Promise.reject(new RedisError('UNCERTAIN no answer'));
    expect(await pair.run('MSETNX p 1')).to.equal('-UNCERTAIN no answer');
  });

  it('refuses an odd number of arguments before it asks where', async () => {
    const pair = new Pair('p');
    expect(await pair.run('MSETNX p 1 q')).to.match(/^-ERR wrong number of arguments/);
    expect(pair.peers).to.deep.equal([]);
  });
});

describe('a batch from a peer', () => {
  async function sample(): Promise<Buffer> {
    const pair = new Pair('p');
    await pair.run('watch p');
    await pair.exec('SET p v', 'GET p');
    const [body] = pair.bodies;
    if (body === undefined) throw new Error('nothing has travelled');
    return body;
  }

  it('is refused when it is damaged, and never a fault', async () => {
    const body = await sample();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(body.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const damaged = Buffer.from(cut ? body.subarray(0, at) : body);
          if (!cut) damaged[at] = (damaged[at] ?? 0) ^ flip;
          const run = async () => await new Frame({ n: 3 }).dispatcher.runDelegated(damaged);
          const outcome = await run().catch((error: unknown) => error);
          if (!Buffer.isBuffer(outcome)) expect(outcome).to.be.instanceOf(RedisError);
        },
      ),
    );
  });

  for (const line of ['SHUTDOWN', 'CONFIG GET *', 'CLIENT KILL 1', 'NO SUCH']) {
    it(`is refused with '${line}' in it`, () => {
      const args = line.split(' ').map((word) => Buffer.from(word));
      const parts = args.flatMap((word) => [Buffer.of(word.length), word]);
      const body = Buffer.concat([Buffer.of(0, 0, 0, 0, 1, args.length), ...parts]);
      const { dispatcher } = new Frame({ n: 3 });
      expect(() => dispatcher.runDelegated(body)).to.throw(RedisError, /unknown command/);
    });
  }
});
