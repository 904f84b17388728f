/**
 * Watches every disk of the ring while it runs, and complains at once (RELIABILITY 3):
 *
 *   I2   a sibling leaves a row only because of an issued write that has seen it, or with all of a
 *        row that the node owns no more and every owner has on its disk
 *   I3   one request makes one write
 *   I10  a dot names one content, everywhere and for ever
 *   I11  an actor writes only where every earlier write of its to the key is remembered
 *   I15  nothing of a refused operation, or of none, is ever stored
 *   I18  a counter never counts more than was asked for
 *   I25  the stamps of a node increase over its whole life
 */
import { fromMapKey, mapKey } from '../../lib/base/bytes.ts';
import {
  emptyRecord,
  type Record,
  type Stamp,
  type VersionVector,
} from '../../lib/causal/record.ts';
import { covered, including } from '../../lib/causal/version-vector.ts';
import { FlushStamps, flushMetaName } from '../../lib/replica/flush-stamps.ts';
import { readStored, type StoredRecord } from '../../lib/replica/stored-record.ts';
import { decodeBatchRow } from '../../lib/storage/batch-row.ts';
import { families, metaKey, parseDataKey } from '../../lib/storage/keys.ts';
import { bodyEnd, bodyStart, isSound } from '../../lib/storage/row.ts';
import type { RowChange } from '../../lib/storage/storage.ts';
import { contentOf, dotName, KeyHistory, type KnownWrite } from './dots.ts';
import type { SimStorage } from './sim-storage.ts';

/** What the ledger asks of the clients: how an operation stands, and what it may supersede. */
export interface Issued {
  /** undefined: no such operation has begun. */
  stateOf(operation: number): 'open' | 'acknowledged' | 'refused' | 'uncertain' | undefined;
  /** Its context, if the operation is a DYN.PUT. */
  contextOf(operation: number): VersionVector | undefined;
  /** Operations that may make only one write. */
  writesOnce(operation: number): boolean;
  incrementsBegun(key: string): number;
}

const hintTargetBytes = 20;
const none: ReadonlySet<string> = new Set();
const flushName = mapKey(metaKey(flushMetaName));

export interface WatchedMachine {
  readonly host: string;
  readonly disk: SimStorage;
  /** Grows with every process. */
  life(): number;
  /** It is no part of the ring any more. */
  isOut?(): boolean;
}

interface Watched {
  readonly node: string;
  readonly disk: SimStorage;
  readonly life: () => number;
  seenLife: number;
  /** Every stamp of this life is above it: the ceiling that its process found. */
  floor: Stamp;
  lastStamp: Stamp;
}

export interface LedgerOptions {
  readonly siblingLimit: number;
  nowMs(): number;
  /** Whether a node may drop all that it holds of a key. */
  mayDrop(host: string, key: string, record: Record): boolean;
  complain(invariant: string, text: string): void;
  /** A rare state was reached. */
  mark(name: string): void;
}

export class Ledger {
  readonly #issued: Issued;
  readonly #crc32: (bytes: Uint8Array, seed?: number) => number;
  readonly #complain: (invariant: string, text: string) => void;
  readonly #options: LedgerOptions;
  /** By the key that clients name. */
  readonly keys = new Map<string, KeyHistory>();
  readonly #names = new Map<string, string>();
  /** By the name of a record: those of the hints for it that any disk has been handed. */
  readonly #hints = new Map<string, Set<string>>();
  /** The highest flush stamp that any disk has been handed. */
  flushedUpTo: Stamp = 0;

  constructor(
    issued: Issued,
    crc32: (bytes: Uint8Array, seed?: number) => number,
    options: LedgerOptions,
  ) {
    this.#issued = issued;
    this.#crc32 = crc32;
    this.#options = options;
    this.#complain = options.complain;
  }

  watch(
    { host, disk, isOut, ...machine }: WatchedMachine,
    heard: (changes: readonly RowChange[]) => void,
  ): void {
    const watched = { node: host, disk, life: machine.life, seenLife: -1, floor: 0, lastStamp: 0 };
    disk.onBatch = (changes) => {
      if (isOut?.() === true) return;
      heard(changes);
      if (watched.seenLife !== watched.life()) {
        watched.seenLife = watched.life();
        watched.floor = this.#ceilingOf(disk);
      }
      this.#batch(watched, changes);
    };
  }

