/**
 * A coordinator whose `exclusive` is what it says: while the body runs, the operations of everybody
 * else on the same slots wait at the gates. They are held until the body's operations have read and
 * decided, which takes one turn when their records are in memory, and until they have been read
 * when they are not.
 */
import { own } from '../base/bytes.ts';
import type { Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import { slotOf } from '../ring/slots.ts';
import type { Update, Visible } from '../updates/update.ts';
import { ownRequest, ownUpdate } from './borrowed.ts';
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
} from './coordinator.ts';
import type { Gates } from './gates.ts';

export interface Gated {
  readonly inside: Coordinator;
  /** What `exclusive` hands to its body. */
  readonly batched: Coordinator;
  /** Settles once no operation on these keys that has begun still waits to read its record. */
  settled(db: number, keys: readonly Buffer[]): Later<void>;
}

export class GatedCoordinator implements Coordinator {
  readonly #gates: Gates;
  #gated: Gated;
  #inside: Coordinator;

  /** `gates` are shared with what peers forward to this node. */
  constructor(gates: Gates, gated: Gated) {
    this.#gates = gates;
    this.#gated = gated;
    this.#inside = gated.inside;
  }

  /** From now on another one coordinates what begins. */
  turnTo(gated: Gated): void {
    this.#gated = gated;
    this.#inside = gated.inside;
  }

  exclusive<T>(
    db: number,
    keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T> {
    return this.#gates.hold(keys.map(slotOf), async () => {
      const { batched, settled } = this.#gated;
      await settled(db, keys);
      const outcome = await body(batched);
      await settled(db, keys);
      return outcome;
    });
  }

  quorum(db: number): { readonly n: number; readonly r: number; readonly w: number } {
    return this.#inside.quorum(db);
  }

  read(db: number, key: Buffer, options?: ReadOptions): Later<Visible | undefined> {
    if (this.#gates.areOpen) return this.#inside.read(db, key, options);
    const kept = own(key);
    return this.#gates.pass(slotOf(kept), () => this.#inside.read(db, kept, options));
  }

  readRecord(db: number, key: Buffer, options?: ReadOptions): Later<Record | undefined> {
    if (this.#gates.areOpen) return this.#inside.readRecord(db, key, options);
    const kept = own(key);
    return this.#gates.pass(slotOf(kept), () => this.#inside.readRecord(db, kept, options));
  }

  update(db: number, key: Buffer, update: Update, options?: WriteOptions): Later<UpdateResult> {
    if (this.#gates.areOpen) return this.#inside.update(db, key, update, options);
    const kept = own(key);
    const change = ownUpdate(update);
    return this.#gates.pass(slotOf(kept), () => this.#inside.update(db, kept, change, options));
  }

  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector> {
    if (this.#gates.areOpen) return this.#inside.put(db, key, request);
    const kept = own(key);
    const asked = ownRequest(request);
    return this.#gates.pass(slotOf(kept), () => this.#inside.put(db, kept, asked));
  }

  scan(db: number, cursor: bigint, count: number): Later<Page> {
    return this.#gates.passAll(() => this.#inside.scan(db, cursor, count));
  }

  randomKey(db: number): Later<Buffer | undefined> {
    return this.#gates.passAll(() => this.#inside.randomKey(db));
  }

  counts(db: number): Later<DatabaseCounts> {
    return this.#inside.counts(db);
  }

  flush(dbs: readonly number[]): Later<void> {
    return this.#gates.passAll(() => this.#inside.flush(dbs));
  }

  coordinatorOf(db: number, keys: readonly Buffer[]): KeysCoordinator {
    return this.#inside.coordinatorOf(db, keys);
  }

  holders(db: number, key: Buffer): Later<number> {
    return this.#inside.holders(db, key);
  }

  owners(db: number, key: Buffer): readonly string[] {
    return this.#inside.owners(db, key);
  }

  explain(db: number, key: Buffer): Later<Explanation> {
    return this.#inside.explain(db, key);
  }
}
