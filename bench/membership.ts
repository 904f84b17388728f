/**
 * Membership alone, many nodes in one process and in virtual time (RELIABILITY 7.1):
 *
 *   npm run bench:membership [-- --nodes 10,100,1000] [--seed 1]
 *
 *   rest      bytes a node sends and receives per second while nothing happens, heads of frames too
 *   change    from a change of one node's facts until all have it, and the bytes of that per node
 *   kill      from a kill -9 until all others show it down; routing has noticed the broken links
 *   freeze    the same for a process that stands still, which only probes find
 *   accused   healthy nodes that anybody took for suspect, resp. down, in 30 s in which each
 *             twentieth message is lost
 */
import { parseArgs } from 'node:util';
import { entryOf, type GossipNode, GossipWorld, idOf } from '../spec/membership/gossip-world.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10,100,1000' },
    seed: { type: 'string', default: '1' },
  },
});
const restMs = 30_000;
const startMs = 10_000;
const limitMs = 120_000;
const lossMs = 30_000;
const lossShare = 0.05;

const columns = ['nodes', 'rest', 'change', 'kill', 'freeze', 'suspected', 'down', 'run'];
console.log(row(columns));
console.log(row(['', 'B/node/s', 's (KB/node)', 's', 's', 'healthy', 'healthy', 's']));
for (const text of values.nodes.split(',')) await measure(Number(text), Number(values.seed));

async function measure(count: number, seed: number): Promise<void> {
  const startedAtMs = performance.now();
  const world = new GossipWorld({ count, seed, hints: true });
  world.start();
  await world.time.advance(startMs);

  world.bytes = 0;
  await world.time.advance(restMs);
  const restBytes = (2 * world.bytes) / count / (restMs / 1000);

  world.bytes = 0;
  world.changes.length = 0;
  const facts = { ...entryOf(0).facts, name: 'renamed' };
  world.node(0).running.say({ facts });
  const changeMs = await world.until(() => world.changes.length >= count, limitMs);
  await world.time.advance(startMs);
  const spentMs = changeMs + startMs;
  const changeBytes = (2 * world.bytes) / count - (restBytes * spentMs) / 1000;

  const killed = world.node(1);
  const killMs = await untilDown(world, killed, () => world.kill(killed));
  const frozen = world.node(2);
  const freezeMs = await untilDown(world, frozen, () => world.pause(frozen));
  await world.time.advance(startMs);

  world.changes.length = 0;
  world.loss = lossShare;
  await world.time.advance(lossMs);
  console.log(
    row([
      String(count),
      restBytes.toFixed(0),
      `${seconds(changeMs)} (${(changeBytes / 1024).toFixed(1)})`,
      seconds(killMs),
      seconds(freezeMs),
      String(accused(world, 'suspect')),
      String(accused(world, 'down')),
      seconds(performance.now() - startedAtMs),
    ]),
  );
}

async function untilDown(
  world: GossipWorld,
  victim: GossipNode,
  strike: () => void,
): Promise<number> {
  strike();
  const others = world.running.filter((node) => node !== victim);
  return world.until(() => others.every((node) => node.stateOf(victim.index) === 'down'), limitMs);
}

function accused(world: GossipWorld, state: string): number {
  const victims = new Set([idOf(1), idOf(2)]);
  const found = world.changes.filter(
    ({ entry }) => entry.state === state && !victims.has(entry.id),
  );
  return new Set(found.map(({ entry }) => entry.id)).size;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function row(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(12)).join('');
}
