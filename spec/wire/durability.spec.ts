/**
 * What was acknowledged is there after kill -9, whatever the moment; and what a clean stop keeps.
 * Killing the process is no power cut: everysec must lose nothing either.
 */
import { expect } from 'chai';
import { encodeRequest, RawClient, type RawReply } from '../support/raw-client.ts';
import { ServerProcess } from '../support/server-process.ts';

const connectionsCount = 4;
const pipelineLength = 16;
const killsCount = 5;

describe('durability', () => {
  for (const appendfsync of ['everysec', 'always']) {
    it(`every acknowledged write is there after kill -9 (appendfsync ${appendfsync})`, async () => {
      const server = await ServerProcess.start('--appendfsync', appendfsync);
      const acknowledged = new Map<string, string>();
      for (let kill = 0; kill < killsCount; kill += 1) {
        const before = acknowledged.size;
        const writers = Array.from({ length: connectionsCount }, (_, writer) =>
          write(server.port, `${kill}:${writer}`, acknowledged),
        );
        await until(() => acknowledged.size > before + 300 * (kill + 1));
        await Promise.all([server.kill('SIGKILL'), ...writers]);
        await server.restart();
        await expectAll(server.port, acknowledged);
      }
      await server.remove();
    });

    it(`what was counted and deleted stays so through kill -9 (appendfsync ${appendfsync})`, async () => {
      const server = await ServerProcess.start('--appendfsync', appendfsync);
      let counted = 0;
      for (let kill = 0; kill < 3; kill += 1) {
        const start = counted;
        const counting = count(server.port, (value) => {
          counted = value;
        });
        await until(() => counted > start + 200);
        await Promise.all([server.kill('SIGKILL'), counting]);
        await server.restart();
        const client = await RawClient.connect(server.port);
        const found = Number(await client.command('GET', 'counter'));
        expect(found).to.be.within(counted, counted + pipelineLength);
        expect(await client.command('EXISTS', 'deleted')).to.equal(0);
        counted = found;
        await client.close();
      }
      await server.remove();
    });
  }

  it('a clean stop keeps counts, expiry times, siblings, and contexts that clients hold', async () => {
    const server = await ServerProcess.start();
    const first = await RawClient.connect(server.port);
    for (let n = 0; n < 100; n += 1) await first.command('SET', `k:${n}`, n);
    await first.command('SET', 'far', 'x', 'PXAT', '33177117420555');
    await first.command('SET', 'soon', 'x', 'PX', '1');
    await first.command('DEL', 'k:0');
    const context = text(await first.command('DYN.PUT', 'cart', '', 'seen'));
    await first.command('DYN.PUT', 'cart', '', 'beside');
    const siblings = await first.command('DYN.GET', 'cart');
    await first.command('SELECT', '9');
    await first.command('SET', 'elsewhere', '1');
    await first.command('SELECT', '8');
    await first.command('SET', 'flushed', '1');
    await first.command('FLUSHDB');
    expect((await server.stop()).code).to.equal(0);

    await server.restart();
    const second = await RawClient.connect(server.port);
    expect(await second.command('EXISTS', 'soon')).to.equal(0);
    expect(await second.command('DBSIZE')).to.be.within(101, 102);
    expect(await second.command('PEXPIRETIME', 'far')).to.equal(33177117420555);
    expect(await second.command('GET', 'k:99')).to.equal('99');
    expect(await second.command('DYN.GET', 'cart')).to.deep.equal(siblings);
    expect(await second.command('DYN.PUT', 'cart', context, 'settled')).to.be.a('string');
    const [, after] = list(await second.command('DYN.GET', 'cart'));
    expect(after).to.deep.equal(['settled', 'beside']);
    await second.command('SELECT', '9');
    expect(await second.command('GET', 'elsewhere')).to.equal('1');
    await second.command('SELECT', '8');
    expect(await second.command('DBSIZE')).to.equal(0);
    await second.close();
    await server.remove();
  });

  it('contexts from before a kill -9 supersede what they have seen, and nothing else', async () => {
    const server = await ServerProcess.start();
    const first = await RawClient.connect(server.port);
    const context = text(await first.command('DYN.PUT', 'a', '', 'seen'));
    await first.command('DYN.PUT', 'a', '', 'unseen');
    await server.kill('SIGKILL');
    await server.restart();
    const second = await RawClient.connect(server.port);
    await second.command('DYN.PUT', 'a', '', 'new');
    await second.command('DYN.PUT', 'a', context, 'settled');
    const [, siblings] = list(await second.command('DYN.GET', 'a'));
    expect(siblings).to.have.members(['unseen', 'new', 'settled']).and.have.length(3);
    await second.close();
    await server.remove();
  });
});

/** Pipelined SETs of new keys until the server dies; notes each that was acknowledged. */
async function write(port: number, name: string, acknowledged: Map<string, string>): Promise<void> {
  const client = await RawClient.connect(port);
  try {
    for (let batch = 0; ; batch += 1) {
      const keys = Array.from({ length: pipelineLength }, (_, n) => `${name}:${batch}:${n}`);
      client.send(Buffer.concat(keys.map((key) => encodeRequest('SET', key, `value of ${key}`))));
      for (const key of keys) {
        if ((await client.next()) === 'OK') acknowledged.set(key, `value of ${key}`);
      }
    }
  } catch {
    await client.close();
  }
}

/** A key is set and deleted; then pipelined INCRs of one counter until the server dies. */
async function count(port: number, onCount: (value: number) => void): Promise<void> {
  const client = await RawClient.connect(port);
  try {
    await client.command('SET', 'deleted', 'x');
    await client.command('DEL', 'deleted');
    while (true) {
      client.send(Buffer.concat(Array(pipelineLength).fill(encodeRequest('INCR', 'counter'))));
      for (let n = 0; n < pipelineLength; n += 1) onCount(Number(await client.next()));
    }
  } catch {
    await client.close();
  }
}

async function expectAll(port: number, expected: ReadonlyMap<string, string>): Promise<void> {
  const client = await RawClient.connect(port);
  const keys = [...expected.keys()];
  const lost: string[] = [];
  for (let from = 0; from < keys.length; from += 1000) {
    const page = keys.slice(from, from + 1000);
    const values = list(await client.command('MGET', ...page));
    lost.push(...page.filter((key, n) => values[n] !== expected.get(key)));
  }
  const size = await client.command('DBSIZE');
  await client.close();
  expect(lost, `of ${keys.length} acknowledged writes`).to.deep.equal([]);
  expect(size).to.be.at.least(keys.length);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function list(reply: RawReply): RawReply[] {
  expect(reply).to.be.an('array');
  return Array.isArray(reply) ? reply : [];
}

function text(reply: RawReply): string {
  expect(reply).to.be.a('string');
  return String(reply);
}
