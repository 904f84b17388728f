/** ioredis 6 as applications use it: RESP3 by default, RESP2 on request. */
import { once } from 'node:events';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { RawClient } from '../support/raw-client.ts';
import { useServer } from '../support/server-process.ts';

/** What this page sets of ioredis' options. */
interface ConnectOptions {
  readonly protocol?: 2 | 3;
  readonly connectionName?: string;
  readonly password?: string;
  readonly db?: number;
  readonly retryStrategy?: () => number | null;
}

describe('ioredis', () => {
  const server = useServer();
  const opened: Redis[] = [];

  function open(options: ConnectOptions = {}): Redis {
    const redis = new Redis(server().port, '127.0.0.1', options);
    opened.push(redis);
    return redis;
  }

  beforeEach(() => open().flushall());
  afterEach(() => {
    for (const redis of opened.splice(0)) redis.disconnect();
  });

  const modes: readonly (readonly [string, ConnectOptions])[] = [
    ['with its defaults', {}],
    ['in RESP2', { protocol: 2 }],
    ['in RESP3', { protocol: 3 }],
  ];
  for (const [mode, options] of modes) {
    describe(mode, () => {
      it('connects, passes the ready check, sets and gets', async () => {
        const redis = open({ ...options, connectionName: 'spec' });
        await once(redis, 'ready');
        expect(await redis.set('a', '1')).to.equal('OK');
        expect(await redis.get('a')).to.equal('1');
        expect(await redis.get('missing')).to.equal(null);
        expect(await redis.client('GETNAME')).to.equal('spec');
        expect(await redis.info()).to.match(/^redis_version:7\.0\.\d+\r$/m);
      });

      it('gets arrays, integers, maps and nils in the types it knows', async () => {
        const redis = open(options);
        expect(await redis.mset({ a: '1', b: '2' })).to.equal('OK');
        expect(await redis.mget('a', 'x', 'b')).to.deep.equal(['1', null, '2']);
        expect(await redis.incrby('a', 41)).to.equal(42);
        expect(await redis.incrbyfloat('b', 0.5)).to.equal('2.5');
        expect(await redis.expire('a', 100)).to.equal(1);
        expect(await redis.ttl('a')).to.equal(100);
        expect(await redis.set('a', '2', 'EX', 10, 'NX')).to.equal(null);
        expect(await redis.getdel('a')).to.equal('42');
        expect(await redis.exists('a', 'b')).to.equal(1);
        expect((await redis.time()).map(Number)[0]).to.be.greaterThan(1e9);
      });

      it('keeps binary keys and values', async () => {
        const redis = open(options);
        const key = Buffer.from([0, 0xff, 0x0d, 0x0a]);
        const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
        await redis.set(key, value);
        expect(await redis.getBuffer(key)).to.deep.equal(value);
        expect(await redis.getrangeBuffer(key, 250, -1)).to.deep.equal(value.subarray(250));
      });

      it('runs a pipeline in order, mistakes in their places', async () => {
        const pipeline = open(options).pipeline();
        for (let n = 0; n < 1000; n += 1) pipeline.incr('n');
        const replies = await pipeline.set('s', 'x').incr('s').get('s').exec();
        expect(replies?.slice(0, 1000).map(([, n]) => n)).to.deep.equal(
          Array.from({ length: 1000 }, (_, n) => n + 1),
        );
        const [ok, mistake, value] = replies?.slice(1000) ?? [];
        expect(ok).to.deep.equal([null, 'OK']);
        expect(mistake?.[0]?.message).to.equal('ERR value is not an integer or out of range');
        expect(value).to.deep.equal([null, 'x']);
      });

      it('runs MULTI, and EXEC gives null when a watched key has changed', async () => {
        const redis = open(options);
        expect(await redis.multi().set('a', '1').incr('a').get('a').exec()).to.deep.equal([
          [null, 'OK'],
          [null, 2],
          [null, '2'],
        ]);
        await redis.watch('a');
        await open(options).set('a', 'other');
        expect(await redis.multi().set('a', 'mine').exec()).to.equal(null);
        expect(await redis.get('a')).to.equal('other');
      });

      it('scans every key exactly once', async () => {
        const redis = open(options);
        const keys = Array.from({ length: 500 }, (_, n) => `scan:${n}`);
        await redis.mset(Object.fromEntries([...keys, 'other'].map((key) => [key, 'v'])));
        const found: string[] = [];
        for await (const page of redis.scanStream({ match: 'scan:*', count: 50 })) {
          found.push(...(page as string[]));
        }
        expect(found.sort()).to.deep.equal(keys.sort());
      });

      it('comes back after the server has cut it off', async () => {
        const redis = open({ ...options, retryStrategy: () => 10 });
        const id = await redis.client('ID');
        const killer = await RawClient.connect(server().port);
        const ready = once(redis, 'ready');
        await killer.command('CLIENT', 'KILL', 'ID', id);
        await killer.close();
        await ready;
        expect(await redis.ping()).to.equal('PONG');
      });
    });
  }

  it('gives the commands that Redis does not have by their names', async () => {
    const redis = open();
    await redis.set('cart', 'milk');
    const [context, siblings] = (await redis.call('DYN.GET', 'cart')) as [string, string[]];
    expect(siblings).to.deep.equal(['milk']);
    expect(await redis.call('DYN.PUT', 'cart', context, 'bread')).to.be.a('string');
    expect(await redis.get('cart')).to.equal('bread');
  });

  it('uses a password and a database', async () => {
    const redis = open();
    await redis.config('SET', 'requirepass', 'secret');
    try {
      const inside = open({ password: 'secret', db: 3 });
      await inside.set('only-in-3', '1');
      expect(await inside.dbsize()).to.equal(1);
      const outside = open({ password: 'wrong', retryStrategy: () => null });
      outside.on('error', () => {});
      const refusal = await outside.get('a').catch((error: unknown) => error);
      expect(refusal).to.be.an('error');
    } finally {
      await redis.config('SET', 'requirepass', '');
    }
  });
});
