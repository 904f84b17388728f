/**
 * The directives as data: what each is called, what values it takes, its default, whether CONFIG
 * SET may change it, and what it is for. `conf/redynamo.conf` and the README are checked against
 * it.
 */
import { parseInteger, parseSize } from './base/units.ts';

type Parse = (words: readonly string[]) => string | undefined;

export interface Directive {
  readonly name: string;
  readonly default: string;
  /** Canonical text of a legal value, else undefined. */
  readonly parse: Parse;
  /** What a legal value is, or what is wrong with these words: for error messages. */
  readonly expects: string | ((words: readonly string[]) => string);
  readonly mutable?: true;
  /** Several lines add up: the words of each with the same first word replace one another. */
  readonly keyed?: true;
  readonly summary: string;
}

const one =
  (read: (word: string) => string | undefined): Parse =>
  (words) =>
    words.length === 1 ? read(words[0] ?? '') : undefined;

function integer(low: number, high: number): Pick<Directive, 'parse' | 'expects'> {
  return {
    parse: one((word) => {
      const value = parseInteger(word);
      return value !== undefined && value >= low && value <= high ? String(value) : undefined;
    }),
    expects: `argument must be between ${low} and ${high} inclusive`,
  };
}

function size(low: number, high: number): Pick<Directive, 'parse' | 'expects'> {
  return {
    parse: one((word) => {
      const bytes = parseSize(word);
      return bytes !== undefined && bytes >= low && bytes <= high ? String(bytes) : undefined;
    }),
    expects: `argument must be a memory value between ${low} and ${high} inclusive`,
  };
}

function choice(...options: readonly string[]): Pick<Directive, 'parse' | 'expects'> {
  return {
    parse: one((word) => options.find((option) => option === word.toLowerCase())),
    expects:
      options.length === 2 && options[0] === 'yes'
        ? "argument must be 'yes' or 'no'"
        : `argument(s) must be one of the following: ${options.join(', ')}`,
  };
}

const yesNo = choice('yes', 'no');
const word = { parse: one((text) => text), expects: 'argument must be one word' };
const words = {
  parse: (list: readonly string[]) => list.join(' '),
  expects: 'arguments are words',
};
const list = {
  parse: (items: readonly string[]) =>
    items
      .join(',')
      .split(/[,\s]+/)
      .filter((item) => item !== '')
      .join(','),
  expects: 'arguments are host:port, separated by commas',
};

/** `3 2 2`: N, R, W with R and W within 1..N. */
const quorum = {
  parse: (items: readonly string[]) => {
    const [n = 0, r = 0, w = 0] = items.map((item) => parseInteger(item) ?? 0);
    const legal = items.length === 3 && n <= 15 && r >= 1 && w >= 1 && r <= n && w <= n;
    return legal ? `${n} ${r} ${w}` : undefined;
  },
  expects: 'arguments are N R W with R and W between 1 and N, N at most 15',
};

const quorumDb = {
  parse: (items: readonly string[]) => {
    const numbers = items.map((item) => parseInteger(item) ?? -1);
    if (items.length === 0) return '';
    const [db = -1, r = 0, w = 0] = numbers;
    return numbers.length === 3 && db >= 0 && r >= 1 && w >= 1 ? `${db} ${r} ${w}` : undefined;
  },
  expects: 'arguments are DB R W',
};

const partitions = {
  parse: one((text) => {
    const value = parseInteger(text) ?? 0;
    return value >= 1 && value <= 16384 && Number.isInteger(Math.log2(value)) ? text : undefined;
  }),
  expects: 'argument must be a power of two up to 16384',
};

/**
 * `normal 1gb 64mb 60`, and more of them: class, hard limit, soft limit, seconds over the soft one.
 */
const outputLimit = {
  parse: (items: readonly string[]) => {
    if (outputLimitFault(items) !== undefined) return undefined;
    return items.map((item, at) => (at % 4 === 0 ? clientClass(item) : parseSize(item))).join(' ');
  },
  expects: (items: readonly string[]) => outputLimitFault(items) ?? '',
};

