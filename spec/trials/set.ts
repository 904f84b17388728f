/**
 * The set of Jepsen, over siblings: add(x) reads the key with its context, unites all siblings,
 * adds x and writes under that context. Nodes are killed all the while. An element whose write was
 * acknowledged must be in the set at the end, whatever happened.
 */
import { RingProcess } from '../support/ring-process.ts';
import { errorWord } from '../support/steady-load.ts';
import { pick, type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const writers = 8;
const setsCount = 32;
const runMs = 120_000;
const killEveryMs = 5000;
const downMs = 2000;
const addEveryMs = 15;

export const set: Trial = {
  name: 'set',
  summary: `${writers} writers add to ${setsCount} sets, a kill -9 every ${killEveryMs / 1000} s`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    const acknowledged = Array.from({ length: setsCount }, () => new Set<string>());
    const outcomes = new Map<string, number>();
    let siblingsMost = 0;
    const endMs = performance.now() + runMs;

    const write = async (_: unknown, writer: number): Promise<void> => {
      const clients = ring.nodes.map((node) => node.connect());
      for (let count = 0; performance.now() < endMs; count += 1) {
        const at = Math.floor(Math.random() * setsCount);
        const element = `${writer}.${count}`;
        let outcome = 'ok';
        try {
          const client = pick(clients);
          const [context, found] = (await client.call('DYN.GET', `set:${at}`)) as Siblings;
          siblingsMost = Math.max(siblingsMost, found.length);
          const united = new Set(found.flatMap(elementsOf)).add(element);
          await client.call('DYN.PUT', `set:${at}`, context, [...united].join(' '));
          acknowledged[at]?.add(element);
        } catch (error) {
          outcome = errorWord(error);
        }
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        await sleep(addEveryMs);
      }
      for (const client of clients) client.disconnect();
    };

    const kills = killer(ring, endMs);
    await Promise.all(Array.from({ length: writers }, write));
    report.note(`${await kills} kills; adds: ${[...outcomes].map((o) => o.join(' ')).join(', ')}`);
    report.note(`most siblings seen: ${siblingsMost}`);
    await ring.allUp();
    await ring.hintsDelivered();
    const count = acknowledged.reduce((sum, { size }) => sum + size, 0);
    report.none(`none of ${count} acknowledged elements is lost`, await lost(ring, acknowledged));
    await ring.remove();
  },
};

type Siblings = [context: string, values: string[]];

function elementsOf(value: string): string[] {
  return value.split(' ');
}

/** Never two at once: a node is back before the next one dies. */
async function killer(ring: RingProcess, endMs: number): Promise<number> {
  let kills = 0;
  while (performance.now() < endMs - killEveryMs) {
    await sleep(killEveryMs - downMs);
    const index = Math.floor(Math.random() * nodesCount);
    await ring.node(index).kill('SIGKILL');
    kills += 1;
    await sleep(downMs);
    await ring.restart(index);
  }
  return kills;
}

/** As every node reads it. */
async function lost(
  ring: RingProcess,
  acknowledged: readonly ReadonlySet<string>[],
): Promise<string[]> {
  const found: string[] = [];
  for (const { name, client } of ring.nodes) {
    for (const [at, elements] of acknowledged.entries()) {
      const [, values] = (await client.call('DYN.GET', `set:${at}`)) as Siblings;
      const present = new Set(values.flatMap(elementsOf));
      for (const element of elements) {
        if (!present.has(element)) found.push(`set:${at} lacks ${element} through ${name}`);
      }
    }
  }
  return found;
}
