/**
 * The coordinator of a ring with one member: N = R = W = 1, and the one replica is every quorum.
 * `exclusive` here runs its body at once; `gated-coordinator.ts` gives it the data for itself.
 */
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import { digest } from '../causal/record-codec.ts';
import type { Locator } from '../replica/place.ts';
import type { Replica } from '../replica/replica.ts';
import type { Scanner } from '../replica/scanner.ts';
import { tallyExpiring, tallyLive } from '../replica/tallies.ts';
import { partitionOf } from '../ring/slots.ts';
import type { Update, Visible } from '../updates/update.ts';
import { ownRequest, ownUpdate } from './borrowed.ts';
import type {
  Coordinator,
  DatabaseCounts,
  Explanation,
  KeysCoordinator,
  Page,
  PutRequest,
  UpdateResult,
  WriteOptions,
} from './coordinator.ts';
import type { OperationCounts } from './operation-counts.ts';
import { decidePut, decideUpdate, readsNothing, type UpdateLimits } from './update-core.ts';

export interface LocalCoordinatorOptions {
  readonly nodeName: () => string;
  /** The version of the layout. */
  readonly layout: () => number;
  readonly partitions: number;
  readonly locator: Locator;
  /** Keyed by the ring key. */
  readonly digest: (bytes: Buffer) => Buffer;
  /** The running counts of storage/store.ts. */
  readonly tally: (index: number) => number;
  readonly limits: () => UpdateLimits;
  /** Whether the ring still has this one member. */
  readonly isAlone: () => boolean;
}

const alone = { n: 1, r: 1, w: 1 } as const;

export class LocalCoordinator implements Coordinator {
  readonly #replica: Replica;
  readonly #scanner: Scanner;
  readonly #counts: OperationCounts;
  readonly #locator: Locator;
  readonly #options: LocalCoordinatorOptions;

  constructor(
    replica: Replica,
    scanner: Scanner,
    counts: OperationCounts,
    options: LocalCoordinatorOptions,
  ) {
    this.#replica = replica;
    this.#scanner = scanner;
    this.#counts = counts;
    this.#locator = options.locator;
    this.#options = options;
  }

  quorum(): { readonly n: number; readonly r: number; readonly w: number } {
    return alone;
  }

  read(db: number, key: Buffer): Later<Visible | undefined> {
    this.#counts.reads += 1;
    return this.#replica.readVisible(this.#locator.locate(db, key));
  }

  readRecord(db: number, key: Buffer): Later<Record | undefined> {
    this.#counts.reads += 1;
    return this.#replica.readRecord(this.#locator.locate(db, key));
  }

  update(db: number, key: Buffer, update: Update, options?: WriteOptions): Later<UpdateResult> {
    this.#counts.writes += 1;
    const limits = this.#options.limits();
    let change = update;
    let decided = false;
    const answer = this.#replica.mutate(
      this.#locator.locate(db, key),
      (current) => {
        decided = true;
        this.#refuseUnlessAlone();
        return decideUpdate(current, change, limits, options?.context);
      },
      readsNothing(update) ? 'overwrite' : 'change',
    );
    if (!decided) change = ownUpdate(update);
    return answer;
  }

  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector> {
    this.#counts.writes += 1;
    const { siblingLimit } = this.#options.limits();
    let asked = request;
    let decided = false;
    const answer = this.#replica.mutate(this.#locator.locate(db, key), (current) => {
      decided = true;
      this.#refuseUnlessAlone();
      return decidePut(current, asked, siblingLimit);
    });
    if (!decided) asked = ownRequest(request);
    return answer;
  }

  /** What waited for its record here while the ring grew would reach no other owner. */
  #refuseUnlessAlone(): void {
    if (!this.#options.isAlone()) throw new RedisError('CLUSTERDOWN the ring has just grown');
  }

  exclusive<T>(
    _db: number,
    _keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T> {
    return body(this);
  }

  async scan(db: number, cursor: bigint, count: number): Promise<Page> {
    const page = await this.#scanner.page(db, Number(cursor), count);
    return { cursor: BigInt(page.next ?? 0), keys: page.keys };
  }

  randomKey(db: number): Later<Buffer | undefined> {
    return this.#scanner.randomKey(db);
  }

  counts(db: number): DatabaseCounts {
    const { tally } = this.#options;
    return { keys: tally(tallyLive(db)), expires: tally(tallyExpiring(db)) };
  }

  flush(dbs: readonly number[]): Later<void> {
    return this.#replica.flush(dbs);
  }

  coordinatorOf(): KeysCoordinator {
    return 'here';
  }

  holders(): number {
    return 1;
  }

  owners(): readonly string[] {
    return [this.#options.nodeName()];
  }

  explain(db: number, key: Buffer): Later<Explanation> {
    const place = this.#locator.locate(db, key);
    return after(this.#replica.readRecord(place), (record) => ({
      slot: place.slot,
      partition: partitionOf(place.slot, this.#options.partitions),
      layout: this.#options.layout(),
      owners: [
        {
          node: this.#options.nodeName(),
          state: 'up',
          version:
            record.vv.length === 0
              ? undefined
              : digest(record, this.#options.digest).toString('hex'),
          siblings: record.siblings.length,
        },
      ],
      hints: [],
    }));
  }
}
