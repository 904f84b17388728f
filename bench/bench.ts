/**
 * One node against redis-server, by redis-benchmark, interleaved round by round: machines have moods,
 * so only ratios inside one round mean something, and of those the median (PERFORMANCE, README.md).
 *
 *   npm run bench -- [--seconds 3] [--rounds 3]
 *
 * `seconds` is what one measurement should take; the number of requests follows from a short probe.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isInstalled, RealRedis, ServerProcess } from '../spec/support/server-process.ts';

interface Case {
  readonly command: 'GET' | 'SET';
  readonly pipeline: number;
  readonly valueBytes: number;
}

interface Measurement {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly cpuMicrosPerRequest: number;
}

interface Target {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const cases: readonly Case[] = [1, 16].flatMap((pipeline) =>
  [100, 1024].flatMap((valueBytes) =>
    (['SET', 'GET'] as const).map((command) => ({ command, pipeline, valueBytes })),
  ),
);

const keysCount = 100_000;
const clientsCount = 50;
const probeRequests = 5_000;
/** Before anything is measured: code gets compiled, and most keys get a value. */
const warmUpRequests = 200_000;
/** The kernel's clock tick, in which /proc counts CPU time: 1/100 s on every Linux there is. */
const tickMicros = 10_000;
/** A run that takes so many times what it should, and these seconds, is stopped. */
const overrunMax = 10;
const graceSeconds = 60;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
if (!(seconds > 0) || !(rounds >= 1))
  throw new Error('--seconds and --rounds take numbers above 0');
if (!isInstalled('redis-benchmark')) throw new Error('redis-benchmark is not installed');

const redynamo = await ServerProcess.start();
const redis = isInstalled('redis-server') ? await RealRedis.start() : undefined;
try {
  const ours: Target = { name: 'redynamo', port: redynamo.port, pid: redynamo.pid };
  const theirs: Target | undefined = redis && { name: 'redis', port: redis.port, pid: redis.pid };
  await compare(ours, theirs);
} finally {
  await redynamo.remove();
  await redis?.remove();
}

async function compare(ours: Target, theirs: Target | undefined): Promise<void> {
  console.log(`${rounds} rounds of ${seconds} s, -c ${clientsCount} -r ${keysCount}`);
  if (theirs === undefined) console.log('redis-server is not installed: no ratios');
  console.log(row(['case', 'server', 'req/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU us/op']));
  for (const command of ['SET', 'GET'] as const) {
    for (const target of theirs === undefined ? [ours] : [ours, theirs]) {
      await benchmark(target, { command, pipeline: 16, valueBytes: 100 }, warmUpRequests);
    }
  }
  for (const item of cases) {
    const found: { ours: Measurement; theirs: Measurement | undefined }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const first = await measure(ours, item);
      found.push({ ours: first, theirs: theirs && (await measure(theirs, item)) });
    }
    print(
      item,
      ours.name,
      found.map((pair) => pair.ours),
    );
    const references = found.flatMap((pair) => pair.theirs ?? []);
    if (theirs === undefined) continue;
    print(item, theirs.name, references);
    printRatios(
      item,
      found.map((pair) => pair.ours),
      references,
    );
  }
}

/** One run of redis-benchmark, long enough to mean something. */
async function measure(target: Target, item: Case): Promise<Measurement> {
  const { requestsPerSecond } = await benchmark(target, item, probeRequests);
  const requests = Math.max(probeRequests, Math.round(requestsPerSecond * seconds));
  const cpuBefore = cpuMicros(target.pid);
  const measured = await benchmark(target, item, requests);
  const cpuMicrosPerRequest = (cpuMicros(target.pid) - cpuBefore) / requests;
  return { ...measured, cpuMicrosPerRequest };
}

async function benchmark(
  { port }: Target,
  { command, pipeline, valueBytes }: Case,
  requests: number,
): Promise<Omit<Measurement, 'cpuMicrosPerRequest'>> {
  const child = spawn(
    'timeout',
    [
      ...[
        String(Math.ceil(seconds * overrunMax) + graceSeconds),
        'redis-benchmark',
        '-p',
        String(port),
      ],
      ...['-t', command.toLowerCase(), '-n', String(requests), '-P', String(pipeline)],
      ...['-d', String(valueBytes), '-c', String(clientsCount), '-r', String(keysCount)],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`redis-benchmark ended with ${code}: ${text.slice(-500)}`);
  return parseReport(text);
}

/** The report for people has what `--csv` has not: the percentiles beyond 99. */
function parseReport(text: string): Omit<Measurement, 'cpuMicrosPerRequest'> {
  const throughput = /throughput summary: ([\d.]+) requests per second/.exec(text)?.[1];
  const percentiles = [...text.matchAll(/^([\d.]+)% <= ([\d.]+) milliseconds/gm)].map((match) => ({
    percent: Number(match[1]),
    ms: Number(match[2]),
  }));
  const at = (percent: number): number =>
    percentiles.find((line) => line.percent >= percent)?.ms ?? Number.NaN;
  return {
    requestsPerSecond: Number(throughput),
    p50Ms: at(50),
    p99Ms: at(99),
    p999Ms: at(99.9),
  };
}

/** User and system time of a process so far. */
function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMicros;
}

function print(item: Case, name: string, found: readonly Measurement[]): void {
  const middle = (read: (measurement: Measurement) => number): number => median(found.map(read));
  console.log(
    row([
      title(item),
      name,
      middle((m) => m.requestsPerSecond).toFixed(0),
      middle((m) => m.p50Ms).toFixed(2),
      middle((m) => m.p99Ms).toFixed(2),
      middle((m) => m.p999Ms).toFixed(2),
      middle((m) => m.cpuMicrosPerRequest).toFixed(2),
    ]),
  );
}

/** Ours over theirs: above 1 is good for throughput, below 1 for the rest. */
function printRatios(
  item: Case,
  ours: readonly Measurement[],
  theirs: readonly Measurement[],
): void {
  const ratio = (read: (measurement: Measurement) => number): string => {
    const ratios = ours.flatMap((mine, round) => {
      const reference = theirs[round];
      return reference === undefined ? [] : [read(mine) / read(reference)];
    });
    return `x ${median(ratios).toFixed(2)}`;
  };
  console.log(
    row([
      title(item),
      'ratio',
      ratio((m) => m.requestsPerSecond),
      ratio((m) => m.p50Ms),
      ratio((m) => m.p99Ms),
      ratio((m) => m.p999Ms),
      ratio((m) => m.cpuMicrosPerRequest),
    ]),
  );
}

function title({ command, pipeline, valueBytes }: Case): string {
  return `${command} P=${pipeline} ${valueBytes} B`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, at) => (at < 2 ? cell.padEnd(16) : cell.padStart(11))).join('');
}
