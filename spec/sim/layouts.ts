/**
 * Which layouts the nodes of a ring have adopted, read off their disks whenever one is written.
 *
 *   I12   a version number has one content, whoever adopts it, for ever
 *
 * It knows whose each partition is at any moment, so that the other judges need not ask the nodes.
 */
import { mapKey } from '../../lib/base/bytes.ts';
import { decodeState } from '../../lib/membership/ballot-messages.ts';
import { decodeGeneration, type Generation, ringNames } from '../../lib/membership/ring-rows.ts';
import { encodeLayout, type Layout } from '../../lib/ring/layout.ts';
import { partitionOf, slotOf } from '../../lib/ring/slots.ts';
import { families, metaKey } from '../../lib/storage/keys.ts';
import { bodyEnd, bodyStart } from '../../lib/storage/row.ts';
import type { RowChange } from '../../lib/storage/storage.ts';
import type { SimRing } from './sim-ring.ts';

const ringRows: readonly string[] = ringNames.map((name) => mapKey(metaKey(name)));
const nodeRow = mapKey(metaKey('node'));
const ballotName = mapKey(metaKey('ballot'));

interface Adopted {
  readonly layout: Layout;
  readonly atMs: number;
  readonly bytes: Buffer;
  readonly by: string;
}

export interface LayoutsOptions {
  complain(invariant: string, text: string): void;
  mark(name: string): void;
  /** A table says for the first time that it is read from. */
  isRead(layout: Layout): void;
}

export class Layouts {
  readonly #ring: SimRing;
  readonly #options: LayoutsOptions;
  /** By version. */
  readonly #adopted = new Map<number, Adopted>();
  readonly #tables = new WeakMap<Buffer, Generation>();
  readonly #ids = new WeakMap<Buffer, string>();
  #settled: Layout | undefined;
  /** The newest that anybody has read from. */
  #read = 0;
  /** When a member first adopted the latest of those that have more members. */
  grewAtMs = Number.NEGATIVE_INFINITY;
  /** The highest n of all layouts that ever were. */
  mostN = 1;

  constructor(ring: SimRing, options: LayoutsOptions) {
    this.#ring = ring;
    this.#options = options;
  }

