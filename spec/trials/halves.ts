/**
 * A ring cut in half for minutes, in network namespaces (root). Each half declares the other down
 * and goes on taking writes; neither forgets a member. Once healed all are of one mind within half
 * a minute, without a second suspicion, and every acknowledged write is there.
 */
import { type RingNode, RingProcess } from '../support/ring-process.ts';
import { errorsOf, SteadyLoad } from '../support/steady-load.ts';
import { lostOf } from './lost.ts';
import { cut, hostOf, inNamespaces, mend, prefixOf } from './namespaces.ts';
import { type Pace, type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 6;
const apart = [0, 1, 2];
const defaultMinutes = 5;
const healMs = 30_000;
/** In which a node may still find out that its peers are gone. */
const noticeMs = 1500;
/** By which gossip should have declared the other half down. */
const declaredMs = 15_000;
const afterwardsMs = 10_000;
const directives = ['--peer-secret', 'trial', '--protected-mode', 'no', '--quorum', '3', '2', '2'];

export const halves: Trial = {
  name: 'halves',
  summary: `${nodesCount} nodes cut in half for 5 minutes (--minutes), then healed`,

  run: (report: Report, pace: Pace) =>
    inNamespaces(nodesCount, report, async () => {
      const options = { nodes: nodesCount, directives, host: hostOf, prefix: prefixOf };
      const ring = await RingProcess.start(options);
      await halved(report, ring, pace.minutes ?? defaultMinutes);
      await ring.remove();
    }),
};

async function halved(report: Report, ring: RingProcess, minutes: number): Promise<void> {
  const sides = [
    ring.nodes.filter((_, index) => apart.includes(index)),
    ring.nodes.filter((_, index) => !apart.includes(index)),
  ];
  const { version } = await ring.settled();
  const before = await refuted(ring);
  cut(apart);
  const options = { connections: 6, everyMs: 100, commands: ['SET', 'GET'] } as const;
  const loads = sides.map((side) => new SteadyLoad(side, options).start());
  await sleep(Math.min(declaredMs, minutes * 60_000));
  await checkView(report, sides, 'soon after the cut');
  await sleep(Math.max(0, minutes * 60_000 - declaredMs));
  await checkView(report, sides, 'before the healing');
  await Promise.all(loads.map((load) => load.stop()));
  for (const [at, { samples, wrong }] of loads.entries()) {
    const later = samples.filter(({ atMs }) => atMs > noticeMs);
    report.note(
      `half ${at + 1}: ${samples.length} operations, ${errorsOf(samples).join() || 0} errors`,
    );
    report.none(`half ${at + 1} serves everything once it has noticed`, errorsOf(later));
    report.none(`half ${at + 1}: no answer is wrong`, wrong);
  }

  mend(apart);
  const beganMs = performance.now();
  const settled = await ring.settled(2 * healMs);
  const ms = performance.now() - beganMs;
  report.check(ms <= healMs, `one ring within ${healMs} ms of the healing`, `${ms.toFixed(0)} ms`);
  report.check(settled.version === version, 'under the same layout', settled.version);
  await ring.hintsDelivered(2 * healMs);
  report.note(`no hint is left after ${(performance.now() - beganMs).toFixed(0)} ms`);
  await sleep(afterwardsMs);
  const after = await refuted(ring);
  const grown = after.map((count, at) => count - (before[at] ?? 0));
  report.check(Math.max(...grown) <= 1, 'nothing is refuted twice', `by node: ${grown}`);
  const acknowledged = loads.flatMap((load) => load.acknowledged);
  const lost = await lostOf(ring, acknowledged);
  report.none(`none of ${acknowledged.length} acknowledged writes is lost`, lost);
}

/** Its own half up, the other down, and nobody forgotten. */
async function checkView(
  report: Report,
  sides: readonly (readonly RingNode[])[],
  when: string,
): Promise<void> {
  const odd: string[] = [];
  for (const side of sides) {
    const own = new Set(side.map(({ name }) => name));
    for (const node of side) {
      const members = await node.members();
      if (members.length !== nodesCount) odd.push(`${node.name} has ${members.length} members`);
      for (const { name, state } of members) {
        if (state !== (own.has(name) ? 'up' : 'down')) odd.push(`${node.name}: ${name} ${state}`);
      }
    }
  }
  report.none(`${when} each half has itself up and the other down`, odd);
}

async function refuted({ nodes }: RingProcess): Promise<number[]> {
  return Promise.all(nodes.map(async (node) => Number(await node.info('suspicions_refuted'))));
}
