/**
 * What must be true of a ring that has healed (RELIABILITY 3).
 *
 *   I1   every acknowledged write is remembered, and its value lives unless a write that has seen it
 *        took its place
 *   I4   all owners hold equal records
 *   I5   nothing that an acknowledged delete has seen lives
 *   I17  every node answers the same
 */
import { emptyRecord, type Record } from '../../lib/causal/record.ts';
import { covered } from '../../lib/causal/version-vector.ts';
import { withoutFlushed } from '../../lib/causal/visible.ts';
import type { Clients } from './clients.ts';
import { contentOf, dotName } from './dots.ts';
import type { Plan } from './plan.ts';
import { isError } from './requests.ts';
import type { Referee } from './running.ts';

const rounds = 2;
const repairMs = 1000;
const readableWithinMs = 15_000;
/** Deadlines have passed by then. */
const idleAfterMs = 2000;
/** Pings, pulses, sweeps, ticks and frames under way. */
const eventsPerNodeMax = 25;

/**
 * There is no anti-entropy yet: reads of all N owners bring them together. Before that each owner
 * reads with one answer less, because it may hold a corrupt record, which is no answer.
 */
export async function readEverything({ ring, ledger, layouts, complain }: Referee): Promise<void> {
  const n = layouts.leastN;
  const read = async (node: number, key: string, r: number): Promise<void> => {
    const endMs = ring.time.nowMs + readableWithinMs;
    let reply = await ring.run(node, 'DYN.GET', key, 'R', r);
    // A link that lost bytes is found out by its silence.
    while (typeof reply === 'string' && ring.time.nowMs < endMs) {
      await ring.time.advance(repairMs);
      reply = await ring.run(node, 'DYN.GET', key, 'R', r);
    }
    if (typeof reply === 'string') {
      complain('I22', `n${node + 1} cannot read ${key} in a healed ring: ${reply}`);
    }
  };
  for (const key of ledger.keys.keys()) {
    for (const owner of layouts.ownersOf(key)) await read(owner, key, Math.max(1, n - 1));
  }
  await ring.time.advance(repairMs);
  for (let round = 0; round < rounds; round += 1) {
    for (const key of ledger.keys.keys())
      await read(some(ring.present, round + key.length), key, n);
    await ring.time.advance(repairMs);
  }
}

export async function checkConverged(
  referee: Referee,
  clients: Clients,
  plan: Plan,
): Promise<void> {
  for (const key of referee.ledger.keys.keys()) {
    const record = agreed(referee, key);
    checkAcknowledged(referee, clients, plan, key, record);
    if (clients.coldKeys.includes(key)) checkCold(referee, clients, key, record);
    countSurvivors(referee, clients, key, record);
    if (record.siblings.every(({ expireAtMs }) => expireAtMs === 0)) {
      await checkSameAnswer(referee, key);
    }
  }
}

/** The record of the owners, flushed siblings taken out. */
function agreed({ ring, ledger, layouts, complain }: Referee, key: string): Record {
  const name = ledger.dataNameOf(key) ?? '';
  const records = layouts.ownersOf(key).map((node) => {
    const { disk } = ring.at(node);
    const held = ledger.decode(name, disk.rows.get(name))?.record ?? emptyRecord;
    return withoutFlushed(held, ledger.flushedUpTo);
  });
  const [first = emptyRecord] = records;
  const isFlushed = ledger.flushedUpTo > 0;
  const texts = records.map((record) => textOf(record, !isFlushed));
  if (new Set(texts).size > 1) {
    complain('I4', `the owners of ${key} differ: ${texts.join(' / ')}`);
  }
  return first;
}

function textOf({ vv, siblings }: Record, withVector: boolean): string {
  const dots = withVector ? vv.map(dotName).join(' ') : '';
  return `[${dots}] ${siblings.map((sibling) => `${dotName(sibling.dot)}=${contentOf(sibling)}`)}`;
}