  /** A node of this ring, or a copy of one, is about to write. */
  note(host: string, changes: readonly RowChange[]): void {
    for (const { key, row } of changes) {
      if (row === undefined || key[0] !== families.meta) continue;
      const name = mapKey(key);
      if (name === ballotName) this.#noteBallot(row);
      if (!ringRows.includes(name)) continue;
      const { layouts, reading } = tableIn(row);
      const isNew = !this.#adopted.has(layouts.at(-1)?.version ?? 0);
      if (isNew && layouts.length > 2) this.#options.mark('a change was given up');
      for (const layout of layouts) this.#adopt(host, layout);
      const layout = layouts.find(({ version }) => version === reading);
      if (layout === undefined || reading <= this.#read) continue;
      this.#read = reading;
      this.#options.isRead(layout);
    }
  }

  /** The newest layout of all. */
  get newest(): Layout | undefined {
    return this.#adopted.get(Math.max(0, ...this.#adopted.keys()))?.layout;
  }

  /** Some node has two layouts. */
  get isChanging(): boolean {
    return this.#tablesNow().some(({ layouts }) => layouts.length > 1);
  }

  /** What each goes by, by host, while some node has two layouts. */
  get tables(): ReadonlyMap<string, readonly Layout[]> | undefined {
    if (this.#settled !== undefined || !this.isChanging) return undefined;
    return new Map(
      this.#ring.present.map((node) => {
        return [this.#ring.at(node).host, this.tableOf(node)?.layouts ?? []];
      }),
    );
  }

  /** When the first node was about to adopt it. */
  adoptedAtMs(version: number): number {
    return this.#adopted.get(version)?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  /** The lowest n of the layouts in use. */
  get leastN(): number {
    if (this.#settled !== undefined) return this.#settled.n;
    return Math.min(...this.#tablesNow().flatMap(({ layouts }) => layouts.map(({ n }) => n)));
  }

  /** Whose the key is in any layout that somebody uses. */
  ownersOf(key: string): readonly number[] {
    const nodes = new Set<number>();
    for (const layout of this.inUse) {
      for (const node of this.ownersIn(layout, key)) nodes.add(node);
    }
    return [...nodes];
  }

  /** Whether it is any of the node's business, in a layout that it uses itself. */
  isOwner(node: number, key: string): boolean {
    const layouts = this.#settled ? [this.#settled] : (this.tableOf(node)?.layouts ?? []);
    return layouts.some((layout) => this.ownersIn(layout, key).includes(node));
  }

  /** Whether any layout that was ever adopted is so. */
  wasEver(holds: (layout: Layout) => boolean): boolean {
    return [...this.#adopted.values()].some(({ layout }) => holds(layout));
  }

  /** All nodes say that they go by the newest alone, whatever is left on a disk. */
  settle(): void {
    this.#settled = this.newest;
  }

  idOf(node: number): string | undefined {
    const row = this.#ring.at(node).disk.rows.get(nodeRow);
    return row && remembered(this.#ids, row, idIn);
  }

  /** What the node has on its disk. */
  tableOf(node: number): Generation | undefined {
    const { rows } = this.#ring.at(node).disk;
    let newest: Generation | undefined;
    for (const name of ringRows) {
      const row = rows.get(name);
      const table = row && remembered(this.#tables, row, tableIn);
      if ((table?.generation ?? 0) > (newest?.generation ?? 0)) newest = table;
    }
    return newest;
  }

  /** Of all nodes, each once. */
  get inUse(): readonly Layout[] {
    if (this.#settled !== undefined) return [this.#settled];
    const layouts = this.#tablesNow().flatMap((table) => table.layouts);
    return [...new Map(layouts.map((layout) => [layout.version, layout])).values()];
  }

  ownersIn(layout: Layout, key: string): number[] {
    const nodes = this.ownerIdsIn(layout, key).map((id) => this.#nodeOf(id));
    return nodes.filter((node) => node !== undefined);
  }

  ownerIdsIn({ n, owners, members, partitions }: Layout, key: string): string[] {
    const first = n * partitionOf(slotOf(Buffer.from(key, 'latin1')), partitions);
    return [...owners.subarray(first, first + n)].map((index) => members[index] ?? '');
  }

  #tablesNow(): readonly Generation[] {
    return this.#ring.present
      .map((node) => this.tableOf(node))
      .filter((table) => table !== undefined);
  }

  #nodeOf(id: string | undefined): number | undefined {
    return [...this.#ring.machines.keys()].find((node) => this.idOf(node) === id);
  }

  #noteBallot(row: Buffer): void {
    const { promised } = decodeState(row.subarray(bodyStart, bodyEnd(row)));
    if (promised.round > 1) this.#options.mark('a ballot in several rounds');
  }

  #adopt(host: string, layout: Layout): void {
    const bytes = encodeLayout(layout);
    const known = this.#adopted.get(layout.version);
    if (known === undefined) this.#first(host, layout, bytes);
    else if (!known.bytes.equals(bytes)) {
      const text = `${host} adopts another layout ${layout.version} than ${known.by}`;
      this.#options.complain('I12', text);
    }
  }

  #first(host: string, layout: Layout, bytes: Buffer): void {
    const { version, members, n } = layout;
    const before = this.#adopted.get(version - 1)?.layout.members;
    this.#adopted.set(version, { layout, bytes, by: host, atMs: this.#ring.time.nowMs });
    this.mostN = Math.max(this.mostN, n);
    this.#ring.trace.add(host, `layout ${version}: n ${n}, ${members.length} members`);
    const joined = before === undefined ? [] : members.filter((id) => !before.includes(id));
    if (joined.length > 0) this.grewAtMs = this.#ring.time.nowMs;
    if (joined.length > 1) this.#options.mark('two joins in one version');
    if (before?.length === 1 && members.length > 1) this.#options.mark('a ring of one grew');
  }
}

/** A row is never changed in place. */
function remembered<T>(known: WeakMap<Buffer, T>, row: Buffer, read: (row: Buffer) => T): T {
  const value = known.get(row) ?? read(row);
  known.set(row, value);
  return value;
}

function idIn(row: Buffer): string {
  return row.subarray(bodyStart + 1, bodyEnd(row)).toString('hex');
}

function tableIn(row: Buffer): Generation {
  return decodeGeneration(row.subarray(bodyStart, bodyEnd(row)));
}
