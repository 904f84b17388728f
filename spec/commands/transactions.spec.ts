import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { Deferred } from '../../lib/base/later.ts';
import type { Command } from '../../lib/commands/command.ts';
import { commandTable } from '../../lib/commands/table.ts';
import { watchedKeysMax } from '../../lib/commands/transactions.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { Frame } from '../support/fake-ports.ts';

describe('MULTI', () => {
  it('queues, and EXEC answers everything in order', async () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'multi')).to.equal('+OK');
    for (const line of ['SET k 1', 'INCR k', 'GET k', 'ECHO x']) {
      expect(frame.now(session, line)).to.equal('+QUEUED');
    }
    expect(await frame.run(session, 'exec')).to.deep.equal(['+OK', 2, '2', 'x']);
    expect(await frame.run(session, 'GET k')).to.equal('2');
  });

  it('keeps the bytes of what it queues', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    const value = Buffer.from('kept');
    void frame.start(session, 'echo', value);
    value.fill('x');
    expect(await frame.run(session, 'exec')).to.deep.equal(['kept']);
  });

  it('answers an empty transaction with an empty array', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    expect(await frame.run(session, 'exec')).to.deep.equal([]);
  });

  it('is not nested, and goes on after the attempt', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    expect(frame.now(session, 'multi')).to.equal('-ERR MULTI calls can not be nested');
    expect(frame.now(session, 'watch k')).to.equal('-ERR WATCH inside MULTI is not allowed');
    expect(await frame.run(session, 'exec')).to.deep.equal([]);
  });

  for (const line of ['GET', 'NO SUCH', 'CLIENT FOO', 'SHUTDOWN']) {
    it(`is discarded by EXEC when '${line}' was refused`, async () => {
      const frame = new Frame();
      const session = frame.connect();
      frame.now(session, 'multi');
      frame.now(session, 'SET k v');
      expect(frame.now(session, line)).to.match(/^-ERR/);
      expect(frame.now(session, 'exec')).to.equal(
        '-EXECABORT Transaction discarded because of previous errors.',
      );
      expect(await frame.run(session, 'GET k')).to.equal(null);
    });
  }

  it('refuses inside it what must not be there', () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    expect(frame.now(session, 'shutdown')).to.equal(
      '-ERR Command not allowed inside a transaction',
    );
    expect(frame.shutdowns).to.equal(0);
  });

  it('leaves an error in its place and runs the rest', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    for (const line of ['SET k x', 'INCR k', 'GET k']) frame.now(session, line);
    expect(await frame.run(session, 'exec')).to.deep.equal([
      '+OK',
      '-ERR value is not an integer or out of range',
      'x',
    ]);
  });

  it('is ended by DISCARD and by RESET', async () => {
    const frame = new Frame();
    const session = frame.connect();
    for (const end of ['discard', 'reset']) {
      frame.now(session, 'multi');
      frame.now(session, 'SET k v');
      expect(frame.now(session, end)).to.match(/^\+/);
      expect(frame.now(session, 'exec')).to.equal('-ERR EXEC without MULTI');
    }
    expect(frame.now(session, 'discard')).to.equal('-ERR DISCARD without MULTI');
    expect(await frame.run(session, 'GET k')).to.equal(null);
  });

  it('lets SELECT take effect for the commands behind it', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'multi');
    for (const line of ['SELECT 3', 'SET k v']) frame.now(session, line);
    await frame.run(session, 'exec');
    expect(session.db).to.equal(3);
    expect(await frame.run(session, 'GET k')).to.equal('v');
  });

  it('closes a client whose queue passes client-query-buffer-limit', () => {
    const frame = new Frame();
    frame.settings.set([['client-query-buffer-limit', '1mb']]);
    const session = frame.connect();
    frame.now(session, 'multi');
    expect(frame.now(session, 'ECHO', 'x'.repeat(1024 ** 2 - 1024))).to.equal('+QUEUED');
    expect(frame.now(session, 'ECHO', 'x'.repeat(1024))).to.equal(undefined);
    expect(frame.clients[0]?.killed).to.equal('now');
    expect(frame.traffic.queryLimitDisconnections).to.equal(1);
  });
});

