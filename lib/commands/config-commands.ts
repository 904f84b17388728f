/**
 * CONFIG over the directives of this server, and over the names of Redis that clients ask for
 * though they mean nothing here: those are constants, in one table, and setting one to what it is
 * succeeds.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { MapReply, ok, type Reply } from '../protocol/reply.ts';
import type { Call, Command } from './command.ts';
import { globMatches } from './glob.ts';
import { helpSubcommand } from './help.ts';

/** Asked for by redis-benchmark, StackExchange.Redis, Sidekiq, Celery and others at their start. */
const constants: ReadonlyMap<string, string> = new Map([
  ['save', ''],
  ['appendonly', 'yes'],
  ['maxmemory', '0'],
  ['maxmemory-policy', 'noeviction'],
  ['maxmemory-samples', '5'],
  ['replica-read-only', 'no'],
  ['slave-read-only', 'no'],
  ['notify-keyspace-events', ''],
  ['lazyfree-lazy-user-del', 'yes'],
  ['lazyfree-lazy-user-flush', 'yes'],
  ['list-max-listpack-size', '-2'],
  ['list-max-ziplist-size', '-2'],
  ['hash-max-listpack-entries', '512'],
  ['hash-max-ziplist-entries', '512'],
  ['hash-max-listpack-value', '64'],
  ['hash-max-ziplist-value', '64'],
  ['set-max-intset-entries', '512'],
  ['zset-max-listpack-entries', '128'],
  ['zset-max-ziplist-entries', '128'],
  ['zset-max-listpack-value', '64'],
  ['zset-max-ziplist-value', '64'],
  ['cluster-require-full-coverage', 'no'],
  ['latency-monitor-threshold', '0'],
  ['slowlog-log-slower-than', '10000'],
  ['slowlog-max-len', '128'],
  ['lua-time-limit', '5000'],
  ['busy-reply-threshold', '5000'],
]);

function get({ ports }: Call, args: readonly Buffer[]): Reply {
  const patterns = args.slice(2);
  const named = [...ports.settings.all(), ...constants];
  return new MapReply(
    named.filter(([name]) => {
      const text = Buffer.from(name);
      return patterns.some((pattern) => globMatches(pattern, text, true));
    }),
  );
}

function set({ ports }: Call, args: readonly Buffer[]): Reply {
  if (args.length % 2 !== 0) throw new RedisError(syntaxError);
  const pairs: (readonly [string, string])[] = [];
  for (let at = 2; at < args.length; at += 2) {
    pairs.push([`${args[at]}`.toLowerCase(), `${args[at + 1]}`]);
  }
  const names = pairs.map(([name]) => name);
  for (const [at, [name, value]] of pairs.entries()) {
    if (names.indexOf(name) !== at) throw setFailure(name, 'duplicate parameter');
    const constant = constants.get(name);
    if (constant !== undefined && constant !== value) {
      throw setFailure(name, `it is always '${constant}' here`);
    }
  }
  ports.settings.set(pairs.filter(([name]) => !constants.has(name)));
  return ok;
}

function setFailure(name: string, reason: string): RedisError {
  return new RedisError(
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`,
  );
}

function resetStatistics({ ports, statistics, commands }: Call): Reply {
  statistics.reset();
  for (const { counters } of commands.all) counters.reset();
  const { traffic } = ports;
  traffic.connectionsReceived = 0;
  traffic.connectionsRejected = 0;
  traffic.bytesRead = 0;
  traffic.bytesWritten = 0;
  traffic.outputLimitDisconnections = 0;
  traffic.queryLimitDisconnections = 0;
  ports.resetStatistics();
  return ok;
}

function rewrite(): never {
  throw new RedisError(
    'ERR CONFIG REWRITE is not supported: change the configuration file by hand',
  );
}

const common = { flags: ['admin', 'noscript', 'loading', 'stale'], group: 'server' } as const;

const subcommands: readonly Command[] = [
  {
    ...common,
    name: 'get',
    arity: -3,
    since: '2.0.0',
    summary: 'Get the values of configuration parameters',
    syntax: 'parameter [parameter ...]',
    handler: get,
  },
  {
    ...common,
    name: 'set',
    arity: -4,
    since: '2.0.0',
    summary: 'Set configuration parameters to the given values',
    syntax: 'parameter value [parameter value ...]',
    handler: set,
  },
  {
    ...common,
    name: 'resetstat',
    arity: 2,
    since: '2.0.0',
    summary: 'Reset the stats returned by INFO',
    syntax: '',
    handler: resetStatistics,
  },
  {
    ...common,
    name: 'rewrite',
    arity: 2,
    since: '2.8.0',
    summary: 'Not supported: the configuration file is written by hand',
    syntax: '',
    handler: rewrite,
  },
  helpSubcommand('server', '5.0.0'),
];

export const configCommands: readonly Command[] = [
  {
    ...common,
    name: 'config',
    arity: -2,
    flags: [],
    since: '2.0.0',
    summary: 'A container for server configuration commands',
    syntax: '',
    subcommands,
  },
];