function checkAcknowledged(
  { ledger, copies, complain }: Referee,
  clients: Clients,
  plan: Plan,
  key: string,
  record: Record,
): void {
  const history = ledger.historyOf(key);
  const isLive = (dot: { actor: number; stamp: number }): boolean =>
    record.siblings.some((sibling) => dotName(sibling.dot) === dotName(dot));
  for (const { id } of clients.writers(key, 'acknowledged')) {
    const writes = history.of(id);
    if (clients.isFlushed(writes) || writes.some((write) => copies.excused.has(write))) continue;
    const kept = writes.filter(({ dot }) => covered(record.vv, dot));
    if (kept.length === 0) {
      complain('I1', `#${id} on ${key} was acknowledged and is not remembered`);
    } else if (!kept.some((write) => isLive(write.dot) || history.explains(write, record.vv))) {
      complain('I1', `#${id} on ${key} was acknowledged, is gone, and nobody superseded it`);
    }
  }
  for (const context of clients.removed(key)) {
    const risen = record.siblings.find(({ dot }) => covered(context, dot));
    if (risen !== undefined && !copies.excused.has(context)) {
      complain('I5', `${dotName(risen.dot)} of ${key} was deleted and lives (${plan.seed})`);
    }
  }
}

/** What was written before the run lives as long as nobody flushes, however it has moved. */
function checkCold(
  { ledger, copies, complain }: Referee,
  clients: Clients,
  key: string,
  { siblings }: Record,
): void {
  const { writes } = ledger.historyOf(key);
  if (clients.anyFlush || siblings.length > 0) return;
  if (!writes.some((write) => copies.excused.has(write))) complain('I1', `${key} is gone`);
}

function countSurvivors(
  { ledger, mark }: Referee,
  clients: Clients,
  key: string,
  { siblings }: Record,
): void {
  const live = siblings.flatMap(({ dot }) => ledger.historyOf(key).find(dot)?.operations ?? []);
  for (const { id } of clients.writers(key, 'uncertain')) {
    if (live.includes(id)) mark('uncertain write that survived');
  }
}

/**
 * The whole of the data as every node tells it, and whether anything is left that would hold up
 * those who come next (I14): a gate, a queue, a timer for each request that ever was.
 */
export async function checkUsable(
  { ring, ledger, complain }: Referee,
  clients: Clients,
  plan: Plan,
): Promise<void> {
  const keys = [...ledger.keys.keys()];
  clients.checkIdle();
  const visible: string[] = [];
  for (const key of keys) {
    if (typeof (await ring.run(some(ring.present, 0), 'GET', key)) === 'string') visible.push(key);
  }
  const mayExpire = plan.operations.some(({ kind }) => kind === 'expire');
  for (const node of mayExpire ? [] : ring.present) {
    const shown = (await ring.run(node, 'KEYS', '*')) as string[];
    const size = await ring.run(node, 'DBSIZE');
    if (isError(shown) || [...shown].sort().join(' ') !== [...visible].sort().join(' ')) {
      complain('scan', `n${node + 1} shows ${shown}, there are ${visible.join(' ')}`);
    }
    if (size !== visible.length) complain('scan', `n${node + 1} counts ${size} of ${visible}`);
  }
  for (const node of ring.present) {
    const key = keys[node];
    if (key === undefined) continue;
    const connection = ring.connect(node);
    const answers = ['multi', 'exec'].map((word) => {
      const answer = connection.send(word);
      if (word === 'multi') connection.send('persist', key);
      return answer;
    });
    const answer = await ring.time.run(answers[1] ?? '');
    if (!Array.isArray(answer)) complain('I22', `n${node + 1} cannot change ${key}: ${answer}`);
  }
  await ring.time.advance(plan.timeoutMs + idleAfterMs);
  if (ring.time.eventsPending > eventsPerNodeMax * ring.present.length) {
    complain('I14', `${ring.time.eventsPending} timers run in an idle ring`);
  }
}

function some(nodes: readonly number[], at: number): number {
  return nodes[at % nodes.length] ?? 0;
}

async function checkSameAnswer({ ring, complain }: Referee, key: string): Promise<void> {
  const answers: unknown[] = [];
  for (const node of ring.present) answers.push(await ring.run(node, 'GET', key));
  if (new Set(answers).size > 1) complain('I17', `${key} reads as ${answers.join(', ')}`);
}
