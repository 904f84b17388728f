/** The whole node over a simulated disk: what clients may rely on when processes and machines die. */
import { expect } from 'chai';
import fc from 'fast-check';
import { SeededRandom } from './seeded-random.ts';
import { SimNode } from './sim-node.ts';

const hourMs = 3_600_000;

async function infoOf(node: SimNode, section: string): Promise<Map<string, string>> {
  const text = String(await node.run('INFO', section));
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1)]),
  );
}

async function allKeys(node: SimNode, count: number): Promise<string[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const page = (await node.run('SCAN', cursor, 'COUNT', count)) as [string, string[]];
    cursor = page[0];
    keys.push(...page[1]);
  } while (cursor !== '0');
  return keys;
}

describe('a node', () => {
  it('keeps what it acknowledged through kills and clean stops', async () => {
    const node = await new SimNode(1).start();
    for (let round = 0; round < 6; round += 1) {
      expect(await node.run('SET', `key${round}`, round)).to.equal('+OK');
      expect(await node.run('INCR', 'rounds')).to.equal(round + 1);
      if (round % 2 === 0) node.crash('process');
      else await node.stop();
      await node.start();
      expect(await node.run('DBSIZE')).to.equal(round + 2);
    }
    expect(await node.run('MGET', 'key0', 'key5', 'rounds')).to.deep.equal(['0', '5', '6']);
  });

  it('keeps every acknowledged write through power cuts with appendfsync always', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), async (seed) => {
        const node = await new SimNode(seed, { appendfsync: 'always' }).start();
        const random = new SeededRandom(seed);
        const acknowledged = new Map<string, number>();
        const begun = new Map<string, number>();
        for (let life = 0; life < 4; life += 1) {
          for (let step = 0; step < 30; step += 1) {
            const key = `k${random.below(5)}`;
            const value = life * 100 + step;
            const written = node.begin(node.session(), 'SET', key, value);
            begun.set(key, value);
            written.listen(
              (reply) => {
                if (reply === '+OK') acknowledged.set(key, value);
              },
              () => {},
            );
            if (random.below(3) === 0) await node.time.advance(random.below(5));
          }
          node.crash(random.below(2) === 0 ? 'power' : 'process');
          await node.start();
          for (const [key, value] of acknowledged) {
            const found = Number(await node.run('GET', key));
            expect(found, `${key} after life ${life}`).to.be.within(value, begun.get(key) ?? 0);
            acknowledged.set(key, found);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('shows no client a write that is not committed yet', async () => {
    const node = await new SimNode(2).start();
    const session = node.session();
    const write = node.begin(session, 'SET', 'a', '1');
    const read = node.begin(session, 'GET', 'a');
    expect([write.pending, read.pending]).to.deep.equal([true, true]);
    expect(await node.time.run(read)).to.equal('1');
    expect(write.pending).to.equal(false);
  });

  it('answers reads of a pipeline as of their place in it', async () => {
    const node = await new SimNode(3).start();
    const session = node.session();
    const script = ['SET a 1', 'GET a', 'APPEND a 2', 'GET a', 'DEL a', 'GET a', 'INCR a', 'GET a'];
    const replies = script.map((line) => node.begin(session, ...line.split(' ')));
    const answers = await node.time.run(Promise.all(replies));
    expect(answers).to.deep.equal(['+OK', '1', 2, '12', 1, null, 1, '1']);
  });

  it('takes a failed write back, tells its client so, and builds nothing on it', async () => {
    const node = await new SimNode(4).start();
    await node.run('SET', 'a', '5');
    const before = await infoOf(node, 'dynamo');
    node.disk.failBatches = 1;
    node.disk.failedBatches = 'lose';
    const writer = node.session();
    const first = node.begin(writer, 'INCRBY', 'a', '10');
    const second = node.begin(writer, 'INCRBY', 'a', '100');
    expect(await node.time.run(first)).to.match(/^-UNCERTAIN /);
    expect(await node.time.run(second)).to.match(/^-(UNCERTAIN|MISCONF) /);
    expect(await node.run('GET', 'a')).to.equal('5');
    await node.time.advance(10_000);
    expect(await node.run('INCR', 'a')).to.equal(6);
    const after = await infoOf(node, 'dynamo');
    expect(Number(after.get('epoch_renewals'))).to.equal(Number(before.get('epoch_renewals')) + 1);
    expect(after.get('storage_state')).to.equal('ok');
  });

  it('reads again after a fence, because the failed write may be there after all', async () => {
    for (const outcome of ['keep', 'lose'] as const) {
      const node = await new SimNode(4).start();
      await node.run('SET', 'a', '5');
      node.disk.failBatches = 1;
      node.disk.failedBatches = outcome;
      expect(await node.run('INCRBY', 'a', '10')).to.match(/^-UNCERTAIN /);
      expect(await node.run('GET', 'a'), 'while it is fenced').to.equal('5');
      await node.time.advance(10_000);
      expect(await node.run('GET', 'a'), outcome).to.equal(outcome === 'keep' ? '15' : '5');
      await node.run('INCR', 'a');
      node.disk.failBatches = 1;
      expect(await node.run('FLUSHDB')).to.match(/^-UNCERTAIN /);
      await node.time.advance(10_000);
      expect(await node.run('DBSIZE'), 'after a flush').to.equal(outcome === 'keep' ? 0 : 1);
      expect(await node.run('EXISTS', 'a')).to.equal(outcome === 'keep' ? 0 : 1);
      await node.run('INCR', 'a');
      await node.stop();
      await node.start();
      await node.verified();
      const info = await infoOf(node, 'dynamo');
      expect([info.get('lost_records'), info.get('storage_state')]).to.deep.equal(['0', 'ok']);
    }
  });

  it('refuses writes and goes on reading while the disk is full, and loses nothing', async () => {
    const node = await new SimNode(5).start();
    await node.run('SET', 'kept', 'value');
    node.disk.setRoom(0);
    expect(await node.run('SET', 'new', 'x'.repeat(5000))).to.match(/^-(UNCERTAIN|MISCONF) /);
    expect(await node.run('SET', 'new', 'x')).to.match(/^-MISCONF /);
    expect(await node.run('GET', 'kept')).to.equal('value');
    expect((await infoOf(node, 'dynamo')).get('storage_state')).to.equal('fenced');
    node.disk.setRoom(1e9);
    await node.time.advance(20_000);
    expect(await node.run('SET', 'later', '1')).to.equal('+OK');
    node.crash('process');
    await node.start();
    expect(await node.run('MGET', 'kept', 'later')).to.deep.equal(['value', '1']);
  });

  it('never serves a corrupt record, counts it, and lets it be overwritten', async () => {
    const node = await new SimNode(6).start();
    await node.run('SET', 'a', 'right');
    await node.stop();
    expect(node.disk.flipBit((key) => key[0] === 0x64)).to.not.equal(undefined);
    await node.start();
    await node.verified();
    expect((await infoOf(node, 'dynamo')).get('corrupt_records')).to.equal('1');
    expect((await infoOf(node, 'dynamo')).get('storage_state')).to.equal('degraded');
    expect(await node.run('GET', 'a')).to.match(/^-CLUSTERDOWN need 1 replica, 0 usable/);
    expect(await node.run('SET', 'a', 'new')).to.equal('+OK');
    expect(await node.run('GET', 'a')).to.equal('new');
    expect(await node.run('DBSIZE')).to.equal(1);
  });

  it('reports records that vanished in silence, and counts what is there', async () => {
    const node = await new SimNode(7).start();
    for (let key = 0; key < 20; key += 1) await node.run('SET', `k${key}`, key);
    await node.stop();
    expect(node.disk.damageLog('middle', false)).to.equal(true);
    await node.start();
    await node.verified();
    await node.time.advance(1000);
    expect(Number((await infoOf(node, 'dynamo')).get('lost_records'))).to.be.at.least(1);
    expect(await node.run('DBSIZE')).to.equal((await allKeys(node, 100)).length);
  });

  it('draws new actors after a crash and goes on with the old ones after a clean stop', async () => {
    const node = await new SimNode(8).start();
    const actorsOf = async (): Promise<number> => {
      const context = String(((await node.run('DYN.GET', 'a')) as [string, string[]])[0]);
      return ((await node.run('DYN.CONTEXT', 'DESCRIBE', context)) as unknown[]).length;
    };
    await node.run('SET', 'a', '1');
    expect(await actorsOf()).to.equal(1);
    await node.stop();
    await node.start();
    await node.verified();
    await node.run('SET', 'a', '2');
    expect(await actorsOf(), 'after a clean stop').to.equal(1);
    node.crash('process');
    await node.start();
    await node.verified();
    await node.run('SET', 'a', '3');
    expect(await actorsOf(), 'after a crash').to.equal(2);
  });

  it('expires to the millisecond for readers, stops counting soon after, and reaps at last', async () => {
    const node = await new SimNode(9, { 'tombstone-grace-s': '60' }).start();
    await node.run('SET', 'a', '1', 'PX', '1000');
    await node.run('SET', 'b', '1');
    const ttl = Number(await node.run('PTTL', 'a'));
    await node.time.advance(ttl - 1);
    expect(await node.run('GET', 'a')).to.equal('1');
    await node.time.advance(1);
    expect(await node.run('GET', 'a')).to.equal(null);
    expect(await allKeys(node, 10)).to.deep.equal(['b']);
    await node.time.advance(2000);
    expect(await node.run('DBSIZE')).to.equal(1);
    expect((await infoOf(node, 'dynamo')).get('records')).to.equal('2');
    await node.time.advance(70_000);
    const info = await infoOf(node, 'dynamo');
    expect([info.get('records'), info.get('tombstones')]).to.deep.equal(['1', '0']);
    expect((await infoOf(node, 'stats')).get('expired_keys')).to.equal('1');
  });

  it('reaps a deleted record once no message of its time can be on its way', async () => {
    const node = await new SimNode(10).start();
    await node.run('SET', 'a', '1');
    await node.run('DEL', 'a');
    expect((await infoOf(node, 'dynamo')).get('tombstones')).to.equal('1');
    await node.time.advance(50_000);
    expect((await infoOf(node, 'dynamo')).get('records')).to.equal('1');
    await node.time.advance(20_000);
    const info = await infoOf(node, 'dynamo');
    expect([info.get('records'), info.get('tombstones')]).to.deep.equal(['0', '0']);
    expect(info.get('tombstones_reaped')).to.equal('1');
  });

  it('empties a database at once, keeps the others, and reclaims the space behind', async () => {
    const node = await new SimNode(11).start();
    const session = node.session();
    for (let key = 0; key < 300; key += 1) await node.run('SET', `k${key}`, key);
    await node.time.run(node.begin(session, 'SELECT', 5));
    await node.time.run(node.begin(session, 'SET', 'kept', 1));
    expect(await node.run('FLUSHDB')).to.equal('+OK');
    expect(await node.run('DBSIZE')).to.equal(0);
    expect(await node.run('GET', 'k1')).to.equal(null);
    expect(await node.run('INCR', 'k1'), 'a write after the flush starts anew').to.equal(1);
    node.crash('process');
    await node.start();
    expect(await node.run('DBSIZE'), 'after a crash').to.equal(1);
    await node.time.advance(5000);
    expect((await infoOf(node, 'dynamo')).get('records')).to.equal('2');
    expect(await node.run('DBSIZE')).to.equal(1);
  });

  it('counts its keys right, whatever was done to them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), async (seed) => {
        const node = await new SimNode(seed, { 'tombstone-grace-s': '1' }).start();
        const random = new SeededRandom(seed);
        const commands: (() => (string | number)[])[] = [
          () => ['SET', `k${random.below(8)}`, random.below(100)],
          () => ['SET', `k${random.below(8)}`, 1, 'PX', 1 + random.below(3000)],
          () => ['DEL', `k${random.below(8)}`],
          () => ['PEXPIRE', `k${random.below(8)}`, random.below(2000)],
          () => ['PERSIST', `k${random.below(8)}`],
          () => ['RENAME', `k${random.below(8)}`, `k${random.below(8)}`],
          () => ['DYN.PUT', `k${random.below(8)}`, '', random.below(100)],
          () => (random.below(4) === 0 ? ['FLUSHDB'] : ['INCR', `n${random.below(3)}`]),
        ];
        for (let step = 0; step < 60; step += 1) {
          const command = commands[random.below(commands.length)];
          if (command !== undefined) await node.run(...command());
          if (random.below(4) === 0) await node.time.advance(random.below(1500));
          if (random.below(20) === 0) {
            node.crash('process');
            await node.start();
          }
        }
        await node.time.advance(10_000);
        const keys = await allKeys(node, 1 + random.below(5));
        expect(new Set(keys).size, 'each key once').to.equal(keys.length);
        expect(await node.run('DBSIZE')).to.equal(keys.length);
        await node.stop();
        await node.start();
        await node.verified();
        const info = await infoOf(node, 'dynamo');
        expect([info.get('lost_records'), info.get('storage_state')]).to.deep.equal(['0', 'ok']);
        expect(await node.run('DBSIZE'), 'after a restart').to.equal(keys.length);
      }),
      { numRuns: 20 },
    );
  });

  it('runs an EXEC without anybody in between, and nothing of it when a watched key changed', async () => {
    const node = await new SimNode(12).start();
    await node.run('SET', 'a', '1');
    const session = node.session();
    const other = node.session();
    const script = ['WATCH a', 'MULTI', 'INCR a', 'INCR a', 'GET a', 'EXEC'];
    const replies = script.map((line) => node.begin(session, ...line.split(' ')));
    const between = node.begin(other, 'INCRBY', 'a', '100');
    expect((await node.time.run(Promise.all(replies))).at(-1)).to.deep.equal([2, 3, '3']);
    expect(await node.time.run(between)).to.equal(103);
    await node.time.run(node.begin(session, 'WATCH', 'a'));
    await node.run('SET', 'a', '9');
    for (const line of ['MULTI', 'INCR a']) node.begin(session, ...line.split(' '));
    expect(await node.time.run(node.begin(session, 'EXEC'))).to.equal('*nil');
    expect(await node.run('GET', 'a')).to.equal('9');
  });

  it('keeps its stamps going up although the clock steps back', async () => {
    const node = await new SimNode(13).start();
    const stampOf = async (): Promise<number> => {
      const context = String(await node.run('DYN.CONTEXT', 'GET', 'a'));
      const rows = (await node.run('DYN.CONTEXT', 'DESCRIBE', context)) as [string, number][];
      return Math.max(...rows.map(([, atMs]) => Number(atMs)));
    };
    await node.run('SET', 'a', '1');
    const first = await stampOf();
    node.crash('power');
    node.time.stepWall(-hourMs);
    await node.start();
    await node.run('SET', 'a', '2');
    expect(await stampOf()).to.be.at.least(first);
    expect(await node.run('GET', 'a')).to.equal('2');
  });
});
