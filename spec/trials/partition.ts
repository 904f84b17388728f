/**
 * Two of five nodes cut off from three, in network namespaces (root). Both sides go on taking
 * writes; neither ever answers nil for what only the other side holds; with `quorum-strict yes` the
 * side without W owners refuses in time. After the healing everything is there.
 */
import { type RingNode, RingProcess } from '../support/ring-process.ts';
import { contentOf, errorWord } from '../support/steady-load.ts';
import { cut, hostOf, inNamespaces, mend, prefixOf } from './namespaces.ts';
import { pick, type Report, sleep, type Trial, times } from './trial.ts';

const nodesCount = 5;
const few = [0, 1];
const many = [2, 3, 4];
const secret = 'trial';
const keysCount = 500;
const together = 16;
const strictAnswerMs = 1000;
/** In which a node may still find out that its peers are gone. */
const noticeMs = 1500;
const directives = ['--peer-secret', secret, '--protected-mode', 'no', '--quorum', '3', '2', '2'];

interface Side {
  readonly name: string;
  readonly members: readonly number[];
}
const sides: readonly Side[] = [
  { name: 'two', members: few },
  { name: 'three', members: many },
];

export const partition: Trial = {
  name: 'partition',
  summary: 'two of five nodes cut off from three, sloppy and strict, then healed',

  run: (report: Report) =>
    inNamespaces(nodesCount, report, async () => {
      for (const isStrict of [false, true]) {
        report.note(isStrict ? 'quorum-strict yes' : 'quorum-strict no');
        const own = isStrict ? [...directives, '--quorum-strict', 'yes'] : directives;
        const options = { nodes: nodesCount, directives: own, host: hostOf, prefix: prefixOf };
        const ring = await RingProcess.start(options);
        await (isStrict ? strict(report, ring) : sloppy(report, ring));
        await ring.remove();
      }
    }),
};

/** Outcome by its first word, or `ok`; and the slowest of them. */
class Outcomes {
  readonly #counts = new Map<string, number>();
  slowestMs = 0;

  async of(work: Promise<unknown>): Promise<string> {
    const beganMs = performance.now();
    const word = await work.then(
      () => 'ok',
      (error: unknown) => errorWord(error),
    );
    this.slowestMs = Math.max(this.slowestMs, performance.now() - beganMs);
    this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1);
    return word;
  }

  /** Those other than `allowed`. */
  except(...allowed: readonly string[]): string[] {
    return [...this.#counts].flatMap(([word, count]) =>
      allowed.includes(word) ? [] : [`${word} x ${count}`],
    );
  }

  toString(): string {
    const counts = [...this.#counts].map(([word, count]) => `${word} x ${count}`);
    return `${counts.join(', ')}; slowest ${this.slowestMs.toFixed(0)} ms`;
  }
}

async function sloppy(report: Report, ring: RingProcess): Promise<void> {
  const acknowledged = await writeThrough(ring, [0, 1, 2, 3, 4], 'before', new Outcomes());
  report.check(acknowledged.length === keysCount, 'the whole ring takes writes');
  cut(few);
  for (const { name, members } of sides) {
    const first = new Outcomes();
    acknowledged.push(...(await writeThrough(ring, members, `first-${name}`, first)));
    report.note(`the side of ${name}, SETs at once after the cut: ${first}`);
  }
  await sleep(noticeMs);
  for (const side of sides) {
    const later = new Outcomes();
    const written = await writeThrough(ring, side.members, `during-${side.name}`, later);
    report.none(`the side of ${side.name} takes every write`, later.except('ok'));
    report.note(`SETs: ${later}`);
    await checkReads(report, ring, side, acknowledged.slice(0, keysCount));
    await checkReads(report, ring, side, written);
    acknowledged.push(...written);
    await times(keysCount / 10, together, async (index) => {
      const { client } = ring.node(pick(side.members));
      await client.call('DYN.PUT', `sibling:${index}`, '', side.name);
    });
  }
  mend(few);
  await healed(report, ring, acknowledged);
  await checkSiblings(report, ring);
}

