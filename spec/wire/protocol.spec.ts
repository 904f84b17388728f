/**
 * Hostile and broken input: the exact text of the mistake, the connection closed where Redis closes
 * it, bounded memory, and meanwhile another client that is served.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { encodeRequest, RawClient } from '../support/raw-client.ts';
import { useServer } from '../support/server-process.ts';

const mebibyte = 1024 * 1024;
/** Far more than another client's PING ever waits, on a slow machine too. */
const pingMsMax = 1000;

describe('protocol', () => {
  const server = useServer();
  const opened: RawClient[] = [];
  let other: RawClient;

  async function open(): Promise<RawClient> {
    const client = await RawClient.connect(server().port, { undecoded: true });
    opened.push(client);
    return client;
  }

  function openMany(count: number): Promise<RawClient[]> {
    return Promise.all(Array.from({ length: count }, open));
  }

  async function pingOfAnother(): Promise<void> {
    const startedMs = performance.now();
    expect(await other.command('PING')).to.equal('PONG');
    expect(performance.now() - startedMs).to.be.lessThan(pingMsMax);
  }

  beforeEach(async () => {
    other = await RawClient.connect(server().port);
  });
  afterEach(async () => {
    await pingOfAnother();
    await other.close();
    for (const client of opened.splice(0)) await client.close();
  });

  const mistakes: readonly (readonly [title: string, input: string, text: string])[] = [
    ['a count that is no number', '*x\r\n', 'invalid multibulk length'],
    ['a count above 2147483647', '*2147483648\r\n', 'invalid multibulk length'],
    ['a bulk that is none', '*1\r\n+PING\r\n', "expected '$', got '+'"],
    ['a negative bulk length', '*1\r\n$-2\r\n', 'invalid bulk length'],
    ['a bulk above the limit', '*1\r\n$536870913\r\n', 'invalid bulk length'],
    ['a count without end', `*${'1'.repeat(70_000)}`, 'too big mbulk count string'],
    ['a bulk length without end', `*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'],
    ['a line without end', 'x'.repeat(70_000), 'too big inline request'],
    ['quotes without end', 'SET a "b\r\n', 'unbalanced quotes in request'],
  ];
  for (const [title, input, text] of mistakes) {
    it(`answers and closes for ${title}, and runs nothing behind it`, async () => {
      const client = await open();
      client.send(Buffer.concat([encodeRequest('SET', 'before', title), Buffer.from(input)]));
      client.send('\r\nSET behind 1\r\nPING\r\n');
      expect(`${await client.readUntilClosed()}`).to.equal(
        `+OK\r\n-ERR Protocol error: ${text}\r\n`,
      );
      expect(await other.command('MGET', 'before', 'behind')).to.deep.equal([title, null]);
    });
  }

  it('closes although the peer goes on sending and reads nothing', async () => {
    const client = await open();
    client.socket.pause();
    client.send('*x\r\n');
    for (let n = 0; n < 64; n += 1) client.send(Buffer.alloc(mebibyte, 'x'));
    await pingOfAnother();
    client.socket.resume();
    await client.readUntilClosed();
  });

  it('answers what came before a half-close, and closes', async () => {
    const client = await open();
    client.send('PING\r\nSET half');
    client.end();
    expect(`${await client.readUntilClosed()}`).to.equal('+PONG\r\n');
  });

  for (const line of ['POST / HTTP/1.1', 'Host: example.com']) {
    it(`closes without an answer at '${line}', and runs nothing behind it`, async () => {
      const client = await open();
      client.send(`${line}\r\nSET attacked 1\r\n\r\n`);
      expect(`${await client.readUntilClosed()}`).to.equal('');
      expect(await other.command('EXISTS', 'attacked')).to.equal(0);
    });
  }

  it('puts requests together however they are cut', async () => {
    const client = await open();
    const request = encodeRequest('SET', 'cut', Buffer.from([0, 13, 10, 255]));
    for (const byte of request) {
      client.send(Buffer.of(byte));
      await new Promise((sent) => setImmediate(sent));
    }
    expect(`${await client.receive(5)}`).to.equal('+OK\r\n');
  });

  it('survives noise', async () => {
    let seed = 1;
    const noise = Buffer.from(
      Array.from({ length: 64 * 1024 }, () => {
        seed = (seed * 1103515245 + 12345) % 2 ** 31;
        return seed >> 16;
      }),
    );
    for (let from = 0; from < noise.length; from += 4096) {
      const client = await open();
      client.send(noise.subarray(from, from + 4096));
      client.end();
      await client.readUntilClosed();
    }
  });

  it('survives connections that break off in the middle of a bulk', async () => {
    for (const client of await openMany(100)) {
      client.send('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\nxxxx');
      client.socket.resetAndDestroy();
    }
  });

  it('keeps no memory for what is only announced', async () => {
    const beforeBytes = residentBytes();
    for (const client of await openMany(50)) {
      client.send('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nx');
    }
    for (const client of await openMany(50))
      client.send('*2147483647\r\n$4\r\nMGET\r\n$1\r\na\r\n');
    await pingOfAnother();
    expect(residentBytes() - beforeBytes).to.be.lessThan(60 * mebibyte);
  });

  it('gives up a value that is larger than it may be at once', async () => {
    await other.command('CONFIG', 'SET', 'proto-max-bulk-len', '1mb');
    const client = await open();
    client.send(`*2\r\n$4\r\nECHO\r\n$${mebibyte + 1}\r\n`);
    expect(`${await client.readUntilClosed()}`).to.equal(
      '-ERR Protocol error: invalid bulk length\r\n',
    );
    await other.command('CONFIG', 'SET', 'proto-max-bulk-len', '512mb');
  });

  it('closes a client whose one request passes client-query-buffer-limit', async () => {
    await other.command('CONFIG', 'SET', 'client-query-buffer-limit', '1mb');
    const client = await open();
    client.send('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000000\r\n');
    for (let n = 0; n < 32; n += 1) client.send(Buffer.alloc(mebibyte, 'x'));
    expect(`${await client.readUntilClosed()}`).to.equal('');
    await other.command('CONFIG', 'SET', 'client-query-buffer-limit', '1gb');
  });

  it('bounds what a client costs that asks for much and reads nothing', async () => {
    await other.command('SET', 'large', 'x'.repeat(mebibyte));
    const beforeBytes = residentBytes();
    const clients = await openMany(4);
    for (const client of clients) {
      client.socket.pause();
      client.send('GET large\r\n'.repeat(200));
    }
    await pingOfAnother();
    await delay(300);
    await pingOfAnother();
    expect(residentBytes() - beforeBytes).to.be.lessThan(256 * mebibyte);
    for (const client of clients) {
      client.socket.resume();
      const reply = `$${mebibyte}\r\n`.length + mebibyte + 2;
      expect(await client.receive(200 * reply)).to.have.length(200 * reply);
    }
  });

  it('serves others while one sends a very long pipeline', async () => {
    const client = await open();
    const count = 200_000;
    client.send('PING\r\n'.repeat(count));
    const [replies] = await Promise.all([
      client.receive(count * '+PONG\r\n'.length),
      pingOfAnother(),
    ]);
    expect(replies.equals(Buffer.from('+PONG\r\n'.repeat(count)))).to.equal(true);
  });

  it('takes a value of 32 MiB, and gives it back', async () => {
    const value = Buffer.alloc(32 * mebibyte, 'abcdefg');
    const client = await open();
    client.send(encodeRequest('SET', 'huge', value));
    expect(`${await client.receive(5)}`).to.equal('+OK\r\n');
    client.send(encodeRequest('GET', 'huge'));
    const head = `$${value.length}\r\n`;
    const reply = await client.receive(head.length + value.length + 2);
    expect(reply.subarray(head.length, -2).equals(value)).to.equal(true);
    await other.command('DEL', 'huge');
  });

  it('refuses clients beyond maxclients, and takes them when there is room again', async () => {
    const clients = await openMany(3);
    for (const client of clients) {
      client.send('PING\r\n');
      await client.receive(7);
    }
    await other.command('CONFIG', 'SET', 'maxclients', '4');
    const refused = await open();
    expect(`${await refused.readUntilClosed()}`).to.equal('-ERR max number of clients reached\r\n');
    await other.command('CONFIG', 'SET', 'maxclients', '10000');
    const taken = await open();
    taken.send('PING\r\n');
    expect(`${await taken.receive(7)}`).to.equal('+PONG\r\n');
  });

  describe('before a client has given the password', () => {
    before(async () => {
      const client = await RawClient.connect(server().port);
      await client.command('CONFIG', 'SET', 'requirepass', 'secret');
      await client.close();
    });
    beforeEach(() => other.command('AUTH', 'secret'));
    after(async () => {
      const client = await RawClient.connect(server().port);
      await client.command('AUTH', 'secret');
      await client.command('CONFIG', 'SET', 'requirepass', '');
      await client.close();
    });

    it('closes at a request of more than 10 arguments', async () => {
      const client = await open();
      client.send('*11\r\n');
      expect(`${await client.readUntilClosed()}`).to.equal(
        '-ERR Protocol error: unauthenticated multibulk length\r\n',
      );
    });

    it('closes at an argument of more than 16384 bytes', async () => {
      const client = await open();
      client.send('*2\r\n$4\r\nAUTH\r\n$16385\r\n');
      expect(`${await client.readUntilClosed()}`).to.equal(
        '-ERR Protocol error: unauthenticated bulk length\r\n',
      );
    });

    it('answers nothing but NOAUTH, however much it asks for without reading', async () => {
      const client = await open();
      client.socket.pause();
      const beforeBytes = residentBytes();
      client.send('GET a\r\n'.repeat(1_000_000));
      await pingOfAnother();
      expect(residentBytes() - beforeBytes).to.be.lessThan(60 * mebibyte);
    });
  });

  /** Of the server, as the kernel counts it. */
  function residentBytes(): number {
    const status = readFileSync(`/proc/${server().pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }
});