describe('EXEC', () => {
  const started: string[] = [];
  const slow = (name: string, overlaps: boolean): Command => ({
    name,
    arity: 1,
    flags: [],
    group: 'server',
    since: '0.1.0',
    summary: 'For a spec',
    syntax: '',
    overlaps,
    handler: () => {
      started.push(name);
      const reply = new Deferred<Reply>();
      setImmediate(() => {
        started.push(`${name} ends`);
        reply.settle(name);
      });
      return reply;
    },
  });
  const rows = [...commandTable, slow('point', true), slow('alone', false)];

  it('starts point commands in one go, and waits around any other', async () => {
    const frame = new Frame({ rows });
    const session = frame.connect();
    frame.now(session, 'multi');
    for (const line of ['point', 'point', 'alone', 'point']) frame.now(session, line);
    started.length = 0;
    expect(await frame.run(session, 'exec')).to.deep.equal(['point', 'point', 'alone', 'point']);
    expect(started.join(', ')).to.equal(
      'point, point, point ends, point ends, alone, alone ends, point, point ends',
    );
  });

  it('lets others run between many commands, and answers them in order', async () => {
    const frame = new Frame();
    const [session, other] = [frame.connect(), frame.connect()];
    frame.now(session, 'multi');
    for (let at = 0; at < 2500; at += 1) frame.now(session, 'INCR k');
    const order: unknown[] = [];
    const reply = frame.run(session, 'exec').then((replies) => {
      order.push('exec');
      return replies;
    });
    setImmediate(() => order.push(frame.now(other, 'PING')));
    expect(await reply).to.deep.equal(Array.from({ length: 2500 }, (_, index) => index + 1));
    expect(order).to.deep.equal(['+PONG', 'exec']);
  });

  it('is UNCERTAIN as a whole when the outcome of one write is', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.coordinator.refuse.set('b', new RedisError('UNCERTAIN acknowledged by 1 of 2'));
    frame.now(session, 'multi');
    for (const line of ['SET a 1', 'SET b 1']) frame.now(session, line);
    expect(await frame.run(session, 'exec')).to.equal('-UNCERTAIN acknowledged by 1 of 2');
  });

  it('leaves a refusal that certainly changed nothing in its place', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.coordinator.refuse.set('b', new RedisError('CLUSTERDOWN need 2 replicas, 1 reachable'));
    frame.now(session, 'multi');
    for (const line of ['SET a 1', 'SET b 1']) frame.now(session, line);
    expect(await frame.run(session, 'exec')).to.deep.equal([
      '+OK',
      '-CLUSTERDOWN need 2 replicas, 1 reachable',
    ]);
  });
});

describe('WATCH', () => {
  async function watched(...between: readonly string[]): Promise<unknown> {
    const frame = new Frame();
    const [session, other] = [frame.connect(), frame.connect()];
    await frame.run(other, 'SET old 1');
    await frame.run(other, 'SET brief 1 PX 50');
    expect(await frame.run(session, 'watch old new brief')).to.equal('+OK');
    for (const line of between) {
      if (line === 'wait') await frame.time.advance(50);
      else await frame.run(other, line);
    }
    frame.now(session, 'multi');
    frame.now(session, 'SET mine 1');
    return await frame.run(session, 'exec');
  }

  it('lets EXEC run when nothing changed', async () => {
    expect(await watched()).to.deep.equal(['+OK']);
    expect(await watched('SET another 1', 'GET old', 'DEL new')).to.deep.equal(['+OK']);
  });

  const changes = ['SET old 2', 'SET old 1', 'DEL old', 'SET new 1', 'EXPIRE old 100', 'wait'];
  for (const change of changes) {
    it(`makes EXEC answer a null array after '${change}'`, async () => {
      expect(await watched(change)).to.equal('*nil');
    });
  }

  it('notices a key that came and went', async () => {
    expect(await watched('SET new 1', 'DEL new')).to.equal('*nil');
  });

  it('watches the key of the database it was given in', async () => {
    const frame = new Frame();
    const [session, other] = [frame.connect(), frame.connect()];
    await frame.run(session, 'watch k');
    frame.now(session, 'select 1');
    frame.now(other, 'select 1');
    await frame.run(other, 'SET k v');
    frame.now(session, 'multi');
    expect(await frame.run(session, 'exec')).to.deep.equal([]);
    frame.now(session, 'select 0');
    frame.now(other, 'select 0');
    await frame.run(session, 'watch k');
    await frame.run(other, 'SET k v');
    frame.now(session, 'select 1');
    frame.now(session, 'multi');
    expect(await frame.run(session, 'exec')).to.equal('*nil');
  });

  it('keeps the first version it saw when asked again', async () => {
    const frame = new Frame();
    const [session, other] = [frame.connect(), frame.connect()];
    await frame.run(session, 'watch k');
    await frame.run(other, 'SET k v');
    await frame.run(session, 'watch k');
    frame.now(session, 'multi');
    expect(await frame.run(session, 'exec')).to.equal('*nil');
  });

  for (const end of ['unwatch', 'exec', 'discard']) {
    it(`is forgotten by ${end.toUpperCase()}`, async () => {
      const frame = new Frame();
      const [session, other] = [frame.connect(), frame.connect()];
      await frame.run(session, 'watch k');
      if (end !== 'unwatch') frame.now(session, 'multi');
      await frame.run(session, end);
      await frame.run(other, 'SET k v');
      frame.now(session, 'multi');
      expect(await frame.run(session, 'exec')).to.deep.equal([]);
    });
  }

  it('is bounded per connection', async () => {
    const frame = new Frame();
    const session = frame.connect();
    const keys = Array.from({ length: watchedKeysMax }, (_, index) => `k${index}`);
    expect(await frame.run(session, 'watch', ...keys)).to.equal('+OK');
    expect(await frame.run(session, 'watch k1')).to.equal('+OK');
    expect(await frame.run(session, 'watch one-more')).to.match(/^-ERR a connection may watch/);
  });
});
