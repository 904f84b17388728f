/**
 * `npm run trial -- NAME [--minutes n]`: one long experiment on a ring of real processes on this machine. Prints
 * what it saw, and `kept` or `BROKEN` for each rule; exit code 1 if one was broken. Not part of
 * `npm test`: they take minutes and want the machine for themselves.
 */
import { parseArgs } from 'node:util';
import { allKilled } from './all-killed.ts';
import { clusterClients } from './cluster-clients.ts';
import { counters } from './counters.ts';
import { faults } from './faults.ts';
import { grow } from './grow.ts';
import { halves } from './halves.ts';
import { pairs } from './pairs.ts';
import { partition } from './partition.ts';
import { paused } from './paused.ts';
import { set } from './set.ts';
import { Report, type Trial } from './trial.ts';
import { twoOperators } from './two-operators.ts';
import { zones } from './zones.ts';

const trials: readonly Trial[] = [
  ...[faults, partition, set, pairs, counters, allKilled],
  ...[clusterClients, halves, paused, twoOperators, grow, zones],
];

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string' }, help: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [wanted] = positionals;
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0)) throw new Error('--minutes takes a number above 0');
const found = trials.find(({ name }) => name === wanted);
if (found === undefined) {
  console.log('Usage: npm run trial -- NAME [--minutes n]\n');
  for (const { name, summary } of trials) console.log(`  ${name.padEnd(17)}${summary}`);
  process.exit(wanted === undefined || values.help ? 0 : 1);
}

console.log(`${found.name}: ${found.summary}`);
const report = new Report();
const beganMs = performance.now();
try {
  await found.run(report, { minutes });
} catch (error) {
  report.check(false, 'the trial runs to its end', error instanceof Error ? error.stack : error);
}
const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
console.log(`${found.name}: ${report.violations} rules broken, ${seconds} s`);
process.exit(report.violations === 0 ? 0 : 1);
