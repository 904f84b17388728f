/**
 * `npm run sim`: runs of the simulated ring, each decided by its seed, on all cores.
 *
 *   --seed S       the first seed (1)
 *   --runs K       so many seeds from there on (1 with --seed, else 200)
 *   --trace        prints the whole trace of the first run
 *   --hash         prints the hash of each trace: equal for equal seeds, in every process
 *   --mutant NAME  over code with this fault planted (mutants.ts)
 *   --mutants      each mutant until it is found; fails if one is not within --runs (1000)
 *
 * What failed is printed with its trace and the command that repeats it; exit code 1.
 */
import { parseArgs } from 'node:util';
import { Campaign, type Summary } from './campaign.ts';
import { mutants } from './mutants.ts';
import type { Outcome } from './simulate.ts';

const traceLinesMax = 400;
const tracesMax = 2;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    hash: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed ?? 1);
const runs = Number(values.runs ?? (values.mutants ? 1000 : values.seed === undefined ? 200 : 1));

process.exitCode = values.mutants ? await huntMutants() : await runSeeds();

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
  return failed.length > 0 ? 1 : 0;
}

async function huntMutants(): Promise<number> {
  let missed = 0;
  for (const { name, why } of mutants) {
    const campaign = new Campaign({ first, runs, mutant: name, failuresMax: 1 });
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
