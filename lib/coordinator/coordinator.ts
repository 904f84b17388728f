/**
 * One client operation, whatever stands behind it: one replica or a ring of them. Command handlers
 * know nothing else of the data.
 *
 * Keys are borrowed for the call. Values handed out are the caller's. A failure is a RedisError
 * (`CLUSTERDOWN`, `UNCERTAIN`, `MISCONF`, ...), thrown if the call answers at once, else the
 * failure of its Later.
 */
import type { Later } from '../base/later.ts';
import type { Record, VersionVector } from '../causal/record.ts';
import type { Update, Visible } from '../updates/update.ts';

export interface ReadOptions {
  /** Answers needed; default: the node's R. */
  readonly r?: number;
  /** Only what this node holds. */
  readonly local?: boolean;
}

export interface WriteOptions {
  /** Durable copies needed; default: the node's W. */
  readonly w?: number;
  /** Replaces all that the coordinating replica holds as the context of a plain write (TRACK). */
  readonly context?: VersionVector;
}

export interface UpdateResult {
  /** False: a condition did not hold, or there was nothing to change. */
  readonly applied: boolean;
  /**
   * What a reader saw before. Left out (undefined) where no command answers it: an unconditional
   * `set` that does not read the old value, `append`, `set-range`, the increments.
   */
  readonly before: Visible | undefined;
  /** Left out too for an unconditional `set`, whose caller knows what it wrote. */
  readonly after: Visible | undefined;
  /** What whoever asked for the update may claim to have seen: its context and the write itself. */
  readonly vv: VersionVector;
}

export interface PutRequest {
  readonly context: VersionVector;
  /** undefined: a delete, which removes exactly what the context has seen. */
  readonly value: Buffer | undefined;
  readonly expireAtMs: number;
  readonly w?: number;
}

/** One page of SCAN. cursor 0 ends it. */
export interface Page {
  readonly cursor: bigint;
  readonly keys: readonly Buffer[];
}

export interface Explanation {
  readonly slot: number;
  readonly partition: number;
  readonly layout: number;
  readonly owners: readonly {
    readonly node: string;
    readonly state: 'up' | 'suspect' | 'down' | 'joining' | 'leaving';
    /** Hex digest of vv and dots; undefined = holds nothing. */
    readonly version: string | undefined;
    readonly siblings: number;
  }[];
  readonly hints: readonly {
    readonly holder: string;
    readonly target: string;
    readonly kind: 'load-bearing' | 'courtesy';
  }[];
}

export interface DatabaseCounts {
  readonly keys: number;
  readonly expires: number;
}

/** Another node, which is the first healthy owner. */
export interface PeerRef {
  readonly peer: string;
}

/** Which node coordinates keys together: this one, none, or another. */
export type KeysCoordinator = 'here' | 'several' | PeerRef;

export interface Coordinator {
  /** N as capped by the members, and this node's default R and W for the db. */
  quorum(db: number): { readonly n: number; readonly r: number; readonly w: number };

  /** What a plain GET shows. */
  read(db: number, key: Buffer, options?: ReadOptions): Later<Visible | undefined>;
  /**
   * The merged record as stored, flushed siblings taken out; expired ones and tombstones are still
   * in it. undefined: LOCAL on a node that is no owner.
   */
  readRecord(db: number, key: Buffer, options?: ReadOptions): Later<Record | undefined>;
  /** Runs one update of `updates/` at an owner. */
  update(db: number, key: Buffer, update: Update, options?: WriteOptions): Later<UpdateResult>;
  /**
   * DYN.PUT and DYN.DEL: exactly the client's context. Answers that context and the write itself.
   */
  put(db: number, key: Buffer, request: PutRequest): Later<VersionVector>;

  /**
   * Runs `body` while no other operation of clients touches these keys' slots (EXEC, MSETNX).
   * `body` speaks to the coordinator it is given. Others wait until what `body` returns has
   * settled, so it gives back what only waits for the disk inside an array or an object, which is
   * not waited for.
   */
  exclusive<T>(
    db: number,
    keys: readonly Buffer[],
    body: (inside: Coordinator) => Later<T>,
  ): Later<T>;

  /** Keys that a reader can see; all keys of one (slot, hash32) in one page. */
  scan(db: number, cursor: bigint, count: number): Later<Page>;
  randomKey(db: number): Later<Buffer | undefined>;
  counts(db: number): Later<DatabaseCounts>;
  /** Empties whole databases by stamp. */
  flush(dbs: readonly number[]): Later<void>;

  /** Who is the first healthy owner of all these keys. */
  coordinatorOf(db: number, keys: readonly Buffer[]): KeysCoordinator;
  /** Members that hold everything a quorum knows of the key. */
  holders(db: number, key: Buffer): Later<number>;
  owners(db: number, key: Buffer): readonly string[];
  explain(db: number, key: Buffer): Later<Explanation>;
}