/** What is wrong, as Redis says it. */
function outputLimitFault(items: readonly string[]): string | undefined {
  if (items.length === 0 || items.length % 4 !== 0) {
    return 'Wrong number of arguments in buffer limit configuration.';
  }
  for (let at = 0; at < items.length; at += 4) {
    const [name = '', hard = '', soft = '', seconds = ''] = items.slice(at, at + 4);
    if (clientClass(name) === undefined) {
      return 'Invalid client class specified in buffer limit configuration.';
    }
    const numbers = [parseSize(hard), parseSize(soft), parseInteger(seconds)];
    if (numbers.some((value) => value === undefined || value < 0)) {
      return 'Error in hard, soft or soft_seconds setting in buffer limit configuration.';
    }
  }
  return undefined;
}

const clientClasses: ReadonlyMap<string, string> = new Map([
  ['normal', 'normal'],
  ['slave', 'slave'],
  ['replica', 'slave'],
  ['pubsub', 'pubsub'],
]);

function clientClass(name: string): string | undefined {
  return clientClasses.get(name.toLowerCase());
}

export const directives: readonly Directive[] = [
  {
    name: 'bind',
    default: '* -::*',
    ...words,
    summary: 'Addresses to listen on for clients; a leading - tolerates one that is not there.',
  },
  {
    name: 'port',
    default: '6379',
    ...integer(0, 65535),
    summary: 'Port for clients; 0 takes any free one.',
  },
  {
    name: 'protected-mode',
    default: 'yes',
    ...yesNo,
    mutable: true,
    summary: 'Without requirepass, refuse clients that are not on this machine.',
  },
  {
    name: 'requirepass',
    default: '',
    ...word,
    mutable: true,
    summary: 'Password of the default user; empty means none.',
  },
  {
    name: 'maxclients',
    default: '10000',
    ...integer(1, 2 ** 31 - 1),
    mutable: true,
    summary: 'Clients connected at the same time.',
  },
  {
    name: 'timeout',
    default: '0',
    ...integer(0, 2 ** 31 - 1),
    mutable: true,
    summary: 'Close a client that is idle for so many seconds; 0 never.',
  },
  {
    name: 'tcp-keepalive',
    default: '300',
    ...integer(0, 2 ** 31 - 1),
    mutable: true,
    summary: 'Seconds between keep-alive probes of the kernel; 0 none.',
  },
  {
    name: 'dir',
    default: './data',
    ...word,
    summary: 'The data directory; made if it is not there. One process at a time.',
  },
  {
    name: 'loglevel',
    default: 'notice',
    ...choice('debug', 'verbose', 'notice', 'warning'),
    mutable: true,
    summary: 'How much to log.',
  },
  { name: 'logfile', default: '', ...word, summary: 'File for the log; empty: standard output.' },
  {
    name: 'databases',
    default: '16',
    ...integer(1, 256),
    summary: 'Databases that SELECT knows; fixed when the ring is founded.',
  },
  {
    name: 'appendfsync',
    default: 'everysec',
    ...choice('always', 'everysec', 'no'),
    mutable: true,
    summary:
      'When a write is on the disk: before its answer, within a second, or when the system likes.',
  },
  {
    name: 'proto-max-bulk-len',
    default: '536870912',
    ...size(1024 * 1024, 2 ** 31 - 1),
    mutable: true,
    summary: 'Longest single argument and longest value.',
  },
  {
    name: 'client-query-buffer-limit',
    default: '1073741824',
    ...size(1024 * 1024, 2 ** 40),
    mutable: true,
    summary: 'Close a client whose unparsed input grows beyond this.',
  },
  {
    name: 'client-output-buffer-limit',
    default: 'normal 1073741824 67108864 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    ...outputLimit,
    keyed: true,
    mutable: true,
    summary:
      'Close a client that does not take its replies: class, hard limit, soft limit, ' +
      'seconds over the soft one. Redis has no limit for normal clients; here it is finite, ' +
      'and above the longest value.',
  },
  {
    name: 'cluster-enabled',
    default: 'no',
    ...yesNo,
    summary: 'Show the node as a Redis Cluster, so that cluster clients find the first owners.',
  },
  {
    name: 'enable-debug-command',
    default: 'no',
    ...choice('yes', 'no', 'local'),
    summary: 'Allow DEBUG SLEEP: yes, no, or local connections only.',
  },

  {
    name: 'node-name',
    default: '',
    ...word,
    summary: 'Name of the node in DYN.RING; default: the first 8 digits of its id.',
  },
  {
    name: 'cluster-name',
    default: 'redynamo',
    ...word,
    summary: 'Nodes of different cluster names refuse each other; fixed when the ring is founded.',
  },
  {
    name: 'peer-port',
    default: '0',
    ...integer(0, 65535),
    summary: 'Port for other nodes; 0 means port + 10000.',
  },
  {
    name: 'peer-bind',
    default: '',
    ...words,
    summary: 'Addresses to listen on for other nodes; default: as bind.',
  },
  {
    name: 'announce-host',
    default: '',
    ...word,
    summary: 'Host under which others reach this node; default: the first bound address.',
  },
  {
    name: 'announce-port',
    default: '0',
    ...integer(0, 65535),
    summary: 'Client port that others are told; 0 means port.',
  },
  {
    name: 'peer-secret',
    default: '',
    ...word,
    summary: 'Secret that proves a peer; without one only peers on this machine are taken.',
  },
  {
    name: 'seeds',
    default: '',
    ...list,
    summary:
      'host:peerport of members of a ring to join, or of all nodes that are to found one; empty: ' +
      'a ring of its own.',
  },
  {
    name: 'bootstrap',
    default: 'no',
    ...yesNo,
    summary: 'Found the ring together with the seeds.',
  },
  {
    name: 'replace-node',
    default: '',
    ...word,
    summary: 'Name of a dead member whose place this empty node takes.',
  },
  {
    name: 'zone',
    default: '',
    ...word,
    summary: 'Failure zone of the node; replicas are spread over zones.',
  },
  {
    name: 'weight',
    default: '1',
    ...integer(1, 1000),
    summary: 'Share of the ring relative to other nodes.',
  },
  {
    name: 'partitions',
    default: '1024',
    ...partitions,
    summary: 'Partitions of the ring (Q); fixed when the ring is founded.',
  },
  {
    name: 'quorum',
    default: '3 2 2',
    ...quorum,
    summary:
      'N replicas, R answers to a read, W durable copies of a write; N is fixed when the ring ' +
      'is founded and capped by the members.',
  },
  {
    name: 'quorum-db',
    default: '',
    ...quorumDb,
    keyed: true,
    summary: 'DB R W: other defaults for one database.',
  },
  {
    name: 'quorum-strict',
    default: 'no',
    ...yesNo,
    mutable: true,
    summary: 'Yes: only owners count; no: sloppy quorum with hints.',
  },
  {
    name: 'request-timeout-ms',
    default: '500',
    ...integer(10, 60_000),
    mutable: true,
    summary: 'Deadline of one request among nodes.',
  },
  {
    name: 'hint-quota-bytes',
    default: '8589934592',
    ...size(0, 2 ** 50),
    mutable: true,
    summary: 'Room for hints; at the quota no new ones are taken.',
  },
  {
    name: 'sibling-limit',
    default: '100',
    ...integer(1, 10_000),
    mutable: true,
    summary: 'Concurrent versions of one key; a DYN.PUT beyond is refused.',
  },
  {
    name: 'tombstone-grace-s',
    default: '86400',
    ...integer(0, 2 ** 31 - 1),
    mutable: true,
    summary: 'Seconds that an expired record is kept before it may be reaped.',
  },
  {
    name: 'cache-bytes',
    default: '268435456',
    ...size(1024 * 1024, 2 ** 40),
    summary: 'Memory for recently used records, the engine included.',
  },
];
