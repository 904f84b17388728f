/**
 * Where the copies of each write lie, read off the disks: what an acknowledgement has to be true of,
 * and what a fault may destroy without asking for more than the protocol promises (RELIABILITY 4.3,
 * the atlas of faults).
 */
import type { Record, VersionVector } from '../../lib/causal/record.ts';
import { compareVersions, covered, join } from '../../lib/causal/version-vector.ts';
import type { StoredRecord } from '../../lib/replica/stored-record.ts';
import type { KnownWrite } from './dots.ts';
import type { Ledger } from './ledger.ts';
import type { SimRing } from './sim-ring.ts';
import type { SimStorage } from './sim-storage.ts';

export class Copies {
  readonly #ring: SimRing;
  readonly #ledger: Ledger;
  /** Only what a power cut leaves counts as a copy. */
  readonly #synced: boolean;
  /** Machines that are being given up: what is on them is as good as lost. */
  readonly doomed = new Set<number>();
  /** Every copy went with the power, before it was synced, as everysec allows. */
  readonly excused = new Set<KnownWrite | VersionVector>();

  constructor(ring: SimRing, ledger: Ledger, synced: boolean) {
    this.#ring = ring;
    this.#ledger = ledger;
    this.#synced = synced;
  }

  /** Nodes that hold a write, in a record or a hint. */
  holders(key: string, write: KnownWrite): number[] {
    return nodesOf(this.#seen(key), (seen) => covered(seen, write.dot));
  }

  /** Rows of a node that hold a write: its record, and hints that count toward W. */
  rowsWith(node: number, key: string, write: KnownWrite): string[] {
    return this.#rowsOf(node, key).filter((name) => {
      const stored = this.#storedIn(node, name);
      if (stored === undefined || stored.standing === 'courtesy') return false;
      return covered(stored.record.vv, write.dot);
    });
  }

  /** Nodes that have seen all that this context has. */
  aware(key: string, context: VersionVector): number[] {
    // What a flush has hidden need not be remembered.
    const needed = context.filter(({ stamp }) => stamp > this.#ledger.flushedUpTo);
    return nodesOf(this.#seen(key), (seen) => includes(seen, needed));
  }

  /** Nodes that hold a hint of the key. */
  hintHolders(key: string): number[] {
    return this.#ring.present.filter((node) => this.#rowsOf(node, key).some(isHint));
  }

  /** Hints on all disks. */
  hints(): number {
    let count = 0;
    const names = this.#ledger.hintNames;
    for (const node of this.#ring.present) {
      const { rows } = this.#ring.at(node).disk;
      for (const name of names) count += +(rows.get(name) !== undefined);
    }
    return count;
  }

  /** Whether a node has a sound record of the key. */
  isHeldBy(node: number, key: string): boolean {
    const name = this.#ledger.dataNameOf(key) ?? '';
    return this.#ledger.decode(name, this.#ring.at(node).disk.rows.get(name)) !== undefined;
  }

  /** Whether all that `node` holds of this key is held elsewhere too. */
  isSpare(node: number, key: string): boolean {
    const history = this.#ledger.historyOf(key);
    const all = this.#seen(key);
    const own = all[node] ?? [];
    const others = all.toSpliced(node, 1);
    return (
      history.writes.every(({ dot }) => {
        return !covered(own, dot) || others.some((seen) => covered(seen, dot));
      }) &&
      history.removals.every((context) => {
        return !includes(own, context) || others.some((seen) => includes(seen, context));
      })
    );
  }

  /** Whether no node holds a damaged record of this key. */
  isSound(key: string): boolean {
    const name = this.#ledger.dataNameOf(key) ?? '';
    return this.#ring.machines.every(({ disk }) => {
      const row = disk.rows.get(name);
      return row === undefined || this.#ledger.decode(name, row) !== undefined;
    });
  }

  /** Whether the disks of these nodes hold all that a record has, whatever happens to them. */
  areOn(nodes: readonly number[], key: string, { vv }: Record): boolean {
    const name = this.#ledger.dataNameOf(key) ?? '';
    const needed = vv.filter(({ stamp }) => stamp > this.#ledger.flushedUpTo);
    return nodes.every((node) => {
      const stored = this.#ledger.decode(name, this.#ring.at(node).disk.syncedRow(name));
      return includes(stored?.record.vv ?? [], needed);
    });
  }

  /** A copy of this node was taken away: what only it held is lost, as a copied directory may do. */
  excuseAll(disk: SimStorage): void {
    for (const [key, history] of this.#ledger.keys) {
      const data = this.#ledger.dataNameOf(key);
      const names = data === undefined ? [] : [data, ...this.#ledger.hintNamesOf(data)];
      const rows = names.map((name) => this.#ledger.decode(name, disk.rows.get(name)));
      const only = rows.reduce((seen: VersionVector, row) => join(seen, row?.record.vv ?? []), []);
      const all = this.#seen(key);
      for (const write of history.writes) {
        const isOnly = covered(only, write.dot) && !all.some((seen) => covered(seen, write.dot));
        if (isOnly) this.excused.add(write);
      }
      for (const context of history.removals) {
        const isOnly = includes(only, context) && !all.some((seen) => includes(seen, context));
        if (isOnly) this.excused.add(context);
      }
    }
  }

  /** The power has gone: what is nowhere any more was lost as everysec may lose it. */
  excuseLost(): void {
    if (this.#synced) return;
    for (const [key, history] of this.#ledger.keys) {
      const all = this.#seen(key);
      for (const write of history.writes) {
        if (!all.some((seen) => covered(seen, write.dot))) this.excused.add(write);
      }
      for (const context of history.removals) {
        if (!all.some((seen) => includes(seen, context))) this.excused.add(context);
      }
    }
  }

  /** What each node has seen of a key, in its record and in hints. */
  #seen(key: string): VersionVector[] {
    return this.#ring.machines.map((_, node) => {
      let seen: VersionVector = [];
      if (!this.#ring.isPresent(node) || this.doomed.has(node)) return seen;
      for (const name of this.#rowsOf(node, key)) {
        const stored = this.#storedIn(node, name);
        if (stored !== undefined) seen = join(seen, stored.record.vv);
      }
      return seen;
    });
  }

  #storedIn(node: number, name: string): StoredRecord | undefined {
    const { disk } = this.#ring.at(node);
    return this.#ledger.decode(name, this.#synced ? disk.syncedRow(name) : disk.rows.get(name));
  }

  #rowsOf(node: number, key: string): string[] {
    const data = this.#ledger.dataNameOf(key);
    const { rows } = this.#ring.at(node).disk;
    if (data === undefined) return [];
    const names = [data, ...this.#ledger.hintNamesOf(data)];
    return names.filter((name) => rows.get(name) !== undefined);
  }
}

function isHint(name: string): boolean {
  return name.startsWith('h');
}

function nodesOf(seen: readonly VersionVector[], holds: (vv: VersionVector) => boolean): number[] {
  return [...seen.keys()].filter((node) => holds(seen[node] ?? []));
}

function includes(vv: VersionVector, context: VersionVector): boolean {
  const comparison = compareVersions(context, vv);
  return comparison === 'equal' || comparison === 'before';
}
