/** node-redis 6 with its defaults, in RESP2 and RESP3. */
import { expect } from 'chai';
import { createClient, WatchError } from 'redis';
import { useServer } from '../support/server-process.ts';

describe('node-redis', () => {
  const server = useServer();

  for (const RESP of [undefined, 2, 3] as const) {
    describe(RESP === undefined ? 'with its defaults' : `in RESP${RESP}`, () => {
      const make = () =>
        createClient({
          url: `redis://127.0.0.1:${server().port}`,
          socket: { reconnectStrategy: () => 10 },
          ...(RESP !== undefined && { RESP }),
        });
      let client: ReturnType<typeof make>;
      beforeEach(async () => {
        client = make();
        client.on('error', () => {});
        await client.connect();
        await client.flushAll();
      });
      afterEach(() => client.destroy());

      it('sets, gets, expires and deletes', async () => {
        expect(await client.set('a', '1', { expiration: { type: 'EX', value: 100 } })).to.equal(
          'OK',
        );
        expect(await client.get('a')).to.equal('1');
        expect(await client.get('missing')).to.equal(null);
        expect(await client.ttl('a')).to.equal(100);
        expect(await client.expire('a', 50)).to.equal(1);
        expect(await client.persist('a')).to.equal(1);
        expect(await client.mGet(['a', 'x'])).to.deep.equal(['1', null]);
        expect(await client.del(['a', 'x'])).to.equal(1);
        expect(await client.incrByFloat('f', 1.5)).to.equal('1.5');
      });

      it('shows CONFIG GET as an object', async () => {
        const shown = await client.configGet('maxclients');
        expect({ ...shown }).to.deep.equal({ maxclients: '10000' });
      });

      it('runs commands of one turn as a pipeline', async () => {
        const numbers = await Promise.all(Array.from({ length: 500 }, () => client.incr('n')));
        expect(numbers).to.deep.equal(Array.from({ length: 500 }, (_, n) => n + 1));
      });

      it('runs MULTI, and WATCH makes it fail', async () => {
        expect(await client.multi().set('a', '1').incr('a').get('a').exec()).to.deep.equal([
          'OK',
          2,
          '2',
        ]);
        await client.watch('a');
        const other = await client.duplicate().connect();
        await other.set('a', 'other');
        other.destroy();
        const outcome = await client
          .multi()
          .set('a', 'mine')
          .exec()
          .catch((error: unknown) => error);
        expect(outcome).to.be.an.instanceof(WatchError);
      });

      it('scans every key once', async () => {
        const keys = Array.from({ length: 300 }, (_, n) => `k${n}`);
        await client.mSet(Object.fromEntries(keys.map((key) => [key, 'v'])));
        const found: string[] = [];
        for await (const page of client.scanIterator({ MATCH: 'k*', COUNT: 40 })) {
          found.push(...page);
        }
        expect(found.sort()).to.deep.equal(keys.sort());
      });

      it('reads CLIENT INFO', async () => {
        await client.clientSetName('me');
        expect(await client.clientInfo()).to.include({ name: 'me', db: 0, user: 'default' });
      });

      it('comes back after the server has cut it off', async () => {
        const id = await client.clientId();
        const killer = await make().connect();
        const ready = new Promise((resolve) => client.once('ready', resolve));
        await killer.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]);
        killer.destroy();
        await ready;
        expect(await client.ping()).to.equal('PONG');
      });
    });
  }
});
