/**
 * One target against others, interleaved round by round: machines have moods, so only ratios inside
 * one round mean something, and of those the median (PERFORMANCE, README.md).
 */
import { type Case, cases, type Load, type Measurement, type Target } from './load.ts';

const firstColumns = 20;
const otherColumns = 11;

interface Column {
  readonly title: string;
  readonly digits: number;
  read(measurement: Measurement): number;
}

const columns: readonly Column[] = [
  { title: 'req/s', digits: 0, read: (m) => m.requestsPerSecond },
  { title: 'p50 ms', digits: 2, read: (m) => m.p50Ms },
  { title: 'p99 ms', digits: 2, read: (m) => m.p99Ms },
  { title: 'p99.9 ms', digits: 2, read: (m) => m.p999Ms },
  { title: 'CPU us/op', digits: 2, read: (m) => m.cpuMicrosPerRequest },
];

/** Prints the figures of all and, for each of the others, the ratios of the subject over it. */
export async function compare(
  load: Load,
  rounds: number,
  subject: Target,
  others: readonly Target[],
): Promise<void> {
  const targets = [subject, ...others];
  printRow(['case', 'server', ...columns.map(({ title }) => title)]);
  for (const target of targets) await load.warmUp(target);
  for (const item of cases) {
    const found: readonly Measurement[][] = targets.map(() => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, target] of targets.entries()) {
        found[at]?.push(await load.measure(target, item));
      }
    }
    print(item, targets, found);
  }
}

function print(item: Case, targets: readonly Target[], found: readonly Measurement[][]): void {
  const [own = [], ...rest] = found;
  for (const [at, { name }] of targets.entries()) {
    const figures = columns.map(({ read, digits }) =>
      shown(median((found[at] ?? []).map(read)), digits),
    );
    printRow([title(item), name, ...figures]);
  }
  for (const [at, references] of rest.entries()) {
    const ratios = columns.map(({ read }) => {
      const inRounds = references.flatMap((reference, round) => {
        const mine = own[round];
        return mine === undefined ? [] : [read(mine) / read(reference)];
      });
      return shown(median(inRounds), 2, 'x ');
    });
    printRow([title(item), `over ${targets[at + 1]?.name}`, ...ratios]);
  }
}

function title({ command, pipeline, valueBytes }: Case): string {
  return `${command} P=${pipeline} ${valueBytes} B`;
}

export function shown(value: number, digits: number, prefix = ''): string {
  return Number.isNaN(value) ? '-' : `${prefix}${value.toFixed(digits)}`;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function printRow(cells: readonly string[]): void {
  const padded = cells.map((cell, at) =>
    at < 2 ? cell.padEnd(firstColumns) : cell.padStart(otherColumns),
  );
  console.log(padded.join(''));
}
