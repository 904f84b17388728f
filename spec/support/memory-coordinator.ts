/**
 * A coordinator over a Map, with the same algebra as the real one and nothing of disk, cache or
 * queue: for specs of what commands make of answers. `late` makes every answer come in a later
 * turn, `lag` lets even what is done be done later; `refuse` makes operations on a key fail.
 */
import { mapKey, own } from '../../lib/base/bytes.ts';
import { after, Deferred, type Later } from '../../lib/base/later.ts';
import { emptyRecord, type Record, type VersionVector } from '../../lib/causal/record.ts';
import { StampClock } from '../../lib/causal/stamp-clock.ts';
import { visible } from '../../lib/causal/visible.ts';
import type { Way } from '../../lib/commands/in-flight.ts';
import type {
  Coordinator,
  DatabaseCounts,
  Explanation,
  KeysCoordinator,
  Page,
  PutRequest,
  ReadOptions,
  UpdateResult,
  WriteOptions,
} from '../../lib/coordinator/coordinator.ts';
import { decidePut, decideUpdate, readsNothing } from '../../lib/coordinator/update-core.ts';
import { partitionOf, slotOf } from '../../lib/ring/slots.ts';
import type { Update, Visible } from '../../lib/updates/update.ts';

export interface MemoryCoordinatorOptions {
  readonly wallMs: () => number;
  /** How many replicas the ring claims to have. */
  readonly n?: number;
}

export class MemoryCoordinator implements Coordinator {
  late = false;
  /** An operation is done, and answered, once this has settled. */
  lag: ((way: Way) => PromiseLike<void>) | undefined;
  /** By key (latin1): the peer that coordinates it, and how many members hold it (else all). */
  readonly coordinators = new Map<string, string>();
  readonly held = new Map<string, number>();
  /** Keys (latin1) whose operations fail, and how. */
  readonly refuse = new Map<string, Error>();
  /** The options of every operation, for what R, W and context it carried. */
  readonly asked: { readonly r?: number; readonly w?: number; readonly context?: VersionVector }[] =
    [];
  readonly #records = new Map<number, Map<string, Record>>();
  readonly #clock = new StampClock(0);
  readonly #wallMs: () => number;
  readonly #n: number;
  #actor = 1;

  constructor({ wallMs, n = 1 }: MemoryCoordinatorOptions) {
    this.#wallMs = wallMs;
    this.#n = n;
  }

  quorum(): { readonly n: number; readonly r: number; readonly w: number } {
    const majority = Math.floor(this.#n / 2) + 1;
    return { n: this.#n, r: majority, w: majority };
  }

  read(db: number, key: Buffer, options?: ReadOptions): Later<Visible | undefined> {
    return after(this.readRecord(db, key, options), (record) => visible(record, this.#wallMs()));
  }

  readRecord(db: number, key: Buffer, options: ReadOptions = {}): Later<Record> {
    this.asked.push(options);
    const kept = own(key);
    return this.#answer(kept, 'read', () => this.#record(db, kept));
  }

  update(db: number, key: Buffer, update: Update, options: WriteOptions = {}): Later<UpdateResult> {
    this.asked.push(options);
    const owned = 'bytes' in update ? { ...update, bytes: own(update.bytes) } : update;
    const limits = { stringBytesMax: 512 * 1024 * 1024, siblingLimit: 100 };
    const kept = own(key);
    return this.#answer(kept, readsNothing(update) ? 'overwrite' : 'change', () => {
      const decision = decideUpdate(this.#current(db, kept), owned, limits, options.context);
      return this.#store(db, kept, decision);
    });
  }

  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector> {
    this.asked.push(request);
    const value = request.value && own(request.value);
    const kept = own(key);
    return this.#answer(kept, 'context', () => {
      const decision = decidePut(this.#current(db, kept), { ...request, value }, 100);
      return this.#store(db, kept, decision);
    });
  }

  exclusive<T>(
    _db: number,
    _keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T> {
    return body(this);
  }

  scan(db: number, cursor: bigint, count: number): Later<Page> {
    const keys = this.#visibleKeys(db);
    const start = Number(cursor);
    const end = start + count;
    const next = end < keys.length ? BigInt(end) : 0n;
    return this.#later(() => ({ cursor: next, keys: keys.slice(start, end) }));
  }

  randomKey(db: number): Later<Buffer | undefined> {
    return this.#later(() => this.#visibleKeys(db)[0]);
  }

  counts(db: number): Later<DatabaseCounts> {
    return this.#later(() => ({ keys: this.#visibleKeys(db).length, expires: 0 }));
  }

  flush(dbs: readonly number[]): Later<void> {
    for (const db of dbs) this.#records.delete(db);
    return this.#later(() => undefined);
  }

  coordinatorOf(_db: number, keys: readonly Buffer[]): KeysCoordinator {
    const [first, ...others] = new Set(keys.map((key) => this.coordinators.get(mapKey(key))));
    if (others.length > 0) return 'several';
    return first === undefined ? 'here' : { peer: first };
  }

  holders(_db: number, key: Buffer): Later<number> {
    return this.#answer(key, 'read', () => this.held.get(mapKey(key)) ?? this.#n);
  }

  owners(): readonly string[] {
    return ['n1'];
  }

  explain(db: number, key: Buffer): Later<Explanation> {
    const slot = slotOf(key);
    const siblings = this.#record(db, key).siblings.length;
    const owner = { node: 'n1', state: 'up', version: undefined, siblings } as const;
    const hint = { holder: 'n2', target: 'n3', kind: 'courtesy' } as const;
    return { slot, partition: partitionOf(slot, 1024), layout: 1, owners: [owner], hints: [hint] };
  }

  #record(db: number, key: Buffer): Record {
    return this.#records.get(db)?.get(mapKey(key)) ?? emptyRecord;
  }

  #current(db: number, key: Buffer) {
    const nowMs = this.#wallMs();
    const record = this.#record(db, key);
    return {
      record,
      vv: record.vv,
      nowMs,
      // An actor for each write: a context then covers exactly what its client has seen.
      issue: () => {
        this.#actor += 1;
        return { actor: this.#actor, stamp: this.#clock.tick(nowMs) };
      },
    };
  }

  #store<T>(db: number, key: Buffer, decision: { record?: Record; result: T }): T {
    if (decision.record !== undefined) {
      const records = this.#records.get(db) ?? new Map<string, Record>();
      records.set(mapKey(key), decision.record);
      this.#records.set(db, records);
    }
    return decision.result;
  }

  #visibleKeys(db: number): Buffer[] {
    return [...(this.#records.get(db) ?? [])]
      .filter(([, record]) => visible(record, this.#wallMs()) !== undefined)
      .map(([text]) => Buffer.from(text, 'latin1'))
      .sort(Buffer.compare);
  }

  #answer<T>(key: Buffer, way: Way, run: () => T): Later<T> {
    const error = this.refuse.get(mapKey(key));
    const runOrFail = () => {
      if (error !== undefined) throw error;
      return run();
    };
    return this.lag === undefined
      ? this.#later(runOrFail)
      : Promise.resolve(this.lag(way)).then(runOrFail);
  }

  /** What is done is done now; only the answer is late, as from a disk. */
  #later<T>(run: () => T): Later<T> {
    if (!this.late) return run();
    const answer = new Deferred<T>();
    try {
      const value = run();
      setImmediate(() => answer.settle(value));
    } catch (error) {
      setImmediate(() => answer.fail(error));
    }
    return answer;
  }
}
