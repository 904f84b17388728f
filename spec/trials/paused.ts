/**
 * A node that is paused for a minute is suspected and declared down, and stays a member all the
 * while: it comes back within seconds by refuting that once.
 */
import { type RingNode, RingProcess } from '../support/ring-process.ts';
import { errorsOf, SteadyLoad } from '../support/steady-load.ts';
import { lostOf } from './lost.ts';
import { type Pace, type Report, sleep, type Trial } from './trial.ts';

const nodesCount = 5;
const pausedIndex = 2;
const defaultMinutes = 1;
const lookMs = 200;
const backMs = 10_000;
const calmMs = 3000;

export const paused: Trial = {
  name: 'paused',
  summary: 'SIGSTOP of one node for a minute under light load (--minutes)',

  async run(report: Report, { minutes = defaultMinutes }: Pace) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    const victim = ring.node(pausedIndex);
    const others = ring.nodes.filter((node) => node !== victim);
    const { version } = await ring.settled();
    const before = await refuted(ring);
    const load = new SteadyLoad(others, { connections: 8, everyMs: 50, commands: ['SET', 'GET'] });
    load.start();
    await sleep(calmMs);

    await victim.kill('SIGSTOP');
    const seen = await watched(others, victim, minutes * 60_000);
    report.note(`states of ${victim.name} and when first seen: ${seen.states}`);
    report.none(`${victim.name} is a member throughout`, seen.absences);
    await victim.kill('SIGCONT');
    const beganMs = performance.now();
    const settled = await ring.settled();
    const ms = performance.now() - beganMs;
    report.check(ms <= backMs, `up again everywhere within ${backMs} ms`, `${ms.toFixed(0)} ms`);
    report.check(settled.version === version, 'the layout is the same', settled.version);

    await sleep(calmMs);
    await load.stop();
    await ring.hintsDelivered();
    const after = await refuted(ring);
    const grown = after.map((count, at) => count - (before[at] ?? 0));
    report.check((grown[pausedIndex] ?? 0) <= 1, 'refuted at most once', `by node: ${grown}`);
    report.none('the clients of the others saw no error', errorsOf(load.samples));
    report.none('no answer is wrong', load.wrong);
    const { acknowledged } = load;
    const lost = await lostOf(ring, acknowledged);
    report.none(`none of ${acknowledged.length} acknowledged writes is lost`, lost);
    await ring.remove();
  },
};

async function refuted({ nodes }: RingProcess): Promise<number[]> {
  return Promise.all(nodes.map(async (node) => Number(await node.info('suspicions_refuted'))));
}

interface Seen {
  /** `suspect 1.2 s` */
  readonly states: string;
  readonly absences: readonly string[];
}

async function watched(others: readonly RingNode[], victim: RingNode, ms: number): Promise<Seen> {
  const firstSeen = new Map<string, string>();
  const absences: string[] = [];
  const beganMs = performance.now();
  while (performance.now() - beganMs < ms) {
    for (const node of others) {
      const members = await node.members();
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      const state = members.find(({ name }) => name === victim.name)?.state;
      if (state === undefined) absences.push(`${node.name} at ${seconds} s`);
      else if (!firstSeen.has(state)) firstSeen.set(state, `${seconds} s`);
    }
    await sleep(lookMs);
  }
  const states = [...firstSeen].map(([state, at]) => `${state} ${at}`).join(', ');
  return { states, absences };
}
