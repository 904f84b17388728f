/** An operation that has begun, and what its judges must know of it; who they are. */
import type { VersionVector } from '../../lib/causal/record.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import type { Copies } from './copies.ts';
import type { Layouts } from './layouts.ts';
import type { Ledger } from './ledger.ts';
import type { State } from './requests.ts';
import type { SimConnection } from './sim-connection.ts';
import type { SimRing } from './sim-ring.ts';
import type { Transitions } from './transitions.ts';
import type { Operation } from './workload.ts';

export interface Running {
  readonly operation: Operation;
  state: State;
  /** The node that it is at: a scan moves on. */
  node: number;
  readonly connection: SimConnection;
  /** R and W of its connection. */
  readonly r: number;
  readonly w: number;
  /** The least N of the ring while it ran: neither R nor W is more. */
  n: number;
  readonly tracks: boolean;
  readonly context: string;
  /** Of a DYN.DEL: what it removes. */
  readonly removal: VersionVector;
  /** What each node went by when it began, if there was a change. */
  readonly tables: ReadonlyMap<string, readonly Layout[]> | undefined;
  readonly begunAtMs: number;
  endedAtMs: number;
  reply: unknown;
  /** Nodes that could take part at some moment of it. */
  readonly reached: Set<number>;
  /** Nodes that held hints of the key when it began. */
  readonly hinted: readonly number[];
  /** Nodes that lost data while it ran: they may have held the write. */
  readonly robbed: Set<number>;
  /** The node could not answer in time. */
  hindered: boolean;
}

export interface Referee {
  readonly ring: SimRing;
  readonly ledger: Ledger;
  readonly copies: Copies;
  readonly layouts: Layouts;
  readonly transitions: Transitions;
  /** Since when nothing is wrong with the ring; Infinity: something is. */
  calmSinceMs(): number;
  complain(invariant: string, text: string): void;
  /** A rare state was reached. */
  mark(name: string): void;
}

/** What the judges ask of the clients. */
export interface History {
  stateOf(operation: number): State | undefined;
  /** All that may have changed the key, in the order of their beginning. */
  changesOf(key: string): readonly Running[];
  isFlushed(writes: readonly { readonly order: number }[]): boolean;
  /** Written before the run, left alone since. */
  readonly coldKeys: readonly string[];
  /** Some node has lost data that it had acknowledged. */
  readonly anyRobbed: boolean;
  readonly anyFlush: boolean;
}