async function strict(report: Report, ring: RingProcess): Promise<void> {
  const acknowledged = await writeThrough(ring, [0, 1, 2, 3, 4], 'before', new Outcomes());
  cut(few);
  for (const { name, members } of sides) {
    for (const moment of ['at once', 'later'] as const) {
      const within = new Outcomes();
      const without = new Outcomes();
      await times(keysCount, together, async (index) => {
        const key = `strict-${name}-${moment}:${index}`;
        const node = ring.node(pick(members));
        const owners = await ownersOf(node, key);
        const reachable = owners.filter((owner) => members.includes(owner)).length;
        const outcomes = reachable >= 2 ? within : without;
        const word = await outcomes.of(node.client.set(key, contentOf(key)));
        if (word === 'ok') acknowledged.push(key);
      });
      const title = `the side of ${name}, ${moment}`;
      report.note(`${title}: with two owners ${within}; with fewer ${without}`);
      const refused = without.except('CLUSTERDOWN', 'UNCERTAIN');
      report.none(`${title}: without W owners CLUSTERDOWN or UNCERTAIN`, refused);
      report.check(
        without.slowestMs < strictAnswerMs,
        `${title}: in under ${strictAnswerMs} ms`,
        without.slowestMs.toFixed(0),
      );
      if (moment === 'later') report.none(`${title}: taken with W owners`, within.except('ok'));
      else await sleep(noticeMs);
    }
  }
  mend(few);
  await healed(report, ring, acknowledged);
}

/** The keys that were acknowledged. */
async function writeThrough(
  ring: RingProcess,
  members: readonly number[],
  prefix: string,
  outcomes: Outcomes,
): Promise<string[]> {
  const acknowledged: string[] = [];
  await times(keysCount, together, async (index) => {
    const key = `${prefix}:${index}`;
    const { client } = ring.node(pick(members));
    if ((await outcomes.of(client.set(key, contentOf(key)))) === 'ok') acknowledged.push(key);
  });
  return acknowledged;
}

/** A value or a refusal; never nil, never another value. */
async function checkReads(
  report: Report,
  ring: RingProcess,
  { name, members }: Side,
  keys: readonly string[],
): Promise<void> {
  const wrong: string[] = [];
  const answered = new Map<string, number>();
  await times(keys.length, together, async (index) => {
    const key = keys[index] ?? '';
    const node = ring.node(pick(members));
    const owners = (await ownersOf(node, key)).filter((owner) => members.includes(owner)).length;
    const found = await node.client.get(key).catch(errorWord);
    const kind = found === contentOf(key) ? 'value' : String(found);
    if (kind !== 'value' && kind !== 'CLUSTERDOWN') wrong.push(`GET ${key}: ${found}`);
    const row = `${owners} owners here: ${kind}`;
    answered.set(row, (answered.get(row) ?? 0) + 1);
  });
  const prefix = keys[0]?.split(':')[0] ?? '';
  report.note(`${prefix} read by ${name}: ${[...answered].map((a) => a.join(' x ')).join(', ')}`);
  report.none(`the side of ${name} reads ${prefix} or says CLUSTERDOWN, never nil`, wrong);
}

async function healed(report: Report, ring: RingProcess, keys: readonly string[]): Promise<void> {
  const beganMs = performance.now();
  await ring.allUp();
  await ring.hintsDelivered();
  const ms = performance.now() - beganMs;
  report.check(true, 'after the healing no hint is left', `after ${ms.toFixed(0)} ms`);
  for (const { name, client } of ring.nodes) {
    const found = await client.mget([...keys]);
    const lost = keys.filter((key, at) => found[at] !== contentOf(key));
    report.none(`${name} reads all ${keys.length} acknowledged writes`, lost);
  }
}

async function checkSiblings(report: Report, ring: RingProcess): Promise<void> {
  const odd: string[] = [];
  for (let index = 0; index < keysCount / 10; index += 1) {
    const reply = await pick(ring.nodes).client.call('DYN.GET', `sibling:${index}`);
    const [, values] = reply as [string, string[]];
    if ([...values].sort().join() !== 'three,two') odd.push(`sibling:${index} is ${values}`);
  }
  report.none('concurrent DYN.PUTs of both sides are siblings', odd);
}

/** Indexes, in preference order. */
async function ownersOf({ client }: RingNode, key: string): Promise<number[]> {
  const names = (await client.call('DYN.RING', 'OWNERS', key)) as string[];
  return names.map((name) => Number(name.slice(1)) - 1);
}
