/**
 * Two operators want different changes on two nodes at the same moment. A version of the layout is
 * agreed once, so one of them wins everywhere, and the other is told so.
 */
import { type RingNode, RingProcess, type RingStatus } from '../support/ring-process.ts';
import { pick, type Report, type Trial } from './trial.ts';

const nodesCount = 5;
const rounds = 20;
const keysCount = 200;
const weightMax = 4;
const inProgress = 'ERR another change is in progress';

interface Wish {
  readonly at: RingNode;
  readonly of: string;
  readonly weight: number;
}

export const twoOperators: Trial = {
  name: 'two-operators',
  summary: `two different DYN.RING WEIGHT on two nodes at the same moment, ${rounds} times`,

  async run(report: Report) {
    const ring = await RingProcess.start({ nodes: nodesCount });
    const keys = Array.from({ length: keysCount }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => pick(ring.nodes).client.set(key, key)));
    const odd: string[] = [];
    const answers = new Map<string, number>();
    for (let round = 1; round <= rounds; round += 1) {
      const before = await ring.settled();
      const wishes = wishesFor(ring, before);
      const said = await Promise.all(wishes.map(asked));
      for (const one of said) answers.set(one, (answers.get(one) ?? 0) + 1);
      const beganMs = performance.now();
      const after = await ring.settled();
      const ms = performance.now() - beganMs;
      odd.push(...judged(before, after, wishes, said).map((text) => `round ${round}: ${text}`));
      odd.push(...(await disagreements(ring, keys)).map((text) => `round ${round}: ${text}`));
      const shown = wishes.map(({ at, of, weight }, i) => `${at.name}: ${of}=${weight} ${said[i]}`);
      report.note(`round ${round}: ${shown.join(' | ')}; at rest after ${ms.toFixed(0)} ms`);
    }
    report.note(`answers: ${[...answers].map(([text, count]) => `${text} x ${count}`).join(', ')}`);
    report.none('each time one change wins everywhere, and the other is refused', odd);
    const found = await Promise.all(ring.nodes.map(({ client }) => client.mget(keys)));
    const lost = found.flat().filter((value, at) => value !== keys[at % keysCount]);
    report.none(`every node reads all ${keysCount} keys`, lost.map(String));
    await ring.remove();
  },
};

/** Each of another member, on another node, and to a weight that it has not. */
function wishesFor(ring: RingProcess, { members }: RingStatus): Wish[] {
  const [first, second] = [...ring.nodes].sort(() => Math.random() - 0.5);
  const [one, other] = [...members].sort(() => Math.random() - 0.5);
  if (first === undefined || second === undefined) throw new Error('two nodes are needed');
  const changed = (weight = 1): number => (weight % weightMax) + 1;
  return [
    { at: first, of: one?.name ?? '', weight: changed(one?.weight) },
    { at: second, of: other?.name ?? '', weight: changed(other?.weight) },
  ];
}

function asked({ at, of, weight }: Wish): Promise<string> {
  return at.client
    .call('DYN.RING', 'WEIGHT', of, String(weight))
    .then(String, (error: unknown) => (error instanceof Error ? error.message : String(error)));
}

function judged(
  before: RingStatus,
  after: RingStatus,
  wishes: readonly Wish[],
  said: readonly string[],
): string[] {
  const odd: string[] = [];
  const agreed = said.filter((answer) => answer === 'OK').length;
  const uncertain = said.filter((answer) => answer.startsWith('UNCERTAIN')).length;
  const steps = after.version - before.version;
  if (agreed !== 1) odd.push(`${agreed} times +OK`);
  if (steps < agreed || steps > agreed + uncertain) {
    odd.push(`version ${before.version} to ${after.version}`);
  }
  for (const [at, { of, weight }] of wishes.entries()) {
    const answer = said[at] ?? '';
    const found = after.members.find(({ name }) => name === of)?.weight;
    if (answer === 'OK' && found !== weight) odd.push(`${of} has not the weight that was agreed`);
    if (answer === inProgress && found === weight) odd.push(`${of} has the weight refused`);
    if (answer !== 'OK' && answer !== inProgress) odd.push(answer);
  }
  return odd;
}

/** Keys whose owners the nodes don't name alike. */
async function disagreements(ring: RingProcess, keys: readonly string[]): Promise<string[]> {
  const tables = await Promise.all(
    ring.nodes.map(async ({ client }) =>
      Promise.all(keys.map(async (key) => String(await client.call('DYN.RING', 'OWNERS', key)))),
    ),
  );
  return keys.flatMap((key, at) => {
    const rows = new Set(tables.map((table) => table[at]));
    return rows.size === 1 ? [] : [`${key} belongs to ${[...rows].join(' or ')}`];
  });
}
