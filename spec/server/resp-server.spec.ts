import { once } from 'node:events';
import { createServer, type Socket, Socket as SocketClass } from 'node:net';
import { expect } from 'chai';
import { protectedMode } from '../../lib/server/admission.ts';
import { ClientRegistry } from '../../lib/server/client-registry.ts';
import {
  authenticationMs,
  outputPauseBytes,
  placesMax,
  strangerOutputPauseBytes,
  stuckMs,
} from '../../lib/server/limits.ts';
import { RespServer } from '../../lib/server/resp-server.ts';
import { encodeRequest, RawClient, type RawClientOptions } from '../support/raw-client.ts';
import { TestServer } from './fake-dispatch.ts';

describe('RESP server', () => {
  let server: TestServer;
  let clients: RawClient[];

  beforeEach(() => {
    clients = [];
  });

  afterEach(async () => {
    for (const client of clients) await client.close();
    await server.close();
  });

  async function start(settings: { readonly [name: string]: string } = {}): Promise<void> {
    server = new TestServer(settings);
    await server.server.listen();
  }

  async function connect(options?: RawClientOptions): Promise<RawClient> {
    const client = await RawClient.connect(server.port, options);
    clients.push(client);
    return client;
  }

  /** Lets the server do what it can without more input. */
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  async function settled(): Promise<void> {
    for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  const onlyClient = () => {
    const [client] = server.registry.all();
    if (client === undefined) throw new Error('nobody is connected');
    return client;
  };

  describe('order of replies', () => {
    it('sends replies in the order of requests, whatever is ready first', async () => {
      await start();
      const client = await connect();
      client.send('LATER a\r\nPING\r\nLATER b\r\nECHO x\r\nPROMISE p\r\nLATER c\r\n');
      await until(() => server.dispatch.isOpen('c'));
      server.dispatch.answer('c');
      server.dispatch.answer('b');
      await settled();
      expect(client.received.length).to.equal(0);
      server.dispatch.answer('a');
      expect(await client.nextReplies(6)).to.deep.equal(['a', 'PONG', 'b', 'x', 'p', 'c']);
    });

    it('starts a request that does not overlap only when everything before is answered', async () => {
      await start();
      const client = await connect();
      client.send('LATER a\r\nALONE b\r\nPING\r\nLATER c\r\n');
      await until(() => server.dispatch.isOpen('a'));
      await settled();
      expect(server.dispatch.started).to.deep.equal(['LATER a']);
      server.dispatch.answer('a');
      await until(() => server.dispatch.isOpen('b'));
      await settled();
      expect(server.dispatch.started).to.deep.equal(['LATER a', 'ALONE b']);
      server.dispatch.answer('b');
      await until(() => server.dispatch.isOpen('c'));
      server.dispatch.answer('c');
      expect(await client.nextReplies(4)).to.deep.equal(['a', 'b', 'PONG', 'c']);
    });

    it('sends nothing for a reply that is none', async () => {
      await start();
      const client = await connect();
      client.send('SILENCE\r\nPING\r\n');
      expect(await client.next()).to.equal('PONG');
    });

    it('speaks RESP3 from the reply on that agrees to it', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('HELLO\r\n');
      expect(`${await client.receive(3)}`).to.equal('_\r\n');
    });

    it('answers a client that sends byte by byte', async () => {
      await start();
      const client = await connect();
      for (const byte of encodeRequest('ECHO', 'slow')) {
        client.send(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await client.next()).to.equal('slow');
    });
  });

  describe('writes', () => {
    /** Writes of server sockets that reach Node, counted by their connection. */
    async function countWrites(work: () => Promise<void>): Promise<number> {
      const write = Reflect.get(SocketClass.prototype, '_writeGeneric');
      let count = 0;
      Reflect.set(
        SocketClass.prototype,
        '_writeGeneric',
        function (this: Socket, ...args: unknown[]) {
          if (this.localPort === server.port) count += 1;
          return Reflect.apply(write, this, args);
        },
      );
      try {
        await work();
      } finally {
        Reflect.set(SocketClass.prototype, '_writeGeneric', write);
      }
      return count;
    }

    it('sends the replies to a pipeline in one write', async () => {
      await start();
      const client = await connect();
      const count = await countWrites(async () => {
        client.send('PING\r\n'.repeat(100));
        await client.nextReplies(100);
      });
      expect(count).to.equal(1);
    });

    it('sends the replies that become ready in one turn in one write', async () => {
      await start();
      const client = await connect();
      client.send(Array.from({ length: 50 }, (_, index) => `LATER k${index}\r\nPING\r\n`).join(''));
      await until(() => server.dispatch.isOpen('k49'));
      const count = await countWrites(async () => {
        for (let index = 0; index < 50; index += 1) server.dispatch.answer(`k${index}`);
        await client.nextReplies(100);
      });
      expect(count).to.equal(1);
    });
  });

  describe('endings', () => {
    it('answers a protocol error behind earlier replies, runs nothing after it, and closes', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('LATER a\r\n*x\r\nPING\r\n');
      await until(() => server.dispatch.isOpen('a'));
      client.send('PING\r\n');
      await settled();
      server.dispatch.answer('a');
      expect(`${await client.readUntilClosed()}`).to.equal(
        '$1\r\na\r\n-ERR Protocol error: invalid multibulk length\r\n',
      );
      expect(server.dispatch.started).to.deep.equal(['LATER a']);
    });

    it('closes after the reply of a command that says so, and runs nothing behind it', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('PING\r\nQUIT\r\nPING\r\n');
      expect(`${await client.readUntilClosed()}`).to.equal('+PONG\r\n+OK\r\n');
    });

    it('closes after a late reply too', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('QUITLATER a\r\nPING\r\n');
      await until(() => server.dispatch.isOpen('a'));
      server.dispatch.answer('a');
      expect(`${await client.readUntilClosed()}`).to.equal('$1\r\na\r\n');
    });

    it('answers everything that came before the client half-closed, then closes', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('LATER a\r\nALONE b\r\nPING\r\n');
      client.end();
      await until(() => server.dispatch.isOpen('a'));
      await settled();
      server.dispatch.answer('a');
      await until(() => server.dispatch.isOpen('b'));
      server.dispatch.answer('b');
      expect(`${await client.readUntilClosed()}`).to.equal('$1\r\na\r\n$1\r\nb\r\n+PONG\r\n');
    });

    it('survives a client that goes away before its reply', async () => {
      await start();
      const client = await connect();
      client.send('LATER a\r\n');
      await until(() => server.dispatch.isOpen('a'));
      client.socket.resetAndDestroy();
      await until(() => server.registry.count === 0);
      server.dispatch.answer('a');
      expect(await (await connect()).command('PING')).to.equal('PONG');
    });

    for (const line of ['POST / HTTP/1.1', 'post x', 'Host: example.com', 'HOST: x']) {
      it(`closes without an answer on ${JSON.stringify(line)}, and warns`, async () => {
        await start({ requirepass: 'secret' });
        const client = await connect({ undecoded: true });
        client.send(`${line}\r\nPING\r\n`);
        expect(`${await client.readUntilClosed()}`).to.equal('');
        expect(server.dispatch.started).to.deep.equal([]);
        expect(server.log.join()).to.include('Possible SECURITY ATTACK detected');
      });
    }

    it('kills at once, or after the replies', async () => {
      await start();
      const first = await connect({ undecoded: true });
      first.send('LATER a\r\n');
      await until(() => server.dispatch.isOpen('a'));
      onlyClient().kill('after-replies');
      first.send('PING\r\n');
      await settled();
      server.dispatch.answer('a');
      expect(`${await first.readUntilClosed()}`).to.equal('$1\r\na\r\n');
      const second = await connect({ undecoded: true });
      second.send('LATER b\r\n');
      await until(() => server.dispatch.isOpen('b'));
      onlyClient().kill('now');
      expect(server.registry.count).to.equal(0);
      expect(`${await second.readUntilClosed()}`).to.equal('');
    });

    it('cuts a closing connection whose peer takes nothing', async () => {
      await start();
      const client = await connect();
      client.socket.pause();
      client.send('BYTES 30000000\r\nQUIT\r\n');
      await until(() => server.dispatch.started.length === 1);
      await settled();
      onlyClient().kill('after-replies');
      await settled();
      server.time.pass(1000);
      await settled();
      server.time.pass(stuckMs);
      expect(server.registry.count).to.equal(1);
      server.time.pass(stuckMs + 1);
      expect(server.registry.count).to.equal(0);
    });
  });

  describe('limits', () => {
    it('starts no more while a slow reader leaves its output, and answers others', async () => {
      await start();
      const slow = await connect({ undecoded: true });
      slow.socket.pause();
      slow.send('BYTES 100000\r\n'.repeat(500));
      await until(() => server.dispatch.started.length > 20);
      await settled();
      const started = server.dispatch.started.length;
      expect(started).to.be.below(300);
      expect(onlyClient().use().outputBytes).to.be.below(outputPauseBytes + 2 * 100_100);
      const other = await connect();
      expect(await other.command('PING')).to.equal('PONG');
      expect(server.dispatch.started.length).to.equal(started + 1);
      slow.socket.resume();
      await slow.receive(500 * 100_010);
      expect(onlyClient().use().outputBytes).to.equal(0);
    });

    it('reads no more while too many replies are open', async () => {
      await start();
      const client = await connect();
      const count = placesMax + 500;
      for (let index = 0; index < count; index += 1) client.send(`LATER k${index}\r\n`);
      await until(() => server.dispatch.isOpen(`k${placesMax - 1}`));
      await settled();
      expect(onlyClient().use().pendingReplies).to.equal(placesMax);
      for (let index = 0; index < placesMax; index += 1) server.dispatch.answer(`k${index}`);
      await until(() => server.dispatch.isOpen(`k${count - 1}`));
      for (let index = placesMax; index < count; index += 1) server.dispatch.answer(`k${index}`);
      expect((await client.nextReplies(count)).at(-1)).to.equal(`k${count - 1}`);
    });

    it('bounds the input that piles up behind a request that waits', async () => {
      await start();
      const client = await connect();
      client.send('ALONE a\r\n');
      await until(() => server.dispatch.isOpen('a'));
      client.send('PING\r\n'.repeat(300_000));
      await settled();
      await settled();
      expect(onlyClient().use().queryBytes).to.be.within(1, 1024 * 1024);
      server.dispatch.answer('a');
      expect((await client.nextReplies(300_001)).at(-1)).to.equal('PONG');
    });

    it('closes a client whose replies pass the hard output limit', async () => {
      await start({ 'client-output-buffer-limit': 'normal 5000000 0 0' });
      const client = await connect();
      client.socket.pause();
      client.send('BYTES 20000000\r\n');
      await until(() => server.registry.outputLimitDisconnections === 1);
      expect(server.registry.count).to.equal(0);
    });

    it('closes a client whose replies stay above the soft output limit', async () => {
      await start({ 'client-output-buffer-limit': 'normal 0 1000000 10' });
      const client = await connect();
      client.socket.pause();
      client.send('BYTES 20000000\r\n');
      await until(() => server.dispatch.started.length === 1);
      await settled();
      server.time.pass(1000);
      server.time.pass(10_000);
      expect(server.registry.count).to.equal(1);
      server.time.pass(1);
      expect(server.registry.count).to.equal(0);
      expect(server.registry.outputLimitDisconnections).to.equal(1);
    });

    it('closes a client whose request passes client-query-buffer-limit', async () => {
      await start({ 'client-query-buffer-limit': '1mb' });
      const client = await connect();
      client.send(encodeRequest('ECHO', Buffer.alloc(2 * 1024 * 1024)));
      await client.readUntilClosed();
      expect(server.registry.queryLimitDisconnections).to.equal(1);
    });

    it('gives a long pipeline its share of a turn, so that others are answered meanwhile', async () => {
      await start();
      const greedy = await connect();
      const other = await connect();
      greedy.send('PING\r\n'.repeat(10_000));
      const all = greedy.nextReplies(10_000).then(() => 'pipeline');
      await until(() => server.dispatch.started.length > 0);
      const one = other.command('ECHO', 'me');
      expect(await Promise.race([all, one])).to.equal('me');
      expect(server.dispatch.started.indexOf('ECHO me')).to.be.below(9000);
      await all;
    });

    it('closes an idle client after timeout seconds, not one that waits for a reply', async () => {
      await start({ timeout: '5' });
      const idle = await connect({ undecoded: true });
      const waiting = await connect();
      waiting.send('LATER a\r\n');
      await until(() => server.dispatch.isOpen('a') && server.registry.count === 2);
      server.time.pass(5000);
      expect(server.registry.count).to.equal(2);
      server.time.pass(1);
      expect(server.registry.count).to.equal(1);
      await idle.readUntilClosed();
      server.dispatch.answer('a');
      expect(await waiting.next()).to.equal('a');
    });

    it('refuses the client beyond maxclients, and lets one in when another has gone', async () => {
      await start({ maxclients: '1' });
      const first = await connect();
      expect(await first.command('PING')).to.equal('PONG');
      const second = await connect({ undecoded: true });
      expect(`${await second.readUntilClosed()}`).to.equal(
        '-ERR max number of clients reached\r\n',
      );
      expect(server.registry.connectionsRejected).to.equal(1);
      await first.close();
      await until(() => server.registry.count === 0);
      expect(await (await connect()).command('PING')).to.equal('PONG');
    });

    it('says in protected mode how to get in', () => {
      server = new TestServer();
      expect(protectedMode).to.match(/^DENIED Redis is running in protected mode/);
      expect(protectedMode).not.to.match(/[\r\n]/);
    });
  });

  describe('strangers', () => {
    const locked = { requirepass: 'secret' };

    it('may send little before they authenticate, and anything afterwards', async () => {
      await start(locked);
      const client = await connect({ undecoded: true });
      client.send(encodeRequest('ECHO', Buffer.alloc(20_000)));
      expect(`${await client.readUntilClosed()}`).to.equal(
        '-ERR Protocol error: unauthenticated bulk length\r\n',
      );
      const friend = await connect();
      friend.send(
        Buffer.concat([encodeRequest('AUTH'), encodeRequest('ECHO', 'x'.repeat(20_000))]),
      );
      expect(await friend.nextReplies(2)).to.deep.equal(['OK', 'x'.repeat(20_000)]);
    });

    it('cannot make the server hold output for them', async () => {
      await start(locked);
      const client = await connect();
      client.socket.pause();
      const bytes = Buffer.from('ECHO 1234567890\r\n'.repeat(100_000));
      for (let round = 0; round < 10; round += 1) client.send(bytes);
      let before = -1;
      while (server.dispatch.started.length !== before || before === 0) {
        before = server.dispatch.started.length;
        await settled();
      }
      expect(onlyClient().use().outputBytes).to.be.below(2 * strangerOutputPauseBytes);
    });

    it('are cut when they have not authenticated in time', async () => {
      await start(locked);
      const stranger = await connect({ undecoded: true });
      const friend = await connect();
      await friend.command('AUTH', 'secret');
      await until(() => server.registry.count === 2);
      server.time.pass(1000);
      server.time.pass(authenticationMs);
      expect(server.registry.count).to.equal(2);
      server.time.pass(1);
      await stranger.readUntilClosed();
      expect(await friend.command('PING')).to.equal('PONG');
    });

    it('are friends once the password is taken away; friends stay friends when one is set', async () => {
      await start(locked);
      await connect();
      await until(() => server.registry.count === 1);
      expect(onlyClient().session.authenticated).to.equal(false);
      server.settings.set([['requirepass', '']]);
      expect(onlyClient().session.authenticated).to.equal(true);
      server.settings.set([['requirepass', 'other']]);
      expect(onlyClient().session.authenticated).to.equal(true);
    });
  });

  describe('life', () => {
    it('shows its clients with their addresses, oldest first', async () => {
      await start();
      const first = await connect();
      await first.command('PING');
      const second = await connect();
      await second.command('PING');
      const sessions = server.registry.all().map((client) => client.session);
      expect(sessions.map((session) => session.id)).to.deep.equal([1, 2]);
      expect(sessions[0]?.address).to.equal(`127.0.0.1:${first.socket.localPort}`);
      expect(sessions[0]?.localAddress).to.equal(`127.0.0.1:${server.port}`);
      expect(server.registry.byId(2)?.use().fd).to.be.above(2);
      expect(server.registry.bytesRead).to.equal(2 * encodeRequest('PING').length);
      expect(server.registry.bytesWritten).to.equal(2 * '+PONG\r\n'.length);
    });

    it('stops with the answers of what is in flight, and with no new connections', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('LATER a\r\nALONE b\r\n');
      await until(() => server.dispatch.isOpen('a'));
      const closed = server.server.close();
      await settled();
      server.dispatch.answer('a');
      await closed;
      expect(`${await client.readUntilClosed()}`).to.equal('$1\r\na\r\n');
      expect(server.dispatch.started).to.deep.equal(['LATER a']);
      expect(await server.server.close()).to.equal(undefined);
      const refused = await connect().catch((error: Error) => error.message);
      expect(refused).to.include('ECONNREFUSED');
    });

    it('stops without an answer that does not come in time', async () => {
      await start();
      const client = await connect({ undecoded: true });
      client.send('LATER a\r\n');
      await until(() => server.dispatch.isOpen('a'));
      const closed = server.server.close();
      server.time.pass(2000);
      await closed;
      expect(`${await client.readUntilClosed()}`).to.equal('');
    });

    it('says in one line that a port is in use, and listens nowhere then', async () => {
      server = new TestServer();
      const squatter = createServer().listen(0, '127.0.0.2');
      await once(squatter, 'listening');
      const address = squatter.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const { settings, registry, time } = server;
      const ports = {
        settings,
        registry: new ClientRegistry(),
        system: time.system(console as never),
      };
      const second = new RespServer(server.dispatch, ports, {
        binds: ['127.0.0.1', '127.0.0.2'],
        port,
      });
      const failure = await second.listen().catch((error: Error) => error.message);
      expect(failure).to.equal(`cannot listen on 127.0.0.2:${port}: the port is in use`);
      const free = createServer().listen(port, '127.0.0.1');
      await once(free, 'listening');
      free.close();
      squatter.close();
      expect(registry.count).to.equal(0);
    });

    it('listens on several addresses with one port, and tolerates optional ones', async () => {
      server = new TestServer();
      const { settings, registry, time, dispatch } = server;
      const both = new RespServer(
        dispatch,
        { settings, registry, system: time.system(console as never) },
        { binds: ['127.0.0.1', '127.0.0.3', '-203.0.113.1'], port: 0 },
      );
      await both.listen();
      for (const host of ['127.0.0.1', '127.0.0.3']) {
        const client = await RawClient.connect(both.port, { host });
        expect(await client.command('PING')).to.equal('PONG');
        await client.close();
      }
      await both.close();
    });
  });
});
