/**
 * Unmodified cluster clients with their defaults while the first owner of their keys dies. A client
 * asks the master of a slot, which is its first owner; every other node answers for it as well, so
 * ioredis, which asks any node when one is gone, should notice nothing. node-redis and redis-py
 * wait for a new slot map: their writes go on once the dead node's slots have moved in it.
 */
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { type RingNode, RingProcess, until } from '../support/ring-process.ts';
import { Child, isInstalled } from '../support/server-process.ts';
import { errorsOf, SteadyLoad, slowest } from '../support/steady-load.ts';
import { lostOf } from './lost.ts';
import { pick, type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const loops = 20;
const kills = 10;
const calmMs = 1000;
const downMs = 5000;
const rounds = 3;
const keysOfVictim = 50;
const movedMs = 6000;
/**
 * node-redis asks for the slot map at its first attempt to reconnect that is 5 s after the first of
 * them: 5.1 to 6.5 s after the death, by its back-off. Had it found the old one, it would be 10 s.
 */
const nodeRedisMovedMs = 7000;
const attemptEveryMs = 100;
const patienceMs = 30_000;
const directives = ['--cluster-enabled', 'yes', '--quorum', '3', '2', '2'];

export const clusterClients: Trial = {
  name: 'cluster-clients',
  summary: `ioredis, node-redis and redis-py cluster, kill -9 of the first owner of their keys`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount, directives });
    await ioredis(report, ring);
    await moving(report, ring, { name: 'node-redis', write: nodeRedis, limitMs: nodeRedisMovedMs });
    if (isInstalled('python3-redis')) {
      await moving(report, ring, { name: 'redis-py', write: redisPy, limitMs: movedMs });
    } else report.note('python3-redis is not installed: redis-py is left out');
    await ring.remove();
  },
};

async function ioredis(report: Report, ring: RingProcess): Promise<void> {
  const { host, port } = ring.node(0);
  const connect = (): Cluster => new Cluster([{ host, port }]);
  const load = new SteadyLoad([{ connect: single(connect()) }], {
    connections: loops,
    everyMs: 0,
    commands: ['SET', 'GET'],
  });
  load.start();
  for (let kill = 1; kill <= kills; kill += 1) {
    await sleep(calmMs);
    const [name] = await ownersOf(ring, pick(load.acknowledged));
    const fromMs = load.nowMs;
    const fate = await killedAndBack(ring, nodeOf(ring, name));
    const meanwhile = load.samples.filter(({ atMs, ms }) => atMs + ms >= fromMs);
    report.note(
      `ioredis, kill ${kill} of ${name}: ${fate}; ${meanwhile.length} operations, ` +
        `slowest ${slowest(meanwhile).toFixed(0)} ms, errors: ${errorsOf(meanwhile).join() || 0}`,
    );
  }
  await sleep(calmMs);
  await load.stop();
  const { samples, wrong, acknowledged } = load;
  report.none(
    `ioredis: no error in ${samples.length} operations, ${kills} kills`,
    errorsOf(samples),
  );
  report.note(`slowest ${slowest(samples).toFixed(0)} ms`);
  report.none('ioredis: no answer is wrong', wrong);
  const lost = await lostOf(ring, acknowledged);
  report.none(`ioredis: none of ${acknowledged.length} acknowledged writes is lost`, lost);
}

/** Dead until the others' slot map has moved on, or for so long; then a member again, hints empty. */
async function killedAndBack(ring: RingProcess, victim: RingNode): Promise<string> {
  const index = ring.nodes.indexOf(victim);
  const beganMs = performance.now();
  await victim.kill('SIGKILL');
  const other = ring.node((index + 1) % nodesCount);
  const hasMoved = async () => !(await mastersOf(other)).has(victim.port);
  const moved = await until('its slots have moved', hasMoved, downMs).then(
    () => `its slots moved after ${(performance.now() - beganMs).toFixed(0)} ms`,
    () => `its slots had not moved after ${downMs} ms`,
  );
  const againMs = performance.now();
  await ring.restart(index);
  await back(ring);
  return `${moved}, back ${(performance.now() - againMs).toFixed(0)} ms after its restart`;
}

async function back(ring: RingProcess): Promise<void> {
  for (const node of ring.nodes) {
    const isUp = async () => (await node.info('members_up')) === String(nodesCount);
    await until(`${node.name} hears all`, isUp);
  }
  await ring.settled();
  await ring.hintsDelivered();
}

