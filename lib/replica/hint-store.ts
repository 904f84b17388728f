/**
 * Records kept for other nodes until they can take them (Dynamo 4.6, RELIABILITY 1.6). A hint is a
 * record, one for each target and key, merged as records are, so their number is bounded by that of
 * the keys. It lies and changes as the node's own records do: the same order of changes per key,
 * the same commits, the same checks. A corrupt one is none (hint-rows.ts).
 *
 *   load-bearing   it counted toward W: a copy that somebody was promised. Merged with another, the
 *                  result is, for ever; nothing drops it but its delivery.
 *   courtesy       beyond W; the first to be refused
 *
 * A fallback that coordinates a write draws its dot from actors that lie with the hint (DESIGN
 * 3.3). A hint that has been handed back takes them along: the next write draws a new one.
 */
import { emptyBytes, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import { merge, type Record, type Stamp } from '../causal/record.ts';
import { withoutFlushed } from '../causal/visible.ts';
import type { System } from '../runtime/ports.ts';
import { hintKey, hintRange, hintsFrom, parseHintKey } from '../storage/keys.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import type { Store } from '../storage/store.ts';
import { type Current, CurrentRow } from './current.ts';
import { growthOf, HintRows, sinceMsOf } from './hint-rows.ts';
import { answerTo, borrowing, mergeInto } from './incoming.ts';
import { Place, placeOfStorageKey } from './place.ts';
import type { Decision, Replica } from './replica.ts';
import { readPage } from './scanner.ts';
import { type HintKind, readRecord, readStanding, sealStored } from './stored-record.ts';

export interface HintStoreOptions {
  /** Asked with each hint that makes them more. */
  readonly hintQuotaBytes: () => number;
}

export interface Hint {
  /** Of the record at its target. */
  readonly place: Place;
  readonly record: Record;
  /** The stored bytes, by which `removeIfUnchanged` knows it again. */
  readonly row: Buffer;
}

interface Kept {
  readonly record: Record;
  readonly kind: HintKind;
}

export class HintStore {
  readonly #replica: Replica;
  readonly #store: Store;
  readonly #system: System;
  readonly #options: HintStoreOptions;
  readonly #rows: HintRows;

  constructor(replica: Replica, store: Store, system: System, options: HintStoreOptions) {
    this.#replica = replica;
    this.#store = store;
    this.#system = system;
    this.#options = options;
    this.#rows = new HintRows(replica.rows, store, system);
  }

  /** Looks through what an earlier process has left. */
  start(): void {
    this.#rows.lookThrough();
  }

  /** Those that are corrupt and have not gone yet are among them. */
  get pending(): number {
    return this.#rows.pending;
  }

  get loadBearing(): number {
    return this.#rows.loadBearing;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Since when the oldest hint has been kept, some seconds old; 0 = there is none. */
  get oldestAtMs(): number {
    return this.#rows.oldestAtMs;
  }

  /**
   * Merges a record into the hint for a node; settles with the merged one, flushed siblings taken
   * out, once it is committed. A RedisError at the quota: nothing has changed. `incoming` is
   * borrowed for the call, and the answer's values are as those of `Replica.absorb`.
   */
  keep(target: Buffer, place: Place, incoming: Record, kind: HintKind): Later<Record> {
    this.#replica.peerStamps.observe(incoming.vv);
    const hint = hintPlace(target, place);
    return borrowing(incoming, (take) =>
      this.#rows.change(hint, (row) => {
        const brought = take();
        const current = this.#current(row, 0);
        const merged = mergeInto(current, brought);
        const held = row && kindOf(row);
        const next = held === 'load-bearing' ? held : kind;
        const record = merged ?? current.record;
        const result = answerTo(brought, withoutFlushed(record, this.#flushStamp(place)));
        if (merged === undefined && next === held) return { result };
        const sealed = this.#seal(hint, row, current, { record, kind: next });
        this.#refuseBeyondQuota(growthOf(hint, row, sealed));
        return { row: sealed, result };
      }),
    );
  }

  /**
   * As `Replica.mutate`, for a fallback that coordinates a write in the place of `target`: what it
   * decides becomes a load-bearing hint. The quota is asked before, because a dot that has been
   * drawn may be on its way to others, and the actors must remember it; so one hint may exceed it.
   */
  coordinate<T>(target: Buffer, place: Place, decide: (current: Current) => Decision<T>): Later<T> {
    const hint = hintPlace(target, place);
    return this.#rows.change(hint, (row) => {
      this.#refuseBeyondQuota(1);
      const current = this.#current(row, this.#flushStamp(place));
      const { record, result } = decide(current);
      if (record === undefined) return { result };
      return { row: this.#seal(hint, row, current, { record, kind: 'load-bearing' }), result };
    });
  }

  /**
   * All that is kept of a key for these nodes, merged, flushed siblings taken out; the bytes are
   * the caller's. undefined: no hint.
   */
  read(targets: readonly Buffer[], place: Place): Later<Record | undefined> {
    let merged: Later<Record | undefined>;
    for (const target of targets) {
      merged = after(merged, (held) =>
        after(this.#readOne(target, place), (found) => {
          if (held === undefined || found === undefined) return held ?? found;
          return merge(held, found);
        }),
      );
    }
    return merged;
  }

  /** For which of these nodes a hint for the key is kept. */
  list(
    place: Place,
    targets: readonly Buffer[],
  ): Later<readonly (readonly [target: Buffer, kind: HintKind])[]> {
    let listed: Later<readonly (readonly [Buffer, HintKind])[]> = [];
    for (const target of targets) {
      listed = after(listed, (before) =>
        after(
          this.#rows.read(hintPlace(target, place), (row) => row && kindOf(row)),
          (kind) => (kind === undefined ? before : [...before, [target, kind] as const]),
        ),
      );
    }
    return listed;
  }

  /**
   * The first hints for a node in the order of the keys, or those behind a data key; none = the
   * end. Records as they are, flushed or expired; corrupt rows are removed on the way.
   */
  async page(target: Buffer, behind: Buffer | undefined, count: number): Promise<readonly Hint[]> {
    const cursor = this.#store.cursor(hintRange(target, behind));
    const hints: Hint[] = [];
    try {
      while (hints.length < count) {
        const rows = await cursor.next(count - hints.length);
        if (rows.length === 0) break;
        for (const { key, value } of rows) {
          const row = this.#store.sound(key, value) ? value : await this.#rows.newest(key);
          if (row !== undefined) hints.push(hintOf(key, row));
        }
      }
    } finally {
      await cursor.close();
    }
    return hints;
  }

  /** Deletes a hint that its target has synced, unless it has changed since. */
  removeIfUnchanged(target: Buffer, place: Place, row: Buffer): Later<boolean> {
    const hint = hintPlace(target, place);
    return this.#rows.change(hint, (found) => {
      if (found === undefined || !found.equals(row)) return { result: false };
      return { row: emptyBytes, result: true };
    });
  }

  /** The nodes for which there are hints. */
  async targets(): Promise<readonly Buffer[]> {
    const targets: Buffer[] = [];
    for (;;) {
      const range = { ...hintsFrom(targets.at(-1)), keysOnly: true };
      const [first] = await readPage(this.#store, range, 1);
      if (first === undefined) return targets;
      targets.push(own(parseHintKey(first.key).target));
    }
  }

  #readOne(target: Buffer, place: Place): Later<Record | undefined> {
    return this.#rows.read(hintPlace(target, place), (row) => {
      if (row === undefined) return undefined;
      const owned = own(row);
      const record = readRecord(owned, bodyStart, bodyEnd(owned));
      return withoutFlushed(record, this.#flushStamp(place));
    });
  }

  #flushStamp({ db }: Place): Stamp {
    return this.#replica.flushed.of(db);
  }

  #current(row: Buffer | undefined, flushStamp: Stamp): CurrentRow {
    return new CurrentRow(row, flushStamp, this.#system.clock.wallMs(), this.#replica.issuers);
  }

  #seal(hint: Place, row: Buffer | undefined, current: CurrentRow, next: Kept): Buffer {
    const { mine, nowMs } = current;
    const { record, kind: standing } = next;
    const agendaAtMs = row === undefined ? nowMs : sinceMsOf(row);
    const stored = { standing, agendaAtMs, mine, record };
    return sealStored(hint.storageKey, stored, this.#system.hashes.crc32);
  }

  #refuseBeyondQuota(grownBytes: number): void {
    const bytes = this.#rows.comingBytes + grownBytes;
    if (grownBytes > 0 && bytes > this.#options.hintQuotaBytes()) {
      throw new RedisError('ERR hint quota reached');
    }
  }
}

/** Where the hint lies, in the order of changes of its own. */
function hintPlace(target: Buffer, { db, slot, hash32, storageKey }: Place): Place {
  return new Place(db, slot, hash32, hintKey(target, storageKey));
}

function hintOf(key: Buffer, row: Buffer): Hint {
  return {
    place: placeOfStorageKey(parseHintKey(key).dataKey),
    record: readRecord(row, bodyStart, bodyEnd(row)),
    row,
  };
}

function kindOf(row: Buffer): HintKind {
  const { standing } = readStanding(row, bodyStart);
  return standing === 'load-bearing' ? standing : 'courtesy';
}
