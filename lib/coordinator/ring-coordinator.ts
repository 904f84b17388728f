/**
 * Any node coordinates (Dynamo 4.4): reads always here, plain writes here if this node is an owner,
 * else at the first healthy owner, read-modify-writes at the first owner that is not down, so that
 * those of one key meet (DESIGN 3.2). A request goes on at most once.
 */
import { after, type Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import { visible } from '../causal/visible.ts';
import type { Place } from '../replica/place.ts';
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
import { explain, holders } from './explain.ts';
import { type ForwardPlan, forward } from './forward.ts';
import type { OwnSlots } from './own-slots.ts';
import type { Needs, OwnerOperations } from './owner-operations.ts';
import type { Parts, Quorum } from './parts.ts';
import { decodeUpdateResult, decodeVersionVector } from './peer-messages.ts';
import { QuorumRead } from './quorum-read.ts';
import { flushRing } from './ring-flush.ts';
import { countRing, randomKeyOfRing, scanRing } from './ring-scan.ts';
import { anyOwner, firstOwner } from './routes.ts';
import { readsNothing } from './update-core.ts';

export interface RingCoordinatorOptions {
  /** Whether a plain SET whose coordinator fell silent is sent to the next; never in an EXEC. */
  readonly repeats: boolean;
  /** Whole databases are only its slots; left out: the whole ring's. */
  readonly ownSlots?: OwnSlots | undefined;
}

export class RingCoordinator implements Coordinator {
  readonly #parts: Parts;
  readonly #here: OwnerOperations;
  readonly #options: RingCoordinatorOptions;

  constructor(parts: Parts, here: OwnerOperations, options: RingCoordinatorOptions) {
    this.#parts = parts;
    this.#here = here;
    this.#options = options;
  }

  quorum(db: number): Quorum {
    return this.#parts.settings().quorum(db);
  }

  read(db: number, key: Buffer, options?: ReadOptions): Later<Visible | undefined> {
    return after(this.readRecord(db, key, options), (record) => {
      if (record === undefined) return undefined;
      return visible(record, this.#parts.system.clock.wallMs());
    });
  }

  readRecord(db: number, key: Buffer, options?: ReadOptions): Later<Record | undefined> {
    const { counts, locator, ring, replica } = this.#parts;
    counts.reads += 1;
    const place = locator.locate(db, key);
    if (options?.local === true) {
      return ring.isOwner(place.slot) ? replica.readRecord(place) : undefined;
    }
    const r = options?.r ?? this.quorum(db).r;
    return after(
      this.#parts.throttle.run(() => new QuorumRead(this.#parts, place, r).start()),
      (record) => {
        if (record.siblings.length > 1) replica.readsWithSiblings += 1;
        return record;
      },
    );
  }

  update(db: number, key: Buffer, update: Update, options?: WriteOptions): Later<UpdateResult> {
    const { throttle, locator } = this.#parts;
    const place = locator.locate(db, key);
    const change = throttle.isFull ? ownUpdate(update) : update;
    return throttle.run(() => this.#update(place, change, options));
  }

  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector> {
    const { throttle, locator } = this.#parts;
    const place = locator.locate(db, key);
    const asked = throttle.isFull ? ownRequest(request) : request;
    return throttle.run(() => this.#put(place, asked));
  }

  /** `gated-coordinator.ts` holds the keys meanwhile. */
  exclusive<T>(
    _db: number,
    _keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T> {
    return body(this);
  }

  scan(db: number, cursor: bigint, count: number): Later<Page> {
    const from = Number(cursor);
    const { ownSlots } = this.#options;
    if (ownSlots !== undefined) return ownSlots.scan(this.#parts, from, count);
    return scanRing(this.#parts, { db, from, count });
  }

  randomKey(db: number): Later<Buffer | undefined> {
    const { ownSlots } = this.#options;
    return ownSlots?.randomKey(this.#parts) ?? randomKeyOfRing(this.#parts, db);
  }

  counts(db: number): Later<DatabaseCounts> {
    return this.#options.ownSlots?.count(this.#parts) ?? countRing(this.#parts, db);
  }

  flush(dbs: readonly number[]): Later<void> {
    return flushRing(this.#parts, dbs);
  }

  coordinatorOf(db: number, keys: readonly Buffer[]): KeysCoordinator {
    const { ring, locator } = this.#parts;
    const firsts = new Set(
      keys.map((key) => firstOwner(this.#parts, locator.locate(db, key))[0] ?? ring.self),
    );
    const [first] = firsts;
    if (firsts.size > 1) return 'several';
    return first === undefined || first === ring.self ? 'here' : { peer: ring.idOf(first) };
  }

  holders(db: number, key: Buffer): Later<number> {
    return holders(this.#parts, this.#parts.locator.locate(db, key));
  }

  owners(db: number, key: Buffer): readonly string[] {
    const { ring, locator } = this.#parts;
    return ring.ownersOf(locator.locate(db, key).slot).map((member) => ring.nameOf(member));
  }

  explain(db: number, key: Buffer): Later<Explanation> {
    return explain(this.#parts, this.#parts.locator.locate(db, key));
  }

  #update(place: Place, update: Update, options: WriteOptions | undefined): Later<UpdateResult> {
    const needs = this.#needs(place.db, options?.w);
    const context = options?.context;
    const plain = context === undefined && readsNothing(update);
    const route = plain || context !== undefined ? anyOwner : firstOwner;
    const newRoutes = (): readonly number[] => route(this.#parts, place);
    const routes = newRoutes();
    const change = this.#mayComeBack(routes) ? ownUpdate(update) : update;
    return this.#write(place, {
      routes,
      newRoutes,
      needs,
      repeatable: plain && this.#options.repeats,
      what: { op: 'update', update, context },
      decode: decodeUpdateResult,
      here: () => this.#here.update(place, change, needs, context),
    });
  }

  #put(place: Place, request: PutRequest): Later<VersionVector> {
    const needs = this.#needs(place.db, request.w);
    const newRoutes = (): readonly number[] => anyOwner(this.#parts, place);
    const routes = newRoutes();
    const asked = this.#mayComeBack(routes) ? ownRequest(request) : request;
    return this.#write(place, {
      routes,
      newRoutes,
      needs,
      repeatable: false,
      what: { op: 'put', request },
      decode: decodeVersionVector,
      here: () => this.#here.put(place, asked, needs.w),
    });
  }

  #needs(db: number, w: number | undefined): Needs {
    const usual = this.quorum(db);
    return { r: usual.r, w: w ?? usual.w };
  }

  /** What is borrowed for the call will not do where this node's turn comes later. */
  #mayComeBack(routes: readonly number[]): boolean {
    const { ring } = this.#parts;
    return routes.indexOf(ring.self) > 0 || ring.layouts.length > 1;
  }

  #write<T>(place: Place, plan: ForwardPlan<T>): Later<T> {
    this.#parts.counts.writes += 1;
    return plan.routes[0] === this.#parts.ring.self
      ? plan.here()
      : forward(this.#parts, place, plan);
  }
}
