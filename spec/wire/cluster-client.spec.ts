/** The ring as a Redis Cluster: unmodified cluster clients and tools with their defaults. */
import { expect } from 'chai';
import { Cluster, type Redis } from 'ioredis';
import { createCluster } from 'redis';
import { slotOf } from '../../lib/ring/slots.ts';
import { until, useRing } from '../support/ring-process.ts';
import {
  describeWith,
  type Exit,
  RealRedis,
  run,
  ServerProcess,
} from '../support/server-process.ts';
import { type Protocol, transcribe } from '../support/transcript.ts';

const keysCount = 300;

function keysOf(prefix: string): string[] {
  return Array.from({ length: keysCount }, (_, index) => `${prefix}:${index}`);
}

describe('a ring that shows itself as a Redis Cluster', function () {
  this.timeout(30_000);
  const ring = useRing({ nodes: 3, directives: ['--cluster-enabled', 'yes'] });
  const seed = () => ({ host: '127.0.0.1', port: ring().node(0).port });

  beforeEach(async () => {
    await ring().node(0).client.flushall();
  });

  describe('ioredis Cluster', () => {
    let cluster: Cluster;
    beforeEach(() => {
      cluster = new Cluster([seed()]);
    });
    afterEach(() => cluster.disconnect());

    async function onMasters<T>(ask: (node: Redis) => Promise<T>): Promise<T[]> {
      return Promise.all(cluster.nodes('master').map(ask));
    }

    async function scanned(node: Redis): Promise<string[]> {
      const found: string[] = [];
      for await (const page of node.scanStream({ match: 's:*', count: 20 })) found.push(...page);
      return found;
    }

    it('writes and reads, knows every node as a master, and reads from replicas', async () => {
      const keys = keysOf('i');
      expect(await Promise.all(keys.map((key) => cluster.set(key, key)))).to.deep.equal(
        keys.map(() => 'OK'),
      );
      expect(await Promise.all(keys.map((key) => cluster.get(key)))).to.deep.equal(keys);
      expect(cluster.nodes('master')).to.have.lengthOf(3);
      const reader = new Cluster([seed()], { scaleReads: 'slave' });
      expect(await Promise.all(keys.map((key) => reader.get(key)))).to.deep.equal(keys);
      reader.disconnect();
    });

    it('runs commands on keys of several slots, and pipelines and transactions of one', async () => {
      expect(await cluster.mset('a', '1', 'b', '2', 'c', '3')).to.equal('OK');
      expect(await cluster.mget('a', 'b', 'c')).to.deep.equal(['1', '2', '3']);
      expect(await cluster.del('a', 'b', 'c')).to.equal(3);
      const pipeline = cluster.pipeline().set('{t}a', '1').incr('{t}a').get('{t}a');
      expect(await pipeline.exec()).to.deep.equal([
        [null, 'OK'],
        [null, 2],
        [null, '2'],
      ]);
      expect(await cluster.multi().incr('{t}a').incr('{t}b').exec()).to.deep.equal([
        [null, 3],
        [null, 1],
      ]);
    });

    it('finds each key once by scanning, listing and counting on all masters', async () => {
      const keys = keysOf('s').sort();
      await Promise.all(keys.map((key) => cluster.set(key, key)));
      expect((await onMasters(scanned)).flat().sort()).to.deep.equal(keys);
      expect((await onMasters((node) => node.keys('*'))).flat().sort()).to.deep.equal(keys);
      await until('the counts add up', async () => {
        const counts = await onMasters((node) => node.dbsize());
        return counts.reduce((sum, count) => sum + count, 0) === keysCount;
      });
      for (const node of cluster.nodes('master')) {
        const own = await scanned(node);
        expect(await node.info('keyspace')).to.include(`db0:keys=${own.length},expires=0`);
        expect(await node.randomkey()).to.be.oneOf(own);
        const slot = slotOf(Buffer.from(own[0] ?? ''));
        const inSlot = own.filter((key) => slotOf(Buffer.from(key)) === slot);
        expect(await node.cluster('COUNTKEYSINSLOT', slot)).to.equal(inSlot.length);
        const listed = (await node.cluster('GETKEYSINSLOT', slot, 100)) as string[];
        expect(listed.sort()).to.deep.equal(inSlot.sort());
      }
    });
  });

  describe('node-redis cluster', () => {
    for (const useReplicas of [false, true]) {
      it(`writes, reads and scans ${useReplicas ? 'with' : 'without'} replicas`, async () => {
        const url = `redis://127.0.0.1:${seed().port}`;
        const cluster = createCluster({ rootNodes: [{ url }], useReplicas });
        cluster.on('error', () => {});
        await cluster.connect();
        const keys = keysOf('n').sort();
        await Promise.all(keys.map((key) => cluster.set(key, key)));
        expect(await Promise.all(keys.map((key) => cluster.get(key)))).to.deep.equal(keys);
        const found: string[] = [];
        for (const master of cluster.masters) {
          const node = await cluster.nodeClient(master);
          for await (const page of node.scanIterator({ MATCH: 'n:*' })) found.push(...page);
        }
        expect(found.sort()).to.deep.equal(keys);
        cluster.destroy();
      });
    }
  });

  describeWith('python3-redis', 'redis-py RedisCluster', () => {
    it('writes, reads, scans and counts', async () => {
      const script = `
from redis.cluster import RedisCluster
for replicas in (False, True):
    r = RedisCluster(host='127.0.0.1', port=${seed().port}, read_from_replicas=replicas)
    assert all(r.set('p:%d' % n, n) for n in range(300))
    assert all(r.get('p:%d' % n) == b'%d' % n for n in range(300))
    assert len(r.get_primaries()) == 3
    assert sorted(r.scan_iter('p:*', count=20)) == sorted(b'p:%d' % n for n in range(300))
    assert sorted(r.keys('p:*', target_nodes=r.PRIMARIES)) == sorted(b'p:%d' % n for n in range(300))
    assert r.mget_nonatomic('p:1', 'p:2', 'none') == [b'1', b'2', None]
    assert r.delete('p:1', 'p:2') == 2
    assert r.cluster_info(target_nodes=r.get_random_node())['cluster_state'] == 'ok'
`;
      const exit = await run('/usr/bin/python3', ['-W', 'ignore', '-'], script);
      expect(exit).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    });
  });

  describeWith('redis-cli', 'redis-cli', () => {
    /** As in a terminal without them: redis-cli paints whatever its output is. */
    const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

    async function printed(...args: readonly string[]): Promise<string> {
      const exit: Exit = await run('redis-cli', args);
      expect(exit.code, exit.stdout + exit.stderr).to.equal(0);
      return exit.stdout.replaceAll(colours, '');
    }

    const address = () => `127.0.0.1:${seed().port}`;

    it('-c is never sent on', async () => {
      for (const { port } of ring().nodes) {
        for (const key of ['x', 'y', 'z']) {
          expect(await printed('-c', '-p', `${port}`, 'SET', key, key)).to.equal('OK\n');
        }
      }
      expect(await printed('-c', '-p', `${seed().port}`, 'GET', 'z')).to.equal('z\n');
    });

    it('--cluster check finds all slots covered, and all nodes of one mind', async () => {
      const text = await printed('--cluster', 'check', address());
      expect(text).to.include('[OK] All nodes agree about slots configuration.');
      expect(text).to.include('[OK] All 16384 slots covered.');
      expect(text).not.to.include('[ERR]').and.not.include('[WARNING]');
    });

    it('--cluster info counts the keys of all masters', async () => {
      await Promise.all(keysOf('c').map((key) => ring().node(1).client.set(key, key)));
      await until('the counts add up', async () =>
        (await printed('--cluster', 'info', address())).includes(
          `[OK] ${keysCount} keys in 3 masters.`,
        ),
      );
    });

    it('--cluster call asks every node', async () => {
      const text = await printed('--cluster', 'call', address(), 'PING');
      for (const { port } of ring().nodes) expect(text).to.include(`127.0.0.1:${port}: PONG`);
    });
  });

  describeWith('redis-benchmark', 'redis-benchmark --cluster', () => {
    it('runs without an error', async () => {
      const size = ['-n', '2000', '-c', '10', '-r', '1000', '-t', 'set,get,incr', '--csv'];
      const args = ['--cluster', '-p', `${seed().port}`, ...size];
      const { code, stdout, stderr } = await run('redis-benchmark', args);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).to.match(/"SET",.*\n"GET",.*\n"INCR",/);
      expect(stdout).not.to.match(/err/i);
    });
  });

  it('moves on from a node that is dead, and returns to it', async () => {
    const dead = ring().node(2);
    const mastersAt = async (at: number): Promise<Set<unknown>> => {
      const rows = await ring().node(at).client.cluster('SLOTS');
      return new Set(rows.map(([, , master]) => master?.[1]));
    };
    const keys = keysOf('d');
    await Promise.all(keys.map((key) => ring().node(0).client.set(key, key)));
    expect((await mastersAt(0)).size).to.equal(3);
    await dead.kill('SIGKILL');
    for (const at of [0, 1]) {
      const node = ring().node(at);
      await until(`${node.name} has moved on`, async () => (await mastersAt(at)).size === 2);
      expect(await node.client.cluster('INFO')).to.include('cluster_state:ok');
      expect(await node.client.cluster('NODES')).to.match(
        new RegExp(`:${dead.port}@\\d+ master,fail - 0 0 \\d+ disconnected\n`),
      );
    }
    const rest = await Promise.all([0, 1].map((at) => ring().node(at).client.keys('*')));
    expect(rest.flat().sort()).to.deep.equal(keys.sort());
    await ring().restart(2);
    for (const [at, node] of ring().nodes.entries()) {
      await until('it is a master again', async () => (await mastersAt(at)).size === 3);
      await until('it is asked again', async () => (await node.info('members_up')) === '3');
    }
  });
});

