/**
 * A coordinator whose `exclusive` is what it says: while the body runs, the operations of everybody
 * else wait at the gate. It holds the gate until its operations have read and decided, which takes
 * one turn when their records are in memory, and until the replica has read them when they are not.
 */
import { own } from '../base/bytes.ts';
import { Deferred, type Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import type { Update, Visible } from '../updates/update.ts';
import { ownRequest, ownUpdate } from './borrowed.ts';
import type {
  Coordinator,
  DatabaseCounts,
  Explanation,
  Page,
  PutRequest,
  ReadOptions,
  UpdateResult,
  WriteOptions,
} from './coordinator.ts';
import { Gate } from './gate.ts';

export class GatedCoordinator implements Coordinator {
  readonly #inside: Coordinator;
  readonly #gate = new Gate();
  readonly #onIdle: (run: () => void) => void;

  /** `onIdle` calls back once no operation that has begun still waits to read its record. */
  constructor(inside: Coordinator, onIdle: (run: () => void) => void) {
    this.#inside = inside;
    this.#onIdle = onIdle;
  }

  exclusive<T>(
    _db: number,
    _keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T> {
    return this.#gate.hold(async () => {
      await this.#idle();
      const outcome = await body(this.#inside);
      await this.#idle();
      return outcome;
    });
  }

  quorum(db: number): { readonly n: number; readonly r: number; readonly w: number } {
    return this.#inside.quorum(db);
  }

  read(db: number, key: Buffer, options?: ReadOptions): Later<Visible | undefined> {
    if (this.#gate.isOpen) return this.#inside.read(db, key, options);
    const kept = own(key);
    return this.#gate.pass(() => this.#inside.read(db, kept, options));
  }

  readRecord(db: number, key: Buffer, options?: ReadOptions): Later<Record | undefined> {
    if (this.#gate.isOpen) return this.#inside.readRecord(db, key, options);
    const kept = own(key);
    return this.#gate.pass(() => this.#inside.readRecord(db, kept, options));
  }

  update(db: number, key: Buffer, update: Update, options?: WriteOptions): Later<UpdateResult> {
    if (this.#gate.isOpen) return this.#inside.update(db, key, update, options);
    const kept = own(key);
    const change = ownUpdate(update);
    return this.#gate.pass(() => this.#inside.update(db, kept, change, options));
  }

  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector> {
    if (this.#gate.isOpen) return this.#inside.put(db, key, request);
    const kept = own(key);
    const asked = ownRequest(request);
    return this.#gate.pass(() => this.#inside.put(db, kept, asked));
  }

  scan(db: number, cursor: bigint, count: number): Later<Page> {
    return this.#gate.pass(() => this.#inside.scan(db, cursor, count));
  }

  randomKey(db: number): Later<Buffer | undefined> {
    return this.#gate.pass(() => this.#inside.randomKey(db));
  }

  counts(db: number): Later<DatabaseCounts> {
    return this.#inside.counts(db);
  }

  flush(dbs: readonly number[]): Later<void> {
    return this.#gate.pass(() => this.#inside.flush(dbs));
  }

  replicasOf(session: number): Later<number> {
    return this.#inside.replicasOf(session);
  }

  owners(db: number, key: Buffer): readonly string[] {
    return this.#inside.owners(db, key);
  }

  explain(db: number, key: Buffer): Later<Explanation> {
    return this.#inside.explain(db, key);
  }

  #idle(): Deferred<void> {
    const idle = new Deferred<void>();
    this.#onIdle(() => idle.settle());
    return idle;
  }
}
