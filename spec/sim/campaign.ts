/**
 * Many seeds, spread over a process per core. Workers are processes of their own because a planted
 * fault needs other source files: a copy of lib/ and spec/ in a temporary directory.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/root.ts';
import { planOf } from './plan.ts';
import { plantMutant } from './plant.ts';
import { changesRing } from './ring-changes.ts';
import type { Outcome } from './simulate.ts';

export interface CampaignOptions {
  readonly first: number;
  readonly runs: number;
  readonly mutant?: string | undefined;
  /** Leaves out all seeds whose plan does not change the ring. */
  readonly changing?: boolean | undefined;
  /** No new seeds are begun after so many failures. */
  readonly failuresMax: number;
}

export interface Summary {
  readonly runs: number;
  readonly failed: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly wallMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** As it comes from a worker: a Map is sent as its entries. */
export interface Report extends Omit<Outcome, 'counts'> {
  readonly counts: readonly (readonly [string, number])[];
}

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #counts = new Map<string, number>();
  readonly #workers: ChildProcess[] = [];
  #next: number;
  #given = 0;
  #runs = 0;
  #failed = 0;
  #events = 0;
  #virtualMs = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#next = options.first;
  }

  async run(onOutcome: (outcome: Outcome) => void): Promise<Summary> {
    const startMs = performance.now();
    const { mutant, runs } = this.#options;
    const planted = mutant === undefined ? undefined : await plantMutant(mutant);
    try {
      const directory = planted?.directory ?? root;
      const workers = Math.min(runs, availableParallelism());
      await Promise.all(Array.from({ length: workers }, () => this.#work(directory, onOutcome)));
    } finally {
      for (const worker of this.#workers) worker.kill();
      await planted?.remove();
    }
    return {
      runs: this.#runs,
      failed: this.#failed,
      events: this.#events,
      virtualMs: this.#virtualMs,
      wallMs: performance.now() - startMs,
      counts: this.#counts,
    };
  }

  #work(directory: string, onOutcome: (outcome: Outcome) => void): Promise<void> {
    const worker = fork(join(directory, 'spec/sim/worker.ts'), {
      cwd: directory,
      execArgv: ['--import', 'tsx'],
    });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      let running: number | undefined;
      const next = (): void => {
        running = this.#give(worker);
        if (running === undefined) worker.disconnect();
      };
      worker.on('message', (report: Report) => {
        const outcome = { ...report, counts: new Map(report.counts) };
        this.#count(outcome);
        try {
          onOutcome(outcome);
        } catch (error) {
          reject(error);
          return;
        }
        next();
      });
      worker.on('error', reject);
      worker.on('exit', (code) => {
        if (running === undefined) resolve();
        else reject(new Error(`seed ${running}: the process ended with ${code}`));
      });
      next();
    });
  }

  /** The next seed, if there is one. */
  #give(worker: ChildProcess): number | undefined {
    const { runs, failuresMax, changing } = this.#options;
    if (this.#given >= runs || this.#failed >= failuresMax) return undefined;
    while (changing === true && !changesRing(planOf(this.#next))) this.#next += 1;
    const seed = this.#next;
    this.#next += 1;
    this.#given += 1;
    worker.send(seed);
    return seed;
  }

  #count(outcome: Outcome): void {
    this.#runs += 1;
    this.#events += outcome.events;
    this.#virtualMs += outcome.virtualMs;
    if (outcome.failures.length > 0) this.#failed += 1;
    for (const [name, count] of outcome.counts) {
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    }
  }
}