/** Of a cluster of one node that has all the slots; ids, ports and times are each one's own. */
const dialogue = `
CLUSTER SLOTS
CLUSTER SHARDS
CLUSTER NODES
CLUSTER MYID
CLUSTER KEYSLOT {user}.name
SET {1}a 1
SET {1}b 1
CLUSTER COUNTKEYSINSLOT 9842
CLUSTER COUNTKEYSINSLOT 0
CLUSTER COUNTKEYSINSLOT 16384
CLUSTER COUNTKEYSINSLOT x
@CLUSTER GETKEYSINSLOT 9842 10
CLUSTER GETKEYSINSLOT 9842 0
CLUSTER GETKEYSINSLOT 0 10
CLUSTER GETKEYSINSLOT 0 -1
CLUSTER GETKEYSINSLOT 16384 1
CLUSTER GETKEYSINSLOT 1 x
CLUSTER REPLICAS nobody
CLUSTER COUNT-FAILURE-REPORTS nobody
CLUSTER FORGET nobody
CLUSTER MEET 127.0.0.1 x
CLUSTER MEET 127.0.0.1 0
CLUSTER MEET 127.0.0.1 7000 x
CLUSTER MEET 127.0.0.1 7000 70000
CLUSTER MEET 127.0.0.1
CLUSTER SAVECONFIG
CLUSTER
CLUSTER NOTHING
READONLY
READWRITE
ASKING
SELECT 0
SELECT 1
SELECT -1
SELECT x
MOVE {1}a 1
COPY {1}a {1}c DB 1
COPY {1}a {1}c DB 99
COPY {1}a {1}c DB 0
DBSIZE
INFO keyspace
`;

