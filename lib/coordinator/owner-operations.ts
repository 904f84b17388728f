/**
 * The writes that this node coordinates itself, as an owner or, when no owner can be reached, as a
 * fallback that writes into its hint (Dynamo 4.5, 4.6). The record is decided and the dot drawn in
 * one turn at this replica (DESIGN 3.3); in that same turn the result goes to the other owners,
 * while the commit here is under way.
 *
 * Three ways to write:
 *   plain        SET covers all that this replica holds. If an owner turns out to hold a winner
 *                that the write has not seen, a second round covers that too, so that of two SETs
 *                one after the other the later one wins whatever the clocks (DESIGN 3.2).
 *   contextual   DYN.PUT, DYN.DEL and tracked SETs cover exactly what their client has seen.
 *   read-modify  reads a quorum first, merges it into what is held here, and decides on that.
 */
import { assert } from '../base/assert.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import { after, Deferred, type Later, outcomeOf } from '../base/later.ts';
import {
  type Dot,
  merge,
  putCoveringAll,
  type Record,
  type Sibling,
  type VersionVector,
} from '../causal/record.ts';
import { compareDots, covered } from '../causal/version-vector.ts';
import type { Current } from '../replica/current.ts';
import type { Place } from '../replica/place.ts';
import type { Decision } from '../replica/replica.ts';
import type { Update } from '../updates/update.ts';
import { BatchedReads } from './batched-reads.ts';
import { ownRequest, ownUpdate } from './borrowed.ts';
import type { PutRequest, UpdateResult } from './coordinator.ts';
import { atDeadline } from './deadlines.ts';
import type { Parts } from './parts.ts';
import { QuorumRead } from './quorum-read.ts';
import { Replication } from './replication.ts';
import { RingWaits, type Waiter } from './ring-waits.ts';
import { decidePut, decideUpdate, readsNothing } from './update-core.ts';

export interface Needs {
  readonly w: number;
  readonly r: number;
}

/** One operation until its deadline. */
interface Life extends Waiter {
  /** What was sent last. */
  replication: Replication | undefined;
}

interface WriteOptions<T> {
  readonly life: Life;
  readonly w: number;
  readonly access: 'change' | 'overwrite';
  /** Plain writes ask whether a winner is there that they have not seen. */
  readonly examine: boolean;
  /** Sends what is held also if nothing changed here: W nodes must hold it all the same. */
  readonly sendsAlways: boolean;
  readonly decide: (current: Current) => Decision<T>;
}

interface Written<T> {
  readonly result: T;
  /** undefined: nothing was written. */
  readonly replication: Replication | undefined;
  readonly unseen: readonly Record[];
}

