/**
 * What is known about the soundness of the map since it was opened: the holes that opening found,
 * the differences that the background scan found. Found once, put right once: the totals restart
 * from the scan, and the batch rows around a hole go, so that it is not reported for ever.
 */
import { StoreError } from '../base/errors.ts';
import type { System } from '../runtime/ports.ts';
import { BackgroundScan, type ScanOptions, type ScanResult } from './background-scan.ts';
import { isZero } from './batch-row.ts';
import type { GroupCommit } from './group-commit.ts';
import { batchKey, familyRange } from './keys.ts';
import type { OpenCheck } from './open-check.ts';
import type { Range, Storage } from './storage.ts';

export interface Verdict {
  /** Nothing lost, reverted or corrupt. */
  readonly sound: boolean;
}

const purgeRows = 1000;
/** Damaged rows this far ahead are not about to be overwritten by the batches to come. */
const numbersAhead = 1000;

export class SelfCheck {
  readonly #storage: Storage;
  readonly #system: System;
  readonly #commit: GroupCommit;
  readonly #options: ScanOptions;
  #scan: BackgroundScan | undefined;
  #end: Promise<void> = Promise.resolve();
  /** Another scan is due behind the one under way. */
  #again = false;
  degraded = false;
  lostRecords = 0;

  constructor(storage: Storage, system: System, commit: GroupCommit, options: ScanOptions) {
    this.#storage = storage;
    this.#system = system;
    this.#commit = commit;
    this.#options = options;
  }

  get running(): boolean {
    return this.#scan !== undefined;
  }

  /** Counts what opening found. */
  adopt(check: OpenCheck): void {
    this.lostRecords += check.missing;
    for (const problem of check.problems) this.complain(problem);
  }

  complain(problem: string): void {
    this.degraded = true;
    this.#system.log.warning('the storage is not sound', { problem });
  }

  /** Starts the scan; the map takes writes already. */
  begin(check: OpenCheck, onVerdict: (verdict: Verdict) => void): void {
    const scan = new BackgroundScan(this.#system, this.#options);
    this.#scan = scan;
    this.#end = this.#run(scan, check, onVerdict);
  }

  /** The same for a map that has been checked: something changed what its rows count for. */
  recount(): void {
    this.#again = this.running;
    if (this.#again) return;
    const row = this.#commit.committed;
    const check = { row, lastNumber: row.number, missing: 0, remains: false, problems: [] };
    this.begin(check, () => {});
  }

  async stop(): Promise<void> {
    this.#again = false;
    this.#scan?.stop();
    this.#scan = undefined;
    await this.#end;
  }

  /**
   * The first batch of this opening writes down the sums that the scan starts from. The snapshot is
   * taken before the next one starts.
   */
  async #run(
    scan: BackgroundScan,
    check: OpenCheck,
    onVerdict: (verdict: Verdict) => void,
  ): Promise<void> {
    const begun = await succeeds(this.#commit.write([], []));
    const result = begun ? await scan.run(this.#storage) : undefined;
    if (this.#scan !== scan) return;
    this.#scan = undefined;
    if (result !== undefined) this.#judge(result);
    onVerdict({ sound: result !== undefined && !this.degraded });
    if (result !== undefined) await this.#putRight(result, check);
    if (this.#again) this.recount();
  }

  #judge({ sums, unreadable, corrupt }: ScanResult): void {
    const lost = isZero(sums) ? 0 : Math.max(1, -sums.count);
    this.lostRecords += lost + unreadable;
    if (lost > 0) this.complain(`records are missing or not the latest: at least ${lost}`);
    if (corrupt > 0) this.complain(`${corrupt} records are corrupt`);
    if (unreadable > 0) this.complain(`${unreadable} places cannot be read`);
  }

  /** Whatever stops it, the next opening finds the same again. */
  async #putRight(result: ScanResult, check: OpenCheck): Promise<void> {
    const { sums, tallies, number: sinceNumber } = result;
    const holes = check.missing > 0 || check.remains;
    if (isZero(sums) && tallies.size === 0 && !holes) return;
    const first = holes ? check.row.number + 1 : 1;
    if (!(await succeeds(this.#commit.correct({ sums, tallies, sinceNumber, first })))) return;
    this.#system.log.notice('the totals were put right', { records: sums.count });
    if (!holes) return;
    const { from, to } = familyRange('batch');
    await this.#purge({ from, to: batchKey(first), keysOnly: true });
    const ahead = batchKey(this.#commit.committed.number + numbersAhead);
    await this.#purge({ from: ahead, to, keysOnly: true });
  }

  async #purge(range: Range): Promise<void> {
    try {
      const cursor = this.#storage.cursor(range);
      try {
        for (;;) {
          const step = await cursor.next(purgeRows);
          if (step.length === 0) return;
          const changes = step.map(({ key }) => ({ key, row: undefined, previous: undefined }));
          if (!(await succeeds(this.#commit.write(changes, [])))) return;
        }
      } finally {
        await cursor.close();
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

async function succeeds(write: PromiseLike<void>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}
