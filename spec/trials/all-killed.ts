/** All nodes killed at once under load: what was acknowledged is there when they are back. */
import { RingProcess } from '../support/ring-process.ts';
import { SteadyLoad } from '../support/steady-load.ts';
import { lostOf } from './lost.ts';
import { type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const rounds = 3;
const loadMs = 5000;

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
        await lostOf(ring, load.acknowledged),
      );
      await ring.node(round % nodesCount).client.flushall();
    }
    await ring.remove();
  },
};
