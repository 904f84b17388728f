/**
 * From the arguments of `npm run cluster` to the command lines of its nodes, without touching the
 * world. What the cluster gives each node (name, ports, directory, seeds) may not be given to it;
 * every other directive goes to all nodes alike, checked here so that a mistake is one line and not
 * one a node.
 */
import { Config, ConfigError, parseCommandLine } from '../config.ts';

export interface NodePlan {
  readonly name: string;
  readonly port: number;
  readonly peerPort: number;
  /** Its data directory, below the one of the cluster. */
  readonly dir: string;
  /** The whole command line of redynamo. */
  readonly args: readonly string[];
}

export interface ClusterPlan {
  readonly dir: string;
  readonly nodes: readonly NodePlan[];
  /** host:peerport of all, as `seeds` takes them. */
  readonly seeds: string;
  /** For the one who asks the nodes whether they are ready; empty: none. */
  readonly password: string;
}

export const host = '127.0.0.1';

const firstPortDefault = 7001;
const peerPortOffset = 10_000;
/** More processes than anybody wants on one machine. */
const nodesMax = 50;

/** Given by the cluster to each node, or of no use in one: logs are merged from standard output. */
const own: ReadonlySet<string> = new Set([
  'announce-host',
  'announce-port',
  'bind',
  'bootstrap',
  'logfile',
  'node-name',
  'peer-bind',
  'peer-port',
  'replace-node',
  'seeds',
]);

export const usage = `
Usage: npm run cluster -- NODES [--port 7001] [--dir ./data] [--directive value ...]

A ring of NODES nodes on this machine: clients on ports 7001.., peers on 17001.., data in
./data/n1.. Any other directive of redynamo goes to every node. Ctrl-C stops all.
`;

/** undefined: the usage is asked for. Throws a ConfigError. */
export function planCluster(args: readonly string[]): ClusterPlan | undefined {
  const line = parseCommandLine(args);
  if (line.help) return undefined;
  const count = nodesCount(line.file);
  const settings = new Config();
  const shared: string[] = [];
  for (const [name, values] of line.given) {
    const directive = name.toLowerCase();
    if (own.has(directive)) throw new ConfigError(`the cluster sets '${directive}' itself`);
    const words = accepted(settings, directive, values);
    if (directive !== 'port' && directive !== 'dir') shared.push(`--${directive}`, ...words);
  }
  const firstPort = settings.isGiven('port') ? settings.number('port') : firstPortDefault;
  const lastPort = 65_535 - peerPortOffset - count + 1;
  if (firstPort < 1 || firstPort > lastPort) {
    throw new ConfigError(`--port must be between 1 and ${lastPort} for ${count} nodes`);
  }
  return plan(count, firstPort, settings, shared);
}

function plan(
  count: number,
  firstPort: number,
  settings: Config,
  shared: readonly string[],
): ClusterPlan {
  const dir = settings.text('dir');
  const ports = Array.from({ length: count }, (_, index) => firstPort + index);
  const seeds = ports.map((port) => `${host}:${port + peerPortOffset}`).join(',');
  const nodes = ports.map((port, index) => {
    const name = `n${index + 1}`;
    const peerPort = port + peerPortOffset;
    const nodeDir = `${dir}/${name}`;
    const joined = count === 1 ? [] : ['--seeds', seeds];
    const founder = count > 1 && index === 0 ? ['--bootstrap', 'yes'] : [];
    const args = [
      ...['--node-name', name, '--bind', host, '--dir', nodeDir],
      ...['--port', String(port), '--peer-port', String(peerPort)],
      ...joined,
      ...founder,
      ...shared,
    ];
    return { name, port, peerPort, dir: nodeDir, args };
  });
  return { dir, nodes, seeds, password: settings.text('requirepass') };
}

function nodesCount(text: string | undefined): number {
  if (text === undefined) throw new ConfigError('how many nodes? npm run cluster -- 3');
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= nodesMax) return count;
  throw new ConfigError(`the number of nodes must be between 1 and ${nodesMax}, got '${text}'`);
}

/** The words of a directive that takes them; `"2 1 1"` in quotes may stand for three. */
function accepted(settings: Config, directive: string, values: readonly string[]): string[] {
  const words = values.flatMap((value) => value.split(/\s+/).filter((word) => word !== ''));
  const ways = words.length === values.length ? [values] : [values, words];
  let refusal: unknown;
  for (const way of ways) {
    try {
      settings.give(directive, way);
      return [...way];
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/**
 * What makes a start on these directories senseless: members are fixed when a ring is founded.
 * `present` are the names of all nodes that the directory of the cluster holds.
 */
export function faultOfDirectories(
  { dir, nodes }: ClusterPlan,
  present: readonly string[],
): string | undefined {
  if (present.length === 0) return undefined;
  const planned = nodes.map(({ name }) => name);
  const known = planned.filter((name) => present.includes(name));
  if (known.length === planned.length && present.length === planned.length) return undefined;
  return (
    `${dir} holds ${present.join(', ')}, and the members of a ring are fixed when it is founded: ` +
    `start ${planned.length} nodes in another --dir`
  );
}
