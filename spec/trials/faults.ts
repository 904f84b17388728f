/**
 * A steady load over five nodes while one of them is killed, comes back, and another is paused for
 * thirty seconds: what the clients of the other nodes notice, second by second, and what the node
 * holds afterwards of the writes that it missed.
 */
import { type RingNode, RingProcess, until } from '../support/ring-process.ts';
import {
  contentOf,
  errorsOf,
  type LoadCommand,
  type Sample,
  SteadyLoad,
  slowest,
} from '../support/steady-load.ts';
import { type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const connections = 20;
/** 20 connections, 50 commands a second each. */
const everyMs = 20;
const calmMs = 10_000;
const killedMs = 10_000;
const pausedMs = 30_000;
const killSlowestMs = 600;
const pauseSlowestMs = 1000;
const hintsTimeoutMs = 10_000;
/** Half reads, a third plain writes, and some of each that is never repeated. */
const commands: readonly LoadCommand[] = [
  ...(['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'SET', 'SET', 'SET', 'SET'] as const),
  ...(['INCR', 'DEL', 'DYN.PUT'] as const),
];

export const faults: Trial = {
  name: 'faults',
  summary: `${connections} connections, kill -9 of one node, SIGSTOP of another for 30 s`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    const load = new SteadyLoad(ring.nodes, { connections, everyMs, commands }).start();
    await sleep(calmMs);
    await killed(report, ring, load);
    await sleep(calmMs);
    await paused(report, ring, load);
    await sleep(calmMs / 2);
    await load.stop();
    seconds(report, load);
    report.none('no answer is wrong', load.wrong);
    await checkCounters(report, ring, load);
    await ring.remove();
  },
};

async function killed(report: Report, ring: RingProcess, load: SteadyLoad): Promise<void> {
  const node = ring.node(2);
  const fromMs = load.nowMs;
  await node.kill('SIGKILL');
  await sleep(killedMs);
  const written = load.acknowledged;
  await ring.restart(2);
  await ring.hintsDelivered(hintsTimeoutMs);
  report.check(true, `hints_pending is 0 within ${hintsTimeoutMs / 1000} s of the restart`);
  await checkHeld(report, node, load, written);
  judge(report, 'kill -9', samplesOf(load, 2, fromMs, fromMs + killedMs), killSlowestMs);
}

async function paused(report: Report, ring: RingProcess, load: SteadyLoad): Promise<void> {
  const node = ring.node(3);
  const fromMs = load.nowMs;
  await node.kill('SIGSTOP');
  await sleep(pausedMs);
  const written = load.acknowledged;
  await node.kill('SIGCONT');
  await ring.hintsDelivered(hintsTimeoutMs);
  report.check(true, `hints_pending is 0 within ${hintsTimeoutMs / 1000} s of SIGCONT`);
  await checkHeld(report, node, load, written);
  judge(report, 'SIGSTOP', samplesOf(load, 3, fromMs, fromMs + pausedMs), pauseSlowestMs);
  const before = samplesOf(load, 3, fromMs - calmMs / 2, fromMs);
  const after = samplesOf(load, 3, fromMs + 1000, fromMs + pausedMs);
  const [calm, late] = [percentile(before, 0.99), percentile(after, 0.99)];
  report.check(
    late < 2 * calm + 20,
    'after the first second as before',
    `p99 ${late.toFixed(1)} ms, before ${calm.toFixed(1)} ms, slowest ${slowest(after).toFixed(0)}`,
  );
}

/** Of the clients of the other nodes. */
function samplesOf(load: SteadyLoad, without: number, fromMs: number, toMs: number): Sample[] {
  return load.samples.filter(
    ({ node, atMs }) => node !== without && atMs >= fromMs - 1000 && atMs < toMs,
  );
}

function judge(report: Report, fault: string, samples: readonly Sample[], slowestMs: number): void {
  const plain = samples.filter(({ command }) => command === 'GET' || command === 'SET');
  const others = samples.filter(({ command }) => command !== 'GET' && command !== 'SET');
  report.none(`${fault}: no error for GET and SET through the other nodes`, errorsOf(plain));
  const harder = others.filter(({ error }) => error !== 'UNCERTAIN');
  report.none(`${fault}: at most UNCERTAIN for the rest`, errorsOf(harder));
  for (const text of errorsOf(others)) report.note(text);
  const worst = slowest(samples);
  report.check(worst <= slowestMs, `${fault}: none slower than ${slowestMs} ms`, worst.toFixed(0));
}

/** Every write it missed: asked of the node alone, where it is an owner. */
async function checkHeld(
  report: Report,
  node: RingNode,
  load: SteadyLoad,
  keys: readonly string[],
): Promise<void> {
  const lacking = async (): Promise<string[]> => {
    const found = await Promise.all(keys.map((key) => node.local(key)));
    const notDeleted = new Set(load.acknowledged);
    return keys.filter((key, at) => {
      const held = found[at];
      return held !== undefined && held[0] !== contentOf(key) && notDeleted.has(key);
    });
  };
  const isWhole = async () => (await lacking()).length === 0;
  await until(`${node.name} holds all`, isWhole, hintsTimeoutMs).catch(() => {});
  report.none(`${node.name} holds every write of ${keys.length} that it owns`, await lacking());
}

async function checkCounters(report: Report, ring: RingProcess, load: SteadyLoad): Promise<void> {
  const odd: string[] = [];
  for (const { key, least, most } of load.counters) {
    const found = Number(await ring.node(0).client.get(key));
    if (found < least || found > most) odd.push(`${key} is ${found}, not ${least}..${most}`);
  }
  report.none('each counter has every increment that was acknowledged', odd);
}

function percentile(samples: readonly Sample[], part: number): number {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * part)] ?? 0;
}

function seconds(report: Report, { samples }: SteadyLoad): void {
  const bySecond = new Map<number, Sample[]>();
  for (const sample of samples) {
    const second = Math.floor(sample.atMs / 1000);
    const row = bySecond.get(second);
    if (row === undefined) bySecond.set(second, [sample]);
    else row.push(sample);
  }
  report.note('second  requests  p99 ms  slowest ms  errors (clients of the node itself included)');
  for (const [second, row] of [...bySecond].sort(([a], [b]) => a - b)) {
    const numbers = [row.length, percentile(row, 0.99).toFixed(1), slowest(row).toFixed(0)];
    const [count, p99, worst] = numbers.map(String);
    report.note(
      `${String(second).padStart(6)}${count?.padStart(10)}${p99?.padStart(8)}` +
        `${worst?.padStart(12)}  ${errorsOf(row).join(', ')}`,
    );
  }
}
