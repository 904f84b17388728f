import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { Deferred, isLater } from '../../lib/base/later.ts';
import { writtenKeysMax } from '../../lib/commands/written-keys.ts';
import { Frame } from '../support/fake-ports.ts';

describe('WAIT', () => {
  it('answers the replicas of a write where there was none', async () => {
    for (const n of [1, 3]) {
      const frame = new Frame({ n });
      expect(await frame.run(frame.connect(), 'wait 0 0')).to.equal(n - 1);
      expect(await frame.run(frame.connect(), `wait ${n - 1} 1000`)).to.equal(n - 1);
      expect(frame.time.pendingTimers).to.equal(0);
    }
  });

  it('answers the fewest replicas that hold a key this connection wrote', async () => {
    const frame = new Frame({ n: 3 });
    const [session, other] = [frame.connect(), frame.connect()];
    for (const [key, count] of Object.entries({ a: 3, b: 2, c: 1 })) {
      frame.coordinator.held.set(key, count);
      await frame.run(key === 'c' ? other : session, `SET ${key} v`);
    }
    expect(await frame.run(session, 'wait 1 0')).to.equal(1);
    expect(await frame.run(other, 'wait 0 0')).to.equal(0);
    await frame.run(session, 'GET c');
    expect(await frame.run(session, 'wait 0 0')).to.equal(1);
  });

  const writes = [
    'INCR k',
    'DEL k',
    'MSET x 1 k 2',
    'SET k v',
    'SET k v NX',
    'DYN.PUT k  v',
    'MSETNX k v',
    'COPY x k',
    'RENAME x k',
  ];
  for (const line of writes) {
    for (const mode of ['plain', 'tracked', 'batched', 'at a peer']) {
      it(`counts '${line}', ${mode}`, async () => {
        const frame = new Frame({ n: 3 });
        const session = frame.connect();
        await frame.run(frame.connect(), 'SET x v');
        frame.coordinator.held.set('k', 1);
        if (mode === 'tracked') frame.now(session, 'dyn.context track on');
        if (mode === 'at a peer') {
          for (const key of ['k', 'x']) frame.coordinator.coordinators.set(key, 'n2');
          const peer = new Frame({ n: 3, coordinator: frame.coordinator });
          frame.delegate = (_, body) => peer.dispatcher.runDelegated(body);
        }
        const batched = mode === 'batched' || mode === 'at a peer';
        for (const step of batched ? ['multi', line, 'exec'] : [line]) {
          expect(await frame.run(session, step)).to.not.match(/^-/);
        }
        expect(await frame.run(session, 'wait 0 0')).to.equal(0);
      });
    }
  }

  it('asks again until there are enough, and then only once more', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    await frame.run(session, 'SET k v');
    frame.coordinator.held.set('k', 2);
    const reply = frame.start(session, 'wait 2 0');
    await new Promise(setImmediate);
    await frame.time.advance(1000);
    expect(frame.time.pendingTimers).to.equal(1);
    frame.coordinator.held.set('k', 3);
    await frame.time.advance(25);
    expect(await reply).to.equal(2);
    expect(frame.time.pendingTimers).to.equal(0);
    // All hold it, so nobody is asked any more; the next write of the key is another matter.
    frame.coordinator.held.set('k', 1);
    expect(await frame.run(session, 'wait 0 0')).to.equal(2);
    await frame.run(session, 'SET k w');
    expect(await frame.run(session, 'wait 0 0')).to.equal(0);
  });

  it('answers what it knows when the time is up, though somebody was not answered', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    await frame.run(session, 'SET k v');
    const never = new Deferred<void>();
    frame.coordinator.lag = () => never;
    const reply = frame.start(session, 'wait 1 100');
    await frame.time.advance(100);
    expect(await reply).to.equal(0);
    expect(frame.time.pendingTimers).to.equal(0);
  });

  it('counts one member where the others cannot be asked', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    await frame.run(session, 'SET k v');
    frame.coordinator.refuse.set('k', new RedisError('CLUSTERDOWN need 2 replicas, 1 reachable'));
    expect(await frame.run(session, 'wait 0 0')).to.equal(0);
  });

  it('counts W for keys beyond those that it remembers', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    for (let at = 0; at < writtenKeysMax; at += 1) await frame.run(session, `SET k${at} v`);
    expect(await frame.run(session, 'wait 2 0')).to.equal(2);
    for (let at = 0; at <= writtenKeysMax; at += 1) await frame.run(session, `SET k${at} v`);
    const reply = frame.start(session, 'wait 2 100');
    await frame.time.advance(100);
    expect(await reply).to.equal(1);
  });

  it('remembers no keys that are long together', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    await frame.run(session, `SET ${'k'.repeat(300_000)} v`);
    expect(await frame.run(session, 'wait 0 0')).to.equal(1);
  });

  it('ends when its connection has', async () => {
    const frame = new Frame({ n: 3 });
    const session = frame.connect();
    await frame.run(session, 'SET k v');
    frame.coordinator.held.set('k', 1);
    const reply = frame.start(session, 'wait 2 0');
    await new Promise(setImmediate);
    await frame.time.advance(100);
    frame.clients.length = 0;
    await frame.time.advance(100);
    expect(await reply).to.equal(0);
    expect(frame.time.pendingTimers).to.equal(0);
  });

  it('takes its time for more than there are, but not for ever', async () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(await frame.run(session, 'wait 1 0')).to.equal(0);
    const reply = frame.start(session, 'wait 1 500');
    expect(isLater(reply)).to.equal(true);
    await new Promise(setImmediate);
    expect(frame.time.pendingTimers).to.equal(1);
    await frame.time.advance(500);
    expect(await reply).to.equal(0);
    expect(frame.time.pendingTimers).to.equal(0);
  });

  it('does not wait inside EXEC', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    frame.now(session, 'wait 1 100000');
    expect(await frame.run(session, 'exec')).to.deep.equal([0]);
  });

  const refusals = [
    ['wait x 0', '-ERR value is not an integer or out of range'],
    ['wait 1 x', '-ERR timeout is not an integer or out of range'],
    ['wait 1 -1', '-ERR timeout is negative'],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}'`, async () => {
      const frame = new Frame();
      expect(await frame.run(frame.connect(), line)).to.equal(text);
    });
  }
});
