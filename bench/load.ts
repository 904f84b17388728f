/**
 * The load: redis-benchmark, one process for each endpoint of a target, all at once, so that the
 * clients of a ring spread over its nodes. How many requests a measurement takes follows from a
 * short probe.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

export interface Case {
  readonly command: 'GET' | 'SET';
  readonly pipeline: number;
  readonly valueBytes: number;
}

export interface Measurement {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** NaN where the server is none of our processes. */
  readonly cpuMicrosPerRequest: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Target {
  readonly name: string;
  /** One generator each; one that is named twice gets two. */
  readonly endpoints: readonly Endpoint[];
  /** Processes whose CPU time counts. */
  readonly pids: readonly number[];
}

export const cases: readonly Case[] = [1, 16].flatMap((pipeline) =>
  [100, 1024].flatMap((valueBytes) =>
    (['SET', 'GET'] as const).map((command) => ({ command, pipeline, valueBytes })),
  ),
);

export const keysCount = 100_000;
export const clientsCount = 50;
const probeRequests = 5_000;
/** Before anything is measured: code gets compiled, and most keys get a value. */
const warmUpRequests = 200_000;
/** The kernel's clock tick, in which /proc counts CPU time: 1/100 s on every Linux there is. */
const tickMicros = 10_000;
/** A run that takes so many times what it should, and these seconds, is stopped. */
const overrunMax = 10;
const graceSeconds = 60;

type Report = Omit<Measurement, 'cpuMicrosPerRequest'>;

export class Load {
  readonly #seconds: number;

  /** `seconds` is what one measurement should take. */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  async warmUp(target: Target): Promise<void> {
    for (const command of ['SET', 'GET'] as const) {
      await this.#benchmark(target, { command, pipeline: 16, valueBytes: 100 }, warmUpRequests);
    }
  }

  async measure(target: Target, item: Case): Promise<Measurement> {
    const { requestsPerSecond } = await this.#benchmark(target, item, probeRequests);
    const requests = Math.max(probeRequests, Math.round(requestsPerSecond * this.#seconds));
    const cpuBefore = cpuMicros(target);
    const measured = await this.#benchmark(target, item, requests);
    return { ...measured, cpuMicrosPerRequest: (cpuMicros(target) - cpuBefore) / requests };
  }

  /** Throughputs add up; of latencies that of the slowest generator counts. */
  async #benchmark({ endpoints }: Target, item: Case, requests: number): Promise<Report> {
    const share = Math.ceil(requests / endpoints.length);
    const clients = Math.ceil(clientsCount / endpoints.length);
    const reports = await Promise.all(
      endpoints.map((endpoint) => this.#generate(endpoint, item, share, clients)),
    );
    const slowest = (read: (report: Report) => number) => Math.max(...reports.map(read));
    return {
      requestsPerSecond: reports.reduce((sum, report) => sum + report.requestsPerSecond, 0),
      p50Ms: slowest(({ p50Ms }) => p50Ms),
      p99Ms: slowest(({ p99Ms }) => p99Ms),
      p999Ms: slowest(({ p999Ms }) => p999Ms),
    };
  }

  async #generate(
    { host, port }: Endpoint,
    { command, pipeline, valueBytes }: Case,
    requests: number,
    clients: number,
  ): Promise<Report> {
    const timeoutSeconds = Math.ceil(this.#seconds * overrunMax) + graceSeconds;
    const child = spawn(
      'timeout',
      [
        ...[String(timeoutSeconds), 'redis-benchmark', '-h', host, '-p', String(port)],
        ...['-t', command.toLowerCase(), '-n', String(requests), '-P', String(pipeline)],
        ...['-d', String(valueBytes), '-c', String(clients), '-r', String(keysCount)],
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
}

/** The report for people has what `--csv` has not: the percentiles beyond 99. */
function parseReport(text: string): Report {
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

/** User and system time of the target's processes so far. */
function cpuMicros({ pids }: Target): number {
  if (pids.length === 0) return Number.NaN;
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * tickMicros;
  }, 0);
}