  #ceilingOf({ rows }: SimStorage): Stamp {
    let ceiling = 0;
    for (const [name, row] of rows) {
      if (!name.startsWith('b')) continue;
      const batch = decodeBatchRow(fromMapKey(name), row, this.#crc32);
      ceiling = Math.max(ceiling, batch?.ceiling ?? 0);
    }
    return ceiling;
  }

  historyOf(key: string): KeyHistory {
    let history = this.keys.get(key);
    if (history === undefined) {
      history = new KeyHistory();
      this.keys.set(key, history);
    }
    return history;
  }

  /** Where the record of a key lies; undefined: no disk has been handed any. */
  dataNameOf(key: string): string | undefined {
    return this.#names.get(key);
  }

  /** Where hints of a record may lie. */
  hintNamesOf(dataName: string): ReadonlySet<string> {
    return this.#hints.get(dataName) ?? none;
  }

  get hintNames(): string[] {
    return [...this.#hints.values()].flatMap((names) => [...names]);
  }

  /** The record in a row, if the row is sound. */
  decode(name: string, row: Buffer | undefined): StoredRecord | undefined {
    if (row === undefined || !isSound(fromMapKey(name), row, this.#crc32)) return undefined;
    return readStored(row, bodyStart, bodyEnd(row));
  }

  #batch(watched: Watched, changes: readonly RowChange[]): void {
    const newer = new Map<string, Buffer | undefined>();
    for (const { key, row } of changes) {
      const family = key[0];
      if (family === families.meta) this.#flush(mapKey(key), row);
      if (family !== families.data && family !== families.hint) continue;
      const name = mapKey(key);
      const before = newer.has(name) ? newer.get(name) : watched.disk.rows.get(name);
      newer.set(name, row);
      const [old, next] = [this.decode(name, before), this.decode(name, row)];
      const isRepair = before !== undefined && old === undefined && next !== undefined;
      if (isRepair) this.#options.mark('corrupt record repaired');
      this.#change(watched, name, old, next);
    }
  }

  #noteHint(name: string): void {
    const names = this.#hints.get(dataName(name)) ?? new Set();
    names.add(name);
    this.#hints.set(dataName(name), names);
  }

  #flush(name: string, row: Buffer | undefined): void {
    if (name !== flushName || row === undefined) return;
    const stamps = FlushStamps.decode(row.subarray(bodyStart, bodyEnd(row)));
    this.flushedUpTo = Math.max(this.flushedUpTo, stamps.of(0));
  }