describeWith('redis-server', 'a node alone as a Redis Cluster, beside redis-server', () => {
  const announcedPort = 7123;
  let redis: RealRedis;
  let server: ServerProcess;
  before(async () => {
    const cluster = ['--cluster-enabled', 'yes'];
    redis = await RealRedis.start(...cluster, '--cluster-announce-ip', '127.0.0.1');
    server = await ServerProcess.start(...cluster, '--announce-port', String(announcedPort));
    await transcribe(redis.port, 2, 'CLUSTER ADDSLOTSRANGE 0 16383');
    await until('the cluster is ready', async () =>
      (await transcribe(redis.port, 2, 'CLUSTER INFO')).join().includes('cluster_state:ok'),
    );
  });
  after(async () => {
    await redis?.remove();
    await server?.remove();
  });
  beforeEach(async () => {
    for (const { port } of [redis, server]) await transcribe(port, 2, 'FLUSHALL');
  });

  const alike = (entries: readonly string[], port: number): string[] =>
    entries.map((entry) =>
      entry
        .replace(/(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])/g, 'ID')
        .replace(/@\d+/, '@BUS')
        .replaceAll(String(port), 'PORT')
        .replace(/\$\d+\\r\\nID (\S+) (\S+) - \d+ \d+ \d+/, 'NODE $1 $2')
        .replace(/=\d+\\r\\ntxt:ID (\S+) (\S+) - \d+ \d+ \d+/, 'NODE $1 $2'),
    );

  for (const protocol of [2, 3] satisfies Protocol[]) {
    it(`answers the same bytes in RESP${protocol}`, async () => {
      const theirs = alike(await transcribe(redis.port, protocol, dialogue), redis.port);
      const ours = alike(await transcribe(server.port, protocol, dialogue), announcedPort);
      expect(ours).to.deep.equal(theirs);
    });
  }

  it('has the fields of CLUSTER INFO that do not count messages', async () => {
    const fieldsOf = async (port: number): Promise<string[]> => {
      const text = (await transcribe(port, 2, 'CLUSTER INFO')).join();
      const lines = text.match(/(?:cluster|total)_\w+:\w+/g) ?? [];
      return lines.filter((line) => !/messages|epoch/.test(line));
    };
    expect(await fieldsOf(server.port)).to.deep.equal(await fieldsOf(redis.port));
  });
});