export class OwnerOperations {
  readonly #parts: Parts;
  readonly #reads: BatchedReads;
  readonly #waits: RingWaits;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#waits = new RingWaits(parts);
    this.#reads = new BatchedReads((place, r) => this.#readQuorum(place, r));
  }

  /** `update` is borrowed for the call. */
  update(
    place: Place,
    update: Update,
    needs: Needs,
    context: VersionVector | undefined,
  ): Later<UpdateResult> {
    const { w } = needs;
    const waits = this.#waits.mustWait(place, w);
    const change = waits ? ownUpdate(update) : update;
    const valueBytes = 'bytes' in update ? update.bytes.length : 0;
    const begin = (life: Life): Later<UpdateResult> => {
      if (context !== undefined) {
        return this.#contextual(place, ownUpdate(change), { life, w, context });
      }
      if (readsNothing(change)) return this.#plain(place, change, { life, w });
      return this.#readModifyWrite(place, ownUpdate(change), { life, ...needs });
    };
    return this.#bounded({ w, valueBytes }, (life) =>
      waits ? this.#waits.reached(place, w, life).then(() => begin(life)) : begin(life),
    );
  }

  /** `request` is borrowed for the call. */
  put(place: Place, request: PutRequest, w: number): Later<VersionVector> {
    const waits = this.#waits.mustWait(place, w);
    const { siblingLimit } = this.#parts.settings().limits;
    const asked = ownRequest(request);
    const begin = (life: Life): Later<VersionVector> =>
      this.#mended(place, () =>
        this.#write(place, {
          life,
          w,
          access: 'change',
          examine: false,
          sendsAlways: true,
          decide: (current) => decidePut(current, asked, siblingLimit),
        }),
      );
    return this.#bounded({ w, valueBytes: request.value?.length ?? 0 }, (life) =>
      waits ? this.#waits.reached(place, w, life).then(() => begin(life)) : begin(life),
    );
  }

  /**
   * Settles once the read-modify-writes of these keys that have begun here have decided, and
   * nothing waits for the ring, whatever its key: there is little of that, and it is over soon.
   */
  async settled(places: readonly Place[]): Promise<void> {
    await this.#waits.settled();
    for (const place of places) await this.#reads.settled(place);
  }

  /**
   * The client has its answer by the deadline. If nothing has been sent by then, because the disk
   * here or the quorum read takes too long, nothing will be.
   */
  #bounded<T>(
    { w, valueBytes }: { readonly w: number; readonly valueBytes: number },
    work: (life: Life) => Later<T>,
  ): Later<T> {
    const { counts } = this.#parts;
    const life: Life = { isOver: false, over: undefined, replication: undefined };
    const answer = new Deferred<T>();
    atDeadline(this.#parts, valueBytes, () => {
      if (!answer.pending) return;
      life.isOver = true;
      life.over?.settle();
      if (life.replication !== undefined) {
        life.replication.expire();
        answer.fail(life.replication.uncertainty);
        return;
      }
      counts.writeFailures += 1;
      answer.fail(new RedisError(`CLUSTERDOWN need ${w} replicas, 0 reachable in time`));
    });
    outcomeOf(
      () => work(life),
      (value) => answer.settle(value),
      (error) => answer.fail(error),
    );
    return answer;
  }

  /** If the record here is damaged, a quorum read puts it right, and the write is tried again. */
  #mended<T>(place: Place, write: () => Deferred<Written<T>>): Later<T> {
    const resultOf = ({ result }: Written<T>): T => result;
    return write().then(resultOf, (error: unknown) => {
      if (!(error instanceof StoreError && error.code === 'corrupt')) throw error;
      const { r } = this.#parts.settings().quorum(place.db);
      return after(this.#readQuorum(place, r), () => write().then(resultOf));
    });
  }

  #plain(
    place: Place,
    update: Update,
    { life, w }: { readonly life: Life; readonly w: number },
  ): Later<UpdateResult> {
    const { limits } = this.#parts.settings();
    let change = update;
    let decided = false;
    const written = this.#write(place, {
      life,
      w,
      access: 'overwrite',
      examine: true,
      sendsAlways: false,
      decide: (current) => {
        decided = true;
        return decideUpdate(current, change, limits, undefined);
      },
    });
    if (!decided) change = ownUpdate(update);
    return after(written, ({ result, replication, unseen }) => {
      const sibling = unseen.length === 0 ? undefined : replication?.record.siblings[0];
      if (sibling === undefined || life.isOver) return result;
      return this.#secondRound(place, { first: sibling, unseen }, { life, w });
    });
  }

  #contextual(
    place: Place,
    update: Update,
    { life, w, context }: { readonly life: Life; w: number; context: VersionVector },
  ): Later<UpdateResult> {
    const { limits } = this.#parts.settings();
    return this.#mended(place, () =>
      this.#write(place, {
        life,
        w,
        access: 'change',
        examine: false,
        sendsAlways: false,
        decide: (current) => decideUpdate(current, update, limits, context),
      }),
    );
  }

  /** Writes the value once more, covering what the first round has found (DESIGN 3.2). */
  #secondRound(
    place: Place,
    { first, unseen }: { readonly first: Sibling; readonly unseen: readonly Record[] },
    { life, w }: { readonly life: Life; readonly w: number },
  ): Later<UpdateResult> {
    this.#parts.counts.secondRounds += 1;
    const written = this.#write(place, {
      life,
      w,
      access: 'change',
      examine: false,
      sendsAlways: true,
      decide: (current) => {
        const record = unseen.reduce(merge, current.record);
        const vv = record.vv;
        const result = { applied: true, before: undefined, after: first, vv };
        if (isSuperseded(record, first.dot)) return { record, result };
        const dot = current.issue(vv);
        const again = putCoveringAll(record, { ...first, dot, order: dot.stamp });
        return { record: again, result: { ...result, vv: again.vv } };
      },
    });
    return after(written, ({ result }) => result);
  }

  async #readModifyWrite(
    place: Place,
    update: Update,
    { life, ...needs }: Needs & { readonly life: Life },
  ): Promise<UpdateResult> {
    const { replica, settings, ring } = this.#parts;
    if (!ring.isOwner(place.slot)) {
      this.#parts.counts.writeFailures += 1;
      throw new RedisError('CLUSTERDOWN need 1 owner of the key, 0 reachable');
    }
    if (ring.isDisputed) await this.#waits.undisputed(life);
    for (;;) {
      const flushStamp = replica.flushed.of(place.db);
      // Not awaited: those who share the read decide one after another in the turn of its answer.
      const decided = this.#reads.join(place, needs.r).then((read) => {
        if (replica.flushed.of(place.db) !== flushStamp) return undefined;
        const { limits } = settings();
        const written = this.#write(place, {
          life,
          w: needs.w,
          // What a quorum holds may take the place of a damaged record.
          access: 'overwrite',
          examine: false,
          sendsAlways: false,
          decide: (current) => decideUpdate(mergedWith(current, read), update, limits, undefined),
        });
        return after(written, ({ result }) => result);
      });
      const result = await decided;
      if (result !== undefined) return result;
    }
  }

  #readQuorum(place: Place, r: number): Later<Record> {
    return new QuorumRead(this.#parts, place, r).start();
  }

  /** Decides, commits and replicates; settles with W copies or fails. */
  #write<T>(place: Place, options: WriteOptions<T>): Deferred<Written<T>> {
    const { replica, hints, ring } = this.#parts;
    const share = this.#shareOf(place);
    const done = new Deferred<Written<T>>();
    let replication: Replication | undefined;
    const decide = (current: Current): Decision<T> => {
      if (options.life.isOver) throw new RedisError('CLUSTERDOWN the time is over');
      const decision = options.decide(current);
      const { result } = decision;
      const record = decision.record ?? (options.sendsAlways ? current.record : undefined);
      if (record !== undefined) {
        const { w, examine, life } = options;
        replication = new Replication(this.#parts, place, record, { w, examine, ownShare: share });
        life.replication = replication;
        replication.start();
        replication.outcome.listen(
          (unseen) => done.settle({ result, replication, unseen }),
          (error) => done.fail(error),
        );
      }
      return decision.record === current.record ? { result } : decision;
    };
    const commit = (): Later<T> =>
      share === ring.self
        ? replica.mutate(place, decide, options.access)
        : hints.coordinate(ring.idBytesOf(share), place, decide);
    outcomeOf(
      commit,
      (result) => {
        if (replication === undefined) done.settle({ result, replication, unseen: [] });
        else replication.ownHeld();
      },
      (error) => {
        if (replication === undefined) done.fail(error);
        else replication.ownMissed();
      },
    );
    return done;
  }

  /** Whose share of the write this node keeps: its own, or that of the first owner who is away. */
  #shareOf({ slot }: Place): number {
    const { ring } = this.#parts;
    if (ring.isOwner(slot)) return ring.self;
    const owners = ring.ownersOf(slot);
    const share = owners.find((owner) => ring.isDown(owner)) ?? owners[0];
    assert(share !== undefined, 'every partition has an owner');
    return share;
  }
}

/** Somebody who had seen the write has replaced it. */
function isSuperseded({ vv, siblings }: Record, dot: Dot): boolean {
  return covered(vv, dot) && !siblings.some((sibling) => compareDots(sibling.dot, dot) === 0);
}

/** What the replica holds, together with what the quorum held. */
function mergedWith(current: Current, read: Record): Current {
  const record = merge(current.record, read);
  return {
    nowMs: current.nowMs,
    vv: record.vv,
    record,
    issue: (context) => current.issue(context),
  };
}
