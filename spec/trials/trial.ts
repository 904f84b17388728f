/** A long experiment on a ring of real processes: what it notes, what it checks, how it ends. */
export interface Trial {
  readonly name: string;
  readonly summary: string;
  /** Throws where it cannot even be tried. */
  run(report: Report, pace: Pace): Promise<void>;
}

/** What the command line may say of a trial that mostly waits. */
export interface Pace {
  /** As long as the trial thinks right, if undefined. */
  readonly minutes: number | undefined;
}

/** Prints as it goes; a rule that was broken makes the exit code 1. */
export class Report {
  #violations = 0;

  get violations(): number {
    return this.#violations;
  }

  note(text: string): void {
    console.log(`        ${text}`);
  }

  /** `found` is shown either way. */
  check(isKept: boolean, rule: string, found: unknown = ''): void {
    if (!isKept) this.#violations += 1;
    console.log(`${isKept ? 'kept    ' : 'BROKEN  '}${rule}${found === '' ? '' : `: ${found}`}`);
  }

  /** Nothing was found that breaks the rule; else the first few are shown. */
  none(rule: string, found: readonly string[]): void {
    this.check(found.length === 0, rule, found.length === 0 ? 'none' : summaryOf(found));
  }
}

const shownMax = 5;

function summaryOf(found: readonly string[]): string {
  const more = found.length > shownMax ? `; and ${found.length - shownMax} more` : '';
  return `${found.slice(0, shownMax).join('; ')}${more}`;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}

/** Runs `work` so many times, a few at a time, in order of their numbers. */
export async function times(
  count: number,
  together: number,
  work: (index: number, worker: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (_: unknown, own: number): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1, own);
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
}
