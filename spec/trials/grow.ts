/**
 * A founder with data lets four nodes in, one after another, and one of them leaves, while clients
 * go on: no error, nothing lost, every increment counted once, and in the end each node holds what
 * it owns and nothing else.
 */
import { RingProcess, type RingStatus, until } from '../support/ring-process.ts';
import { contentOf, errorsOf, SteadyLoad, slowest } from '../support/steady-load.ts';
import { lostOf } from './lost.ts';
import { type Report, sleep, type Trial, times } from './trial.ts';

const keysCount = 20_000;
const nodesMost = 5;
const replicas = 3;
const connections = 5;
const everyMs = 20;
const changeTimeoutMs = 300_000;
const droppedTimeoutMs = 60_000;
const calmMs = 3000;
/** A node's share of the keys is not exactly that of the partitions. */
const shareSlack = 0.1;

export const grow: Trial = {
  name: 'grow',
  summary: `a founder of ${keysCount} keys is joined by four, then one leaves, under light load`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: 1 });
    const founder = ring.node(0);
    const keys = Array.from({ length: keysCount }, (_, index) => `old:${index}`);
    await times(keysCount, 50, async (index) => {
      const key = keys[index] ?? '';
      await founder.client.set(key, contentOf(key));
    });
    const commands = ['SET', 'GET', 'INCR'] as const;
    const load = new SteadyLoad(ring.nodes, { connections, everyMs, commands }).start();
    await sleep(calmMs);
    for (let count = 2; count <= nodesMost; count += 1) {
      await timed(report, load, `node ${count} joins`, async () => {
        await ring.add();
        return ring.settled(changeTimeoutMs);
      });
      await sleep(calmMs);
    }
    const leaver = ring.node(2);
    await timed(report, load, `${leaver.name} leaves`, async () => {
      await founder.client.call('DYN.RING', 'LEAVE', leaver.name);
      await until('it has left', () => hasLeft(ring, leaver.name), changeTimeoutMs);
      return founder.status();
    });
    await ring.drop(leaver);
    await ring.settled();
    await sleep(calmMs);
    await load.stop();
    report.none(`no error in ${load.samples.length} operations`, errorsOf(load.samples));
    report.none('no answer is wrong', load.wrong);
    await ring.hintsDelivered();
    await checkData(report, ring, [...keys, ...load.acknowledged], load);
    await ring.remove();
  },
};

async function hasLeft(ring: RingProcess, name: string): Promise<boolean> {
  const rest = ring.nodes.filter((node) => node.name !== name);
  const all = await Promise.all(rest.map((node) => node.status()));
  return all.every(
    ({ transition, members }) => transition === 0 && !members.some((one) => one.name === name),
  );
}

async function timed(
  report: Report,
  load: SteadyLoad,
  what: string,
  change: () => Promise<RingStatus>,
): Promise<void> {
  const fromMs = load.nowMs;
  const { version, members } = await change();
  const samples = load.samples.filter(({ atMs, ms }) => atMs + ms >= fromMs);
  const owned = members.map(({ name, partitions, first }) => `${name} ${partitions}/${first}`);
  report.note(
    `${what}: layout ${version} at rest after ${((load.nowMs - fromMs) / 1000).toFixed(1)} s; ` +
      `${samples.length} operations, slowest ${slowest(samples).toFixed(0)} ms, ` +
      `errors: ${errorsOf(samples).join() || 0}; partitions/first: ${owned.join(', ')}`,
  );
}

async function checkData(
  report: Report,
  ring: RingProcess,
  keys: readonly string[],
  load: SteadyLoad,
): Promise<void> {
  report.none(`none of ${keys.length} acknowledged writes is lost`, await lostOf(ring, keys));
  const { client } = ring.node(0);
  const odd: string[] = [];
  for (const { key, least, most } of load.counters) {
    const found = Number(await client.get(key));
    if (found < least || found > most) odd.push(`${key} is ${found}, not ${least}..${most}`);
  }
  report.none('each counter has every increment that was acknowledged', odd);
  const total = keys.length + load.counters.length;
  const counts = await Promise.all(ring.nodes.map((node) => node.client.dbsize()));
  report.check(
    counts.every((count) => count === total),
    `DBSIZE is ${total} at every node`,
    counts.join(', '),
  );
  const beganMs = performance.now();
  const isDropped = async () =>
    (await recordsOf(ring)).reduce((a, b) => a + b) === replicas * total;
  await until('what moved away is dropped', isDropped, droppedTimeoutMs).catch(() => {});
  const records = await recordsOf(ring);
  const sum = records.reduce((a, b) => a + b);
  report.check(
    sum === replicas * total,
    `the nodes together hold ${replicas} of each record`,
    `${records.join(' + ')} = ${sum} of ${replicas * total}, seen after ` +
      `${((performance.now() - beganMs) / 1000).toFixed(1)} s`,
  );
  const { members } = await ring.settled();
  const owned = members.reduce((all, { partitions }) => all + partitions, 0);
  const uneven = ring.nodes.flatMap(({ name }, at) => {
    const share = (members.find((one) => one.name === name)?.partitions ?? 0) / owned;
    const found = (records[at] ?? 0) / sum;
    return Math.abs(found / share - 1) <= shareSlack ? [] : [`${name} ${found}, not ${share}`];
  });
  report.none('each holds the share that it owns', uneven);
}

async function recordsOf({ nodes }: RingProcess): Promise<number[]> {
  return Promise.all(nodes.map(async (node) => Number(await node.info('records'))));
}
