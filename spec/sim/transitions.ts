/**
 * What must hold while one layout of the ring gives way to the next (RELIABILITY 1.9):
 *
 *   W1    an acknowledged write is on W owners, or hints for them, by every layout that its
 *         coordinator went by from the beginning of the request to its answer
 *   I13   whoever reads from a layout finds at its new owners all that had been acknowledged by W
 *         owners before anybody adopted it
 *
 * Both are read off the disks, W1 at each answer, I13 when a table first says that it is read from.
 * What faults have destroyed since is not asked for.
 */
import type { Layout } from '../../lib/ring/layout.ts';
import type { KnownWrite } from './dots.ts';
import { targetOf } from './ledger.ts';
import type { Plan } from './plan.ts';
import { changesRing } from './ring-changes.ts';
import type { Referee, Running } from './running.ts';

interface Sure {
  readonly key: string;
  readonly write: KnownWrite;
  readonly atMs: number;
}

/** Where a node may go by another table than the one on its disk. */
const late: readonly string[] = ['slow-disk', 'failing-disk', 'relapse'];

export class Transitions {
  readonly #referee: Omit<Referee, 'transitions'>;
  /** Whether there is anything to look for. */
  readonly #isActive: boolean;
  readonly #isPrompt: boolean;
  /** Acknowledged by W owners in each layout that was in use. */
  #sure: Sure[] = [];
  #reading: Layout | undefined;

  constructor(referee: Omit<Referee, 'transitions'>, plan: Plan) {
    this.#referee = referee;
    this.#isActive = changesRing(plan);
    this.#isPrompt = plan.actions.every(({ fault }) => !late.includes(fault.kind));
  }

  /** Data was lost: what was sure is so no more. */
  robbed(): void {
    this.#sure = [];
  }

  /** An operation that made these writes was answered with OK. */
  acknowledged(running: Running, key: string, writes: readonly KnownWrite[]): void {
    if (!this.#isActive || running.robbed.size > 0 || writes.length === 0) return;
    for (const write of writes) this.note(key, write, running.w);
    const { ledger, complain } = this.#referee;
    const hasMoved = ledger.historyOf(key).vanishedAtMs >= running.begunAtMs;
    if (!this.#isPrompt || hasMoved) return;
    const lacks = writes.map((write) => this.#lackOf(running, key, write));
    const lack = lacks.every((one) => one !== undefined) ? lacks[0] : undefined;
    if (lack !== undefined)
      complain('W1', `#${running.operation.id} was acknowledged with ${lack}`);
  }

  /** Acknowledged: is it on the disks of W owners? */
  note(key: string, write: KnownWrite, w: number): void {
    const { layouts, ring } = this.#referee;
    if (!this.#isActive) return;
    const isSure = layouts.inUse.every((layout) => {
      return this.#shares(key, write, { layout, hints: false }) >= Math.min(w, layout.n);
    });
    if (isSure) this.#sure.push({ key, write, atMs: ring.time.nowMs });
  }

  /** The table of a node says for the first time that this layout is read from. */
  isRead(layout: Layout): void {
    const before = this.#reading;
    this.#reading = layout;
    if (before === undefined) return;
    const { layouts, mark } = this.#referee;
    const sinceMs = layouts.adoptedAtMs(layout.version);
    mark('another layout is read from');
    for (const { key, write, atMs } of this.#sure) {
      if (atMs >= sinceMs) continue;
      const old = layouts.ownersIn(before, key);
      const added = layouts.ownersIn(layout, key).filter((node) => !old.includes(node));
      for (const node of added) this.#checkFilled(node, key, write);
    }
  }

  #checkFilled(node: number, key: string, write: KnownWrite): void {
    const { ring, copies, ledger, complain } = this.#referee;
    const isGone = !ring.isPresent(node) || copies.doomed.has(node);
    if (isGone || copies.excused.has(write) || write.order <= ledger.flushedUpTo) return;
    if (copies.rowsWith(node, key, write).some((name) => !name.startsWith('h'))) return;
    complain('I13', `n${node + 1} is read from, and lacks '${write.text}' of ${key}`);
  }

  #lackOf({ tables, w }: Running, key: string, write: KnownWrite): string | undefined {
    const { layouts } = this.#referee;
    const now = layouts.tables?.get(write.host ?? '')?.map(({ version }) => version);
    for (const layout of tables?.get(write.host ?? '') ?? []) {
      if (now?.includes(layout.version) !== true) continue;
      const needed = Math.min(w, layout.n);
      const shares = this.#shares(key, write, { layout, hints: true });
      if (shares < needed) {
        return `${shares} of ${needed} copies of ${key} by layout ${layout.version}`;
      }
    }
    return undefined;
  }

  /** How many owners' shares of a write are held, each by another node. */
  #shares(
    key: string,
    write: KnownWrite,
    { layout, hints }: { readonly layout: Layout; readonly hints: boolean },
  ): number {
    const { ring, copies, layouts } = this.#referee;
    const owners = layouts.ownerIdsIn(layout, key);
    const shares = new Set<string>();
    const holders = new Set<number>();
    for (const node of ring.present) {
      for (const name of copies.rowsWith(node, key, write)) {
        const isHint = name.startsWith('h');
        const owner = isHint ? targetOf(name) : layouts.idOf(node);
        if (owner === undefined || !owners.includes(owner) || (isHint && !hints)) continue;
        shares.add(owner);
        holders.add(node);
      }
    }
    return Math.min(shares.size, holders.size);
  }
}