  #change(
    watched: Watched,
    name: string,
    before: StoredRecord | undefined,
    after: StoredRecord | undefined,
  ): void {
    const key = clientKey(name);
    this.#names.set(key, name.startsWith('h') ? dataName(name) : name);
    if (name.startsWith('h')) this.#noteHint(name);
    const history = this.historyOf(key);
    const old = before?.record ?? emptyRecord;
    const next = after?.record ?? emptyRecord;
    const where = `${watched.node} ${name.startsWith('h') ? 'hint of ' : ''}${key}`;
    for (const sibling of next.siblings) {
      const known = history.find(sibling.dot);
      if (known !== undefined && known.content !== contentOf(sibling)) {
        this.#complain(
          'I10',
          `${where}: ${dotName(sibling.dot)} is ${known.content}, and ${contentOf(sibling)}`,
        );
      }
      const write =
        known ?? this.#discover(where, key, history.add(sibling, this.#options.nowMs()));
      // What an earlier process wrote, and its disk has lost, comes back from others.
      const isMine =
        after?.mine.actors.includes(sibling.dot.actor) === true &&
        sibling.dot.stamp > watched.floor;
      if (isMine && !covered(old.vv, sibling.dot)) {
        write.host ??= watched.node;
        if (known === undefined) {
          this.#issue(watched, where, write);
          write.madeInHint = name.startsWith('h');
          this.#countSiblings(where, write, [old, next]);
        }
        if (write.claims === undefined) this.#make(where, history, write, [old, next]);
      }
    }
    if (after === undefined) history.vanishedAtMs = this.#options.nowMs();
    // A hint may go once it has been delivered; the run checks where to.
    if (after === undefined && name.startsWith('h')) return;
    if (after === undefined && this.#options.mayDrop(watched.node, key, old)) return;
    for (const { dot } of old.siblings) {
      if (next.siblings.some((sibling) => dotName(sibling.dot) === dotName(dot))) continue;
      const write = history.find(dot);
      if (write === undefined || write.order <= this.flushedUpTo) continue;
      if (history.explains(write, next.vv)) continue;
      this.#complain('I2', `${where}: ${dotName(dot)} '${write.text}' went, superseded by nobody`);
    }
  }

  /** A write is seen for the first time, wherever that is. */
  #discover(where: string, key: string, write: KnownWrite): KnownWrite {
    for (const operation of write.operations) {
      const state = this.#issued.stateOf(operation);
      if (state === undefined || state === 'refused') {
        this.#complain('I15', `${where}: '${write.text}' of ${state ?? 'no'} operation`);
      }
    }
    // An expiry keeps the order of the value, which another node may have given to its stamp.
    const isNew = write.order === write.dot.stamp && write.expireAtMs === 0;
    const last = write.operations.at(-1);
    if (new Set(write.operations).size < write.operations.length) {
      this.#complain('I3', `${where}: '${write.text}' has one operation twice`);
    }
    if (last !== undefined && isNew) {
      if (write.operations.length === 1) write.claims = this.#issued.contextOf(last);
      const same = this.historyOf(key)
        .of(last)
        .filter(({ order, dot, expireAtMs, operations }) => {
          return order === dot.stamp && expireAtMs === 0 && operations.at(-1) === last;
        });
      if (same.length > 1 && this.#issued.writesOnce(last)) {
        this.#complain('I3', `${where}: operation ${last} made ${same.length} writes`);
      }
    }
    if (key.startsWith('counter') && Number(write.text) > this.#issued.incrementsBegun(key)) {
      this.#complain('I18', `${where}: counts ${write.text}, more than was asked for`);
    }
    return write;
  }

  /** I14: whoever coordinates a write keeps to the limit; merging never refuses. */
  #countSiblings(
    where: string,
    { operations }: KnownWrite,
    [old, next]: readonly [Record, Record],
  ): void {
    const [before, after] = [old.siblings.length, next.siblings.length];
    const context = this.#issued.contextOf(operations.at(-1) ?? -1);
    if (context === undefined) return;
    // One batch may bring what was merged beside it.
    const isAlone = next.siblings.filter(({ dot }) => !covered(old.vv, dot)).length === 1;
    if (isAlone && after > Math.max(before, this.#options.siblingLimit)) {
      this.#complain('I14', `${where}: a write makes ${after} siblings of ${before}`);
    }
    if (old.siblings.filter(({ dot }) => covered(context, dot)).length >= 3) {
      this.#options.mark('3 siblings merged by one write');
    }
  }

  #issue(watched: Watched, where: string, { dot }: KnownWrite): void {
    if (dot.stamp <= watched.lastStamp) {
      this.#complain('I25', `${where}: stamp ${dot.stamp} after ${watched.lastStamp}`);
    }
    watched.lastStamp = Math.max(watched.lastStamp, dot.stamp);
  }

  /** Its coordinator hands it to the disk: now it is known what that held. */
  #make(
    where: string,
    history: KeyHistory,
    write: KnownWrite,
    [old, next]: readonly [Record, Record],
  ): void {
    const { actor } = write.dot;
    const earlier = history.before(write.dot);
    if (earlier !== undefined && !covered(old.vv, earlier)) {
      this.#complain(
        'I11',
        `${where}: ${dotName(write.dot)} is by an actor whose ${dotName(earlier)} is not remembered`,
      );
    }
    const others = next.vv.filter((entry) => entry.actor !== actor);
    const own = old.vv.find((entry) => entry.actor === actor);
    write.claims = own === undefined ? others : including(others, own);
  }
}

/** Of a data or hint row. */
export function clientKey(name: string): string {
  const bytes = fromMapKey(name.startsWith('h') ? dataName(name) : name);
  return parseDataKey(bytes).key.toString('latin1');
}

/** The id of the node that a hint is for. */
export function targetOf(hint: string): string {
  return Buffer.from(hint.slice(1, 1 + hintTargetBytes), 'latin1').toString('hex');
}

/** The name of the data row that a hint stands for. */
export function dataName(hint: string): string {
  return String.fromCharCode(families.data) + hint.slice(1 + hintTargetBytes);
}
