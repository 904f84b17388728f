/** Read-modify-writes of a healthy ring are atomic: increments count once, races have one winner. */
import { RingProcess } from '../support/ring-process.ts';
import { pick, type Report, type Trial, times } from './trial.ts';

const nodesCount = 5;
const racers = 20;
const increments = 20_000;
const rounds = 1000;

export const counters: Trial = {
  name: 'counters',
  summary: `${increments} INCR from ${racers} connections, ${rounds} races of SET NX`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    const clients = Array.from({ length: racers }, (_, at) => ring.node(at % nodesCount).connect());

    const seen = new Set<number>();
    const failed: string[] = [];
    await times(increments, racers, async (_, worker) => {
      const reply = await clients[worker]?.incr('counter').catch((error) => String(error));
      if (typeof reply === 'number') seen.add(reply);
      else failed.push(String(reply));
    });
    report.none('no INCR fails', failed);
    report.check(seen.size === increments, 'every INCR has an answer of its own', seen.size);
    for (const node of ring.nodes) {
      const found = await node.client.get('counter');
      report.check(found === String(increments), `${node.name} reads ${increments}`, found);
    }

    const odd: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const key = `race:${round}`;
      const race = clients.map((client, at) => client.set(key, at, 'NX'));
      const settled = await Promise.allSettled(race);
      const winners = settled.flatMap((one, at) =>
        one.status === 'fulfilled' && one.value === 'OK' ? [String(at)] : [],
      );
      for (const one of settled) if (one.status === 'rejected') odd.push(`${key}: ${one.reason}`);
      const value = await pick(ring.nodes).client.get(key);
      if (winners.length !== 1 || value !== winners[0]) {
        odd.push(`${key}: winners ${winners}, value ${value}`);
      }
    }
    report.none('each race has one winner, whose value stays', odd);
    for (const client of clients) client.disconnect();
    await ring.remove();
  },
};
