/** All nodes killed at once under load: what was acknowledged is there when they are back. */
import { RingProcess, until } from '../support/ring-process.ts';
import { contentOf, SteadyLoad } from '../support/steady-load.ts';
import { type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const rounds = 3;
const loadMs = 5000;
const keysAtOnce = 200;

export const allKilled: Trial = {
  name: 'all-killed',
  summary: `kill -9 of all ${nodesCount} nodes at once under load, ${rounds} times`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    for (let round = 1; round <= rounds; round += 1) {
      const connections = 20;
      const load = new SteadyLoad(ring.nodes, { connections, everyMs: 0, commands: ['SET'] });
      load.start();
      await sleep(loadMs);
      await ring.killAll('SIGKILL');
      await load.stop();
      const beganMs = performance.now();
      await ring.restartAllWithoutSeeds();
      const formedMs = performance.now() - beganMs;
      report.note(`round ${round}: formed again without seeds in ${formedMs.toFixed(0)} ms`);
      report.none(
        `none of ${load.acknowledged.length} acknowledged writes is lost`,
        await missing(ring, load.acknowledged),
      );
      await ring.node(round % nodesCount).client.flushall();
    }
    await ring.remove();
  },
};

/** Asked through all nodes in turn; a read that is refused is repeated, and not a loss. */
async function missing(ring: RingProcess, keys: readonly string[]): Promise<string[]> {
  const lost: string[] = [];
  for (let at = 0; at < keys.length; at += keysAtOnce) {
    const some = keys.slice(at, at + keysAtOnce);
    const { client } = ring.node((at / keysAtOnce) % nodesCount);
    let found: (string | null)[] = [];
    await until('the reads are answered', async () => {
      found = await client.mget(some);
      return true;
    });
    for (const [index, key] of some.entries()) {
      if (found[index] !== contentOf(key)) lost.push(`${key} is ${found[index]}`);
    }
  }
  return lost;
}
