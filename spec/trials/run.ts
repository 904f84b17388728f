/**
 * `npm run trial -- NAME`: one long experiment on a ring of real processes on this machine. Prints
 * what it saw, and `kept` or `BROKEN` for each rule; exit code 1 if one was broken. Not part of
 * `npm test`: they take minutes and want the machine for themselves.
 */
import { allKilled } from './all-killed.ts';
import { counters } from './counters.ts';
import { faults } from './faults.ts';
import { pairs } from './pairs.ts';
import { partition } from './partition.ts';
import { set } from './set.ts';
import { Report, type Trial } from './trial.ts';

const trials: readonly Trial[] = [faults, partition, set, pairs, counters, allKilled];

const wanted = process.argv[2];
const found = trials.find(({ name }) => name === wanted);
if (found === undefined) {
  console.log('Usage: npm run trial -- NAME\n');
  for (const { name, summary } of trials) console.log(`  ${name.padEnd(12)}${summary}`);
  process.exit(wanted === undefined || wanted === '--help' ? 0 : 1);
}

console.log(`${found.name}: ${found.summary}`);
const report = new Report();
const beganMs = performance.now();
try {
  await found.run(report);
} catch (error) {
  report.check(false, 'the trial runs to its end', error instanceof Error ? error.stack : error);
}
const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
console.log(`${found.name}: ${report.violations} rules broken, ${seconds} s`);
process.exit(report.violations === 0 ? 0 : 1);
