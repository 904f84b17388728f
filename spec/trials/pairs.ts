/**
 * What one node has acknowledged, any other shows: with `quorum 3 2 2` a SET and, after its answer,
 * a GET through another node never sees an older value, though the clocks of the nodes disagree.
 * libfaketime moves each wall clock; monotonic clocks stay, or Node's timers would hang
 * (RELIABILITY E9).
 */
import { existsSync, readdirSync } from 'node:fs';
import { RingProcess } from '../support/ring-process.ts';
import { type Report, type Trial, times } from './trial.ts';

const nodesCount = 5;
const skewMs = 50;
const pairsCount = 100_000;
const connections = 20;
const keysOfEach = 4;

function fakeTime(index: number): string[] {
  const library = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find(existsSync);
  if (library === undefined) throw new Error('libfaketime is missing: apt-get install faketime');
  const offset = `+${((index * skewMs) / 1000).toFixed(3)}`;
  return ['env', `LD_PRELOAD=${library}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1', `FAKETIME=${offset}`];
}

export const pairs: Trial = {
  name: 'pairs',
  summary: `${pairsCount} times SET, then GET through another node, clocks ${skewMs} ms apart`,

  async run(report: Report) {
    const directives = ['--quorum', '3', '2', '2'];
    const ring = await RingProcess.start({ nodes: nodesCount, directives, prefix: fakeTime });
    const walls = await Promise.all(ring.nodes.map(({ client }) => client.time()));
    report.note(`clocks: ${walls.map(([s, us]) => `${Number(s) % 100}.${us}`).join('  ')}`);
    const clients = Array.from({ length: connections }, () => ring.nodes.map((n) => n.connect()));

    const older: string[] = [];
    const failed: string[] = [];
    await times(pairsCount, connections, async (pair, worker) => {
      const key = `pair:${worker}:${pair % keysOfEach}`;
      const writer = Math.floor(Math.random() * nodesCount);
      const reader = (writer + 1 + Math.floor(Math.random() * (nodesCount - 1))) % nodesCount;
      try {
        await clients[worker]?.[writer]?.set(key, pair);
        const found = await clients[worker]?.[reader]?.get(key);
        if (found !== String(pair)) older.push(`${key}: ${found} instead of ${pair}`);
      } catch (error) {
        failed.push(`${key}: ${error}`);
      }
    });
    report.none('no SET and no GET fails', failed);
    report.none(`no older value in ${pairsCount} pairs`, older);
    for (const client of clients.flat()) client.disconnect();
    await ring.remove();
  },
};
