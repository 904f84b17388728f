/**
 * Who coordinates, the client or the servers (Dynamo 6.4, Table 2): a cluster client, which goes
 * straight to the first owner of a key, against plain clients, as behind a load balancer: through a
 * node drawn for each command, or always through the same one. All speak to one ring at once, and
 * which of them sends the next command is drawn, so that the machine's moods fall on all alike.
 *
 * The load is moderate: each of the loops sends one command in a beat, GET or SET, so that it is
 * the way through the ring which counts and not a queue. The generator runs in one process with the
 * clients, whose own work is in every figure alike.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { Cluster, Redis } from 'ioredis';
import { RingProcess } from '../spec/support/ring-process.ts';
import { median, printRow, shown } from './comparison.ts';

export interface ClientsOptions {
  readonly nodes: number;
  readonly seconds: number;
  readonly rounds: number;
}

/** What both kinds of client of ioredis have in common. */
interface Client {
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
}

interface Subject {
  readonly name: string;
  /** For one command. */
  client(): Client;
  close(): void;
}

interface Figures {
  readonly reads: RecordableHistogram;
  readonly writes: RecordableHistogram;
}

const loops = 20;
const everyMs = 20;
const keysCount = 10_000;
const value = 'x'.repeat(100);
const warmUpSeconds = 3;
const nanosPerMs = 1e6;
/** Of the directive `--request-timeout-ms`: one machine is slow, not broken. */
const patience = ['--request-timeout-ms', '10000'];

interface Column {
  readonly title: string;
  readMs(figures: Figures): number;
}

const columns: readonly Column[] = [
  { title: 'GET mean', readMs: ({ reads }) => reads.mean / nanosPerMs },
  { title: 'GET p99.9', readMs: ({ reads }) => reads.percentile(99.9) / nanosPerMs },
  { title: 'SET mean', readMs: ({ writes }) => writes.mean / nanosPerMs },
  { title: 'SET p99.9', readMs: ({ writes }) => writes.percentile(99.9) / nanosPerMs },
];

/** Prints each one's figures over all rounds, and the medians of the ratios within the rounds. */
export async function compareClients({ nodes, seconds, rounds }: ClientsOptions): Promise<void> {
  const directives = ['--cluster-enabled', 'yes', '--quorum', '3', '2', '2', ...patience];
  const ring = await RingProcess.start({ nodes, directives });
  const subjects = [clusterOf(ring), anyOf(ring), oneOf(ring)];
  try {
    await fill(ring);
    await measure(subjects, warmUpSeconds);
    const found: (readonly Figures[])[] = [];
    for (let round = 0; round < rounds; round += 1) found.push(await measure(subjects, seconds));
    print(subjects, found);
  } finally {
    for (const subject of subjects) subject.close();
    await ring.remove();
  }
}

function clusterOf({ nodes }: RingProcess): Subject {
  const cluster = new Cluster(nodes.map(({ host, port }) => ({ host, port })));
  return { name: 'cluster client', client: () => cluster, close: () => cluster.disconnect() };
}

function anyOf({ nodes }: RingProcess): Subject {
  const clients = nodes.map(({ host, port }) => new Redis({ host, port }));
  const [first] = clients;
  if (first === undefined) throw new Error('a ring has nodes');
  return {
    name: 'any node',
    client: () => clients[Math.floor(Math.random() * clients.length)] ?? first,
    close: () => {
      for (const client of clients) client.disconnect();
    },
  };
}

function oneOf(ring: RingProcess): Subject {
  const { host, port } = ring.node(0);
  const client = new Redis({ host, port });
  return { name: 'one node', client: () => client, close: () => client.disconnect() };
}

async function fill(ring: RingProcess): Promise<void> {
  const { client } = ring.node(0);
  for (let at = 0; at < keysCount; at += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => client.set(keyOf(at + index), value)),
    );
  }
}

function keyOf(index: number): string {
  return `bench:${index}`;
}

/** One round: the figures of each subject. */
async function measure(subjects: readonly Subject[], seconds: number): Promise<Figures[]> {
  const figures = subjects.map(() => ({ reads: createHistogram(), writes: createHistogram() }));
  const endMs = performance.now() + seconds * 1000;
  const loop = async (): Promise<void> => {
    await pause(Math.random() * everyMs);
    while (performance.now() < endMs) {
      const at = Math.floor(Math.random() * subjects.length);
      const [subject, own] = [subjects[at], figures[at]];
      if (subject === undefined || own === undefined) throw new Error('nobody was drawn');
      const tookMs = await once(subject.client(), own);
      await pause(everyMs - tookMs);
    }
  };
  await Promise.all(Array.from({ length: loops }, loop));
  return figures;
}

async function once(client: Client, { reads, writes }: Figures): Promise<number> {
  const key = keyOf(Math.floor(Math.random() * keysCount));
  const isRead = Math.random() < 0.5;
  const beganMs = performance.now();
  await (isRead ? client.get(key) : client.set(key, value));
  const ms = performance.now() - beganMs;
  (isRead ? reads : writes).record(Math.max(1, Math.round(ms * nanosPerMs)));
  return ms;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(subjects: readonly Subject[], rounds: readonly (readonly Figures[])[]): void {
  printRow(['client (ms)', 'commands', ...columns.map(({ title }) => title)]);
  for (const [at, { name }] of subjects.entries()) {
    const whole = added(rounds.flatMap((round) => round[at] ?? []));
    const count = whole.reads.count + whole.writes.count;
    printRow([name, String(count), ...columns.map(({ readMs }) => shown(readMs(whole), 2))]);
  }
  for (const [at, { name }] of subjects.entries()) {
    if (at === 0) continue;
    const ratios = columns.map(({ readMs }) => {
      const inRounds = rounds.flatMap(({ 0: first, [at]: other }) =>
        first === undefined || other === undefined ? [] : [readMs(other) / readMs(first)],
      );
      return shown(median(inRounds), 2, 'x ');
    });
    printRow([name, `over ${subjects[0]?.name}`, ...ratios]);
  }
}

function added(rounds: readonly Figures[]): Figures {
  const whole = { reads: createHistogram(), writes: createHistogram() };
  for (const { reads, writes } of rounds) {
    whole.reads.add(reads);
    whole.writes.add(writes);
  }
  return whole;
}
