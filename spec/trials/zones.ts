/**
 * Three zones with two nodes each, weights 1 and 2, founded at once: each partition has a replica in
 * every zone, and each node its share within one partition.
 */
import { slotCount, slotOf } from '../../lib/ring/slots.ts';
import { RingProcess } from '../support/ring-process.ts';
import type { Report, Trial } from './trial.ts';

const zoneNames = ['a', 'b', 'c'];
const weights = [1, 2];
const nodesCount = zoneNames.length * weights.length;
const partitions = 1024;
const replicas = 3;

const zoneOf = (index: number): string => zoneNames[index % zoneNames.length] ?? '';
const weightOf = (index: number): number => weights[Math.floor(index / zoneNames.length)] ?? 1;

export const zones: Trial = {
  name: 'zones',
  summary: `${zoneNames.length} zones of two nodes, weights ${weights.join(' and ')}`,

  async run(report: Report) {
    const ring = await RingProcess.start({
      nodes: nodesCount,
      own: (index) => ['--zone', zoneOf(index), '--weight', String(weightOf(index))],
    });
    const { version, members } = await ring.settled();
    report.check(version === 1, 'founded at once', `layout ${version}`);
    const whole = members.reduce((sum, { weight }) => sum + weight, 0);
    const odd: string[] = [];
    for (const { name, zone, weight, partitions: owned, first } of members) {
      const share = (partitions * replicas * weight) / whole;
      const firstShare = (partitions * weight) / whole;
      report.note(
        `${name} zone ${zone} weight ${weight}: ${owned} partitions (${share.toFixed(1)}), ` +
          `first for ${first} (${firstShare.toFixed(1)})`,
      );
      if (Math.abs(owned - share) >= 1) odd.push(`${name} has ${owned}, not ${share.toFixed(1)}`);
      if (Math.abs(first - firstShare) >= 1) odd.push(`${name} is first for ${first}`);
    }
    report.none('each node has its share within one partition, of first places too', odd);

    const zoneAt = new Map(members.map(({ name, zone }) => [name, zone]));
    const narrow: string[] = [];
    for (const [partition, key] of keyOfEach()) {
      const owners = (await ring.node(0).client.call('DYN.RING', 'OWNERS', key)) as string[];
      const found = new Set(owners.map((name) => zoneAt.get(name)));
      if (owners.length !== replicas || found.size !== zoneNames.length) {
        narrow.push(`partition ${partition} lies in ${owners} in ${[...found]}`);
      }
    }
    report.none(`each of ${partitions} partitions has a replica in every zone`, narrow);
    await ring.remove();
  },
};

/** A key of each partition. */
function keyOfEach(): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (let count = 0; found.size < partitions; count += 1) {
    const key = `key:${count}`;
    found.set(Math.floor((slotOf(Buffer.from(key)) * partitions) / slotCount), key);
  }
  return found;
}