interface Client {
  readonly name: string;
  readonly limitMs: number;
  /** Kills the first owner of all the keys; settles with the ms until each is written again. */
  write(victim: RingNode, seed: RingNode, keys: readonly string[]): Promise<number>;
}

/**
 * The node that the slot map names first is left out: redis-py 4.3 (Debian 12) can never again read
 * a map once that one is gone, of any Redis Cluster (`cannot pickle '_thread.lock'`; 8.1 can).
 */
async function moving(
  report: Report,
  ring: RingProcess,
  { name, limitMs, write }: Client,
): Promise<void> {
  const found: number[] = [];
  const seed = ring.node(0);
  const firstInMap = (await seed.client.cluster('SLOTS'))[0]?.[2]?.[1];
  const victims = ring.nodes.filter((node) => node !== seed && node.port !== firstInMap);
  for (let round = 0; round < rounds; round += 1) {
    const victim = victims[round % victims.length] ?? seed;
    const keys = await keysOf(ring, victim, `${name}:${round}`);
    found.push(await write(victim, seed, keys));
    await victim.kill('SIGKILL');
    await ring.restart(ring.nodes.indexOf(victim));
    await back(ring);
  }
  const shown = found.map((ms) => ms.toFixed(0)).join(', ');
  report.check(
    found.every((ms) => ms <= limitMs),
    `${name}: writes to the dead node's keys succeed again within ${limitMs} ms`,
    `after ${shown} ms`,
  );
}

/** Each key gets an attempt in a steady beat; the first that succeeds counts. */
async function nodeRedis(
  victim: RingNode,
  { host, port }: RingNode,
  keys: readonly string[],
): Promise<number> {
  const cluster = createCluster({ rootNodes: [{ url: `redis://${host}:${port}` }] });
  cluster.on('error', () => {});
  await cluster.connect();
  await Promise.all(keys.map((key) => cluster.set(key, 'before')));
  const beganMs = performance.now();
  await victim.kill('SIGKILL');
  const written = new Set<string>();
  while (written.size < keys.length && performance.now() - beganMs < patienceMs) {
    for (const key of keys) {
      if (written.has(key)) continue;
      cluster.set(key, 'after').then(
        () => written.add(key),
        () => {},
      );
    }
    await sleep(attemptEveryMs);
  }
  const ms = performance.now() - beganMs;
  cluster.destroy();
  return ms;
}

async function redisPy(
  victim: RingNode,
  { host, port }: RingNode,
  keys: readonly string[],
): Promise<number> {
  const script = `
import os, signal, time
from redis.cluster import RedisCluster
keys = '${keys.join(' ')}'.split()
r = RedisCluster(host='${host}', port=${port})
for key in keys: r.set(key, 'before')
os.kill(${victim.pid}, signal.SIGKILL)
began = time.monotonic()
while keys and time.monotonic() - began < ${patienceMs / 1000}:
    try:
        r.set(keys[-1], 'after')
        keys.pop()
    except Exception:
        time.sleep(${attemptEveryMs / 1000})
print(int((time.monotonic() - began) * 1000))
`;
  const { stdout, stderr } = await new Child('/usr/bin/python3', ['-W', 'ignore', '-'], script)
    .exited;
  if (!/^\d+\n$/.test(stdout)) throw new Error(`redis-py: ${stdout}${stderr}`);
  return Number(stdout);
}

async function keysOf(ring: RingProcess, victim: RingNode, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for (let count = 0; keys.length < keysOfVictim; count += 1) {
    const key = `${prefix}:${count}`;
    if ((await ownersOf(ring, key))[0] === victim.name) keys.push(key);
  }
  return keys;
}

async function ownersOf(ring: RingProcess, key: string): Promise<string[]> {
  return (await ring.node(0).client.call('DYN.RING', 'OWNERS', key)) as string[];
}

function nodeOf(ring: RingProcess, name: string | undefined): RingNode {
  const found = ring.nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`no node is called ${name}`);
  return found;
}

/** Ports of the nodes that the slot map has as masters. */
async function mastersOf({ client }: RingNode): Promise<Set<unknown>> {
  const rows = await client.cluster('SLOTS');
  return new Set(rows.map(([, , master]) => master?.[1]));
}

/** One client for all the loops. */
function single<T>(client: T): () => T {
  return () => client;
}
