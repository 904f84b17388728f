/**
 * `npm run sim`: runs of the simulated ring, each decided by its seed, on all cores.
 *
 *   --seed S       the first seed (1)
 *   --runs K       so many seeds from there on (1 with --seed, else 200)
 *   --trace        prints the whole trace of the first run
 *   --hash         prints the hash of each trace: equal for equal seeds, in every process
 *   --shrink       the smallest plan that fails as this seed does, as a table; --json prints it
 *   --mutant NAME  over code with this fault planted (mutants.ts)
 *   --mutants      each mutant until it is found; fails if one is not within --runs (1000)
 *
 * What failed is printed with its trace and the command that repeats it; exit code 1. So it is if
 * `enoughRuns` or more never reached a rare state of `sometimes.ts`.
 */
import { parseArgs } from 'node:util';
import { Campaign, type Summary } from './campaign.ts';
import { mutants } from './mutants.ts';
import { planOf } from './plan.ts';
import { shrink, spaceTimeTable } from './shrink.ts';
import { type Outcome, simulate } from './simulate.ts';
import { enoughRuns, neverReached } from './sometimes.ts';

const traceLinesMax = 400;
const tracesMax = 2;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    hash: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed ?? 1);
const runs = Number(values.runs ?? (values.mutants ? 1000 : values.seed === undefined ? 200 : 1));

const work = values.mutants ? huntMutants : values.shrink ? shrinkSeed : runSeeds;
process.exitCode = await work();

async function runSeeds(): Promise<number> {
  const failed: Outcome[] = [];
  const campaign = new Campaign({ first, runs, mutant: values.mutant, failuresMax: 10 });
  const summary = await campaign.run((outcome) => {
    if (values.hash) console.log(`seed ${outcome.seed} hash ${outcome.hash}`);
    if (values.trace && outcome.failures.length === 0) console.log(outcome.trace.join('\n'));
    if (outcome.failures.length > 0) failed.push(outcome);
  });
  for (const outcome of failed.slice(0, tracesMax)) printTrace(outcome);
  for (const outcome of failed) printFailure(outcome);
  printSummary(summary);
  const missing = values.mutant === undefined && runs >= enoughRuns && failed.length === 0;
  const never = missing ? neverReached(summary.counts) : [];
  for (const name of never) console.log(`never reached: ${name}`);
  return failed.length + never.length > 0 ? 1 : 0;
}

async function shrinkSeed(): Promise<number> {
  const small = await shrink(planOf(first));
  if (small === undefined) {
    console.log(`seed ${first} does not fail`);
    return 0;
  }
  const outcome = await simulate(small.plan);
  printTrace(outcome);
  console.log(`${spaceTimeTable(small.plan)}\n`);
  if (values.json) console.log(`${JSON.stringify(small.plan)}\n`);
  printFailure(outcome);
  console.log(`${small.runs} runs`);
  return 1;
}

async function huntMutants(): Promise<number> {
  let missed = 0;
  for (const { name, why, changing } of mutants) {
    const campaign = new Campaign({ first, runs, mutant: name, changing, failuresMax: 1 });
    let found: Outcome | undefined;
    const summary = await campaign.run((outcome) => {
      if (outcome.failures.length > 0) found ??= outcome;
    });
    if (found === undefined) missed += 1;
    const verdict =
      found === undefined
        ? `NOT FOUND in ${summary.runs} runs`
        : `found after ${summary.runs} runs, seed ${found.seed}: ${found.failures[0]}`;
    console.log(`${name.padEnd(5)} ${verdict.slice(0, 160)}\n      ${why}`);
  }
  return missed > 0 ? 1 : 0;
}

function printTrace({ trace }: Outcome): void {
  const shown = trace.slice(-traceLinesMax);
  if (shown.length < trace.length) console.log(`... ${trace.length - shown.length} lines before`);
  console.log(`${shown.join('\n')}\n`);
}

function printFailure({ seed, failures }: Outcome): void {
  console.log(`seed ${seed} failed:`);
  for (const failure of failures.slice(0, 5)) console.log(`  ${failure}`);
  const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`;
  console.log(`repeat: npm run sim -- --seed ${seed}${mutant}\n`);
}

function printSummary({ runs: done, failed, events, wallMs, virtualMs, counts }: Summary): void {
  const names = [...counts.keys()].sort();
  for (const name of names) console.log(`${name.padEnd(24)} ${counts.get(name)}`);
  const rate = Math.round(events / (wallMs / 1000));
  console.log(
    `${done} runs, ${failed} failed; ${Math.round(virtualMs / 1000)} simulated s in ` +
      `${(wallMs / 1000).toFixed(1)} s, ${rate} events/s`,
  );
}
