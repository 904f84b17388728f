/**
 * Redynamo against others by redis-benchmark, or its clients against each other:
 *
 *   npm run bench                  one node against redis-server, where it is installed
 *   npm run bench -- --ring        a ring, R=W=2, against one node
 *   npm run bench -- --clients     a cluster client of a ring against plain ones
 *
 *   [--seconds 3]  what one measurement should take     [--rounds 3]  how often each is repeated
 *   [--nodes 3]    of the ring
 *   [--against host:port,...]      and against these RESP servers
 */
import { parseArgs } from 'node:util';
import { RingProcess } from '../spec/support/ring-process.ts';
import { isInstalled, RealRedis, ServerProcess } from '../spec/support/server-process.ts';
import { compareClients } from './clients.ts';
import { compare } from './comparison.ts';
import { clientsCount, type Endpoint, keysCount, Load, type Target } from './load.ts';

/** One machine under full load is slow, not broken; redis-benchmark ends at the first error. */
const patience = ['--request-timeout-ms', '10000'];
const host = '127.0.0.1';

const { values } = parseArgs({
  options: {
    ring: { type: 'boolean', default: false },
    clients: { type: 'boolean', default: false },
    nodes: { type: 'string', default: '3' },
    against: { type: 'string', default: '' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const seconds = Number(values.seconds ?? (values.clients ? 20 : 3));
const rounds = Number(values.rounds ?? (values.clients ? 5 : 3));
const nodes = Number(values.nodes);
if (!(seconds > 0) || !(rounds >= 1) || !(nodes >= 1)) {
  throw new Error('--seconds, --rounds and --nodes take numbers above 0');
}
/** A ring has a generator for each node, so in its comparison all others have as many. */
const generators = values.ring ? nodes : 1;
const strangers = values.against
  .split(',')
  .filter((text) => text !== '')
  .map(strangerAt);

await (values.clients ? compareClients({ nodes, seconds, rounds }) : compareServers());

async function compareServers(): Promise<void> {
  if (!isInstalled('redis-benchmark')) throw new Error('redis-benchmark is not installed');
  console.log(`${rounds} rounds of ${seconds} s, -c ${clientsCount} -r ${keysCount}`);
  const one = await ServerProcess.start();
  const ring = values.ring ? await RingProcess.start({ nodes, directives: patience }) : undefined;
  const redis = !values.ring && isInstalled('redis-server') ? await RealRedis.start() : undefined;
  try {
    const single = targetAt('one node', one);
    const [subject, ...others] =
      ring === undefined
        ? [single, ...(redis === undefined ? [] : [targetAt('redis', redis)])]
        : [targetOf(ring), single];
    await compare(new Load(seconds), rounds, subject, [...others, ...strangers]);
  } finally {
    await one.remove();
    await ring?.remove();
    await redis?.remove();
  }
}

function targetAt(name: string, { port, pid }: { port: number; pid: number }): Target {
  return { name, endpoints: repeated({ host, port }), pids: [pid] };
}

function targetOf({ nodes }: RingProcess): Target {
  return { name: `ring of ${nodes.length}`, endpoints: nodes, pids: nodes.map(({ pid }) => pid) };
}

/** `host:port`; whose process it is, and its CPU time, is not known. */
function strangerAt(text: string): Target {
  const [, name = '', port = ''] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (port === '') throw new Error(`--against takes host:port, got ${text}`);
  return { name: text, endpoints: repeated({ host: name, port: Number(port) }), pids: [] };
}

function repeated(endpoint: Endpoint): Endpoint[] {
  return Array.from({ length: generators }, () => endpoint);
}
