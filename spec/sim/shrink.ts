/**
 * Makes the plan of a failing run small: without this half of its faults, without that operation,
 * does it fail still, by the same invariant? (ddmin: Zeller, Hildebrandt, "Simplifying and isolating
 * failure-inducing input", 2002.) What is left is printed with one column for each node.
 */
import { noChaos } from './chaos-transport.ts';
import { type Action, machinesOf, type Plan } from './plan.ts';
import { type Outcome, simulate } from './simulate.ts';
import type { Operation } from './workload.ts';

const runsMax = 1500;
const columnWidth = 24;

export interface Shrunk {
  readonly plan: Plan;
  readonly runs: number;
}

type Run = (plan: Plan) => Promise<Pick<Outcome, 'failures'>>;

/** undefined: it does not fail. */
export async function shrink(plan: Plan, run: Run = simulate): Promise<Shrunk | undefined> {
  const { failures } = await run(plan);
  if (failures.length === 0) return undefined;
  const shrinker = new Shrinker(plan, run, invariantOf(failures));
  await shrinker.run();
  return shrinker;
}

function invariantOf([first]: readonly string[]): string | undefined {
  return first?.split(':')[0];
}

class Shrinker implements Shrunk {
  plan: Plan;
  runs = 1;
  readonly #run: Run;
  readonly #invariant: string | undefined;

  constructor(plan: Plan, run: Run, invariant: string | undefined) {
    this.plan = plan;
    this.#run = run;
    this.#invariant = invariant;
  }

  async run(): Promise<void> {
    for (let before = ''; before !== sizeOf(this.plan) && this.runs < runsMax; ) {
      before = sizeOf(this.plan);
      await this.#minimise(
        () => this.plan.actions,
        (actions) => ({ ...this.plan, actions }),
      );
      await this.#minimise(
        () => this.plan.operations,
        (operations) => ({ ...this.plan, operations }),
      );
      await this.#simplify();
    }
  }

  /** Worlds without what is not needed are easier to read. */
  async #simplify(): Promise<void> {
    const zeros = Array.from({ length: machinesOf(this.plan) }, () => 0);
    const last = Math.max(0, ...this.plan.operations.map(({ atMs }) => atMs));
    await this.#try({ ...this.plan, chaos: noChaos });
    await this.#try({ ...this.plan, offsetsMs: zeros, drifts: zeros });
    await this.#try({ ...this.plan, durationMs: Math.min(this.plan.durationMs, last + 500) });
  }

  /** Leaves out ever smaller parts of a list, as long as the run fails as it did. */
  async #minimise<T extends Action | Operation>(
    list: () => readonly T[],
    planWith: (items: readonly T[]) => Plan,
  ): Promise<void> {
    for (let parts = 1; list().length > 0 && this.runs < runsMax; ) {
      const size = Math.ceil(list().length / parts);
      let found = false;
      for (let at = 0; at < list().length && this.runs < runsMax; ) {
        const rest = [...list().slice(0, at), ...list().slice(at + size)];
        if (await this.#try(planWith(rest))) found = true;
        else at += size;
      }
      if (size === 1 && !found) return;
      if (!found) parts = Math.min(list().length, parts * 2);
    }
  }

  async #try(plan: Plan): Promise<boolean> {
    this.runs += 1;
    const { failures } = await this.#run(plan);
    if (invariantOf(failures) !== this.#invariant) return false;
    this.plan = plan;
    return true;
  }
}

function sizeOf({ operations, actions }: Plan): string {
  return `${operations.length} ${actions.length}`;
}

interface Row {
  readonly atMs: number;
  readonly nodes: readonly number[];
  readonly text: string;
}

/** Time runs downwards; each operation stands below the node that was asked. */
export function spaceTimeTable(plan: Plan): string {
  const { operations, actions } = plan;
  const rows: Row[] = [
    ...operations.map(operationRow),
    ...actions.map(({ atMs, forMs, fault }) => {
      const { kind, nodes: struck, ...more } = fault;
      const facts = Object.entries(more).map(([name, value]) => `${name}=${value}`);
      return { atMs, nodes: struck, text: [kind.toUpperCase(), `${forMs}ms`, ...facts].join(' ') };
    }),
  ].sort((a, b) => a.atMs - b.atMs);
  const columns = [...Array(machinesOf(plan)).keys()];
  const line = (time: string, cells: readonly string[]): string =>
    `${time.padStart(8)}  ${cells.map((cell) => cell.padEnd(columnWidth)).join('')}`.trimEnd();
  return [
    line(
      'ms',
      columns.map((node) => `n${node + 1}`),
    ),
    ...rows.map(({ atMs, nodes: struck, text }) =>
      line(
        String(atMs),
        columns.map((node) => (struck.includes(node) ? text : '')),
      ),
    ),
  ].join('\n');
}

function operationRow(operation: Operation): Row {
  const { id, atMs, client, node, kind, key, together } = operation;
  const how = together === 'exec' ? ' EXEC' : '';
  return { atMs, nodes: [node], text: `c${client} #${id} ${kind} ${key}${how}` };
}
