/**
 * A network of its own for a ring: each node in a network namespace, joined by a bridge in one more,
 * from which the trial drives them. A cut moves the cables of some nodes to a second bridge: frames
 * between the sides vanish in silence, as when a switch fails, while the trial reaches all. Nothing
 * of it touches the network of the machine.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Report } from './trial.ts';

const hub = 'redynamo-hub';
const hubAddress = '10.77.0.254';
const whole = 'br0';
const apart = 'br1';
/** One for both bridges, so that nodes which know the hub find it on either. */
const hubMac = '02:00:00:00:00:fe';
/** Set for the process that the trial starts inside the hub. */
const insideFlag = 'REDYNAMO_TRIAL_INSIDE';

export function hostOf(index: number): string {
  return `10.77.0.${index + 1}`;
}

/** Runs a node inside its namespace. */
export function prefixOf(index: number): string[] {
  return ['ip', 'netns', 'exec', nameOf(index)];
}

/** A trial of so many nodes, run again as a process inside the hub. */
export async function inNamespaces(
  count: number,
  report: Report,
  trial: () => Promise<void>,
): Promise<void> {
  if (process.env[insideFlag] !== undefined) return trial();
  removeNamespaces(count);
  try {
    makeNamespaces(count);
    const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const env = { ...process.env, [insideFlag]: '1' };
    const child = spawn('ip', ['netns', 'exec', hub, ...own], { stdio: 'inherit', env });
    const [code] = await once(child, 'close');
    report.check(code === 0, 'the trial inside the namespaces keeps its rules');
  } finally {
    removeNamespaces(count);
  }
}

function nameOf(index: number): string {
  return `redynamo-${index + 1}`;
}

function ip(line: string): void {
  const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${line}: ${stderr}`);
}

/** Needs root. */
function makeNamespaces(count: number): void {
  ip(`netns add ${hub}`);
  ip(`-n ${hub} link set lo up`);
  for (const bridge of [whole, apart]) {
    ip(`-n ${hub} link add ${bridge} address ${hubMac} type bridge`);
    ip(`-n ${hub} link set ${bridge} up`);
  }
  ip(`-n ${hub} addr add ${hubAddress}/24 dev ${whole}`);
  for (let index = 0; index < count; index += 1) {
    const name = nameOf(index);
    ip(`netns add ${name}`);
    ip(`-n ${hub} link add ve${index} type veth peer name eth0 netns ${name}`);
    ip(`-n ${hub} link set ve${index} master ${whole} up`);
    ip(`-n ${name} addr add ${hostOf(index)}/24 dev eth0`);
    ip(`-n ${name} link set eth0 up`);
    ip(`-n ${name} link set lo up`);
  }
}

function removeNamespaces(count: number): void {
  for (let index = 0; index < count; index += 1) {
    spawnSync('ip', ['netns', 'del', nameOf(index)]);
  }
  spawnSync('ip', ['netns', 'del', hub]);
}

/** These nodes on one side, the others on the other. */
export function cut(nodes: readonly number[]): void {
  for (const index of nodes) {
    ip(`-n ${hub} link set ve${index} master ${apart}`);
    ip(`-n ${hub} route add ${hostOf(index)}/32 dev ${apart} src ${hubAddress}`);
  }
}

export function mend(nodes: readonly number[]): void {
  for (const index of nodes) {
    ip(`-n ${hub} route del ${hostOf(index)}/32 dev ${apart}`);
    ip(`-n ${hub} link set ve${index} master ${whole}`);
  }
}
