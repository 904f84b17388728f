/**
 * A network of its own for a ring: each node in a network namespace, joined by a bridge in one more,
 * from which the trial drives them. A cut moves the cables of some nodes to a second bridge: frames
 * between the sides vanish in silence, as when a switch fails, while the trial reaches all. Nothing
 * of it touches the network of the machine.
 */
import { spawnSync } from 'node:child_process';

const hub = 'redynamo-hub';
const hubAddress = '10.77.0.254';
const whole = 'br0';
const apart = 'br1';
/** One for both bridges, so that nodes which know the hub find it on either. */
const hubMac = '02:00:00:00:00:fe';

export function hostOf(index: number): string {
  return `10.77.0.${index + 1}`;
}

/** Runs a node inside its namespace. */
export function prefixOf(index: number): string[] {
  return ['ip', 'netns', 'exec', nameOf(index)];
}

/** Runs the trial itself inside the hub. */
export const hubPrefix: readonly string[] = ['ip', 'netns', 'exec', hub];

function nameOf(index: number): string {
  return `redynamo-${index + 1}`;
}

function ip(line: string): void {
  const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${line}: ${stderr}`);
}

/** Needs root. */
export function makeNamespaces(count: number): void {
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

export function removeNamespaces(count: number): void {
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
