/**
 * What commands need of the floors above them, as interfaces that those floors implement
 * (STYLE 4.2, floor 5). `node.ts` and `main.ts` hand them in.
 */
import type { Later } from '../base/later.ts';
import type { ContextCodec } from '../causal/context.ts';
import type { PlannedChange } from '../membership/ring-changes.ts';
import type { Refusal } from '../membership/standing.ts';
import type { Plan } from '../ring/changes.ts';
import type { SlotMap } from '../ring/slot-map.ts';
import type { ProcessFacts, System } from '../runtime/ports.ts';
import type { Session } from './session.ts';

/** Buffer sizes of one connection, for CLIENT LIST. All in bytes, or counts where named so. */
export interface ClientUse {
  /** File descriptor, or -1 where there is none. */
  readonly fd: number;
  /** Unparsed input held. */
  readonly queryBytes: number;
  /** Replies not yet taken by the socket. */
  readonly outputBytes: number;
  /** Replies not yet ready. */
  readonly pendingReplies: number;
}

export interface Client {
  readonly session: Session;
  use(): ClientUse;
  /** Closes the connection: at once, or after its pending replies. */
  kill(when: 'now' | 'after-replies'): void;
}

/** The connections of this node, oldest first. */
export interface Clients {
  all(): readonly Client[];
  byId(id: number): Client | undefined;
  readonly count: number;
}

/** Counters of the client side since start (or CONFIG RESETSTAT). */
export interface Traffic {
  connectionsReceived: number;
  connectionsRejected: number;
  bytesRead: number;
  bytesWritten: number;
  /** Clients closed because their output or query buffer passed its limit. */
  outputLimitDisconnections: number;
  queryLimitDisconnections: number;
}

/** The directives in force; CONFIG GET and SET. */
export interface Settings {
  /** Current value as text, as CONFIG GET shows it; asserts that the name is known. */
  text(name: string): string;
  /** Of a numeric, size or yes/no (1/0) directive. */
  number(name: string): number;
  /** Every (name, value); CONFIG GET picks by glob pattern. */
  all(): readonly (readonly [string, string])[];
  /** All or nothing; throws a RedisError with Redis' text. */
  set(pairs: readonly (readonly [string, string])[]): void;
  onChange(name: string, listener: () => void): void;
}

/** The ring as DYN.RING STATUS and CLUSTER show it. */
export interface MemberView {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly zone: string;
  readonly weight: number;
  readonly state: 'up' | 'suspect' | 'down' | 'joining' | 'leaving';
  readonly partitions: number;
  readonly first: number;
  readonly pending: number;
}

export interface Ring {
  readonly version: number;
  readonly transition: number;
  readonly members: readonly MemberView[];
  /** This node's id: 40 hex digits. */
  readonly selfId: string;
}

/** Those that change something settle once it is agreed; all fail with a RedisError. */
export interface RingChanges {
  /** This empty node joins the ring of which a member is there. */
  join(host: string, peerPort: number): Later<void>;
  /** `node`: a name or an id. */
  leave(node: string): Later<void>;
  weight(node: string, weight: number): Later<void>;
  /** `force`: even without a majority. */
  remove(node: string, force: boolean): Later<void>;
  plan(change: PlannedChange): Plan;
}

/** What INFO needs of the process; a snapshot, taken when asked. */
export interface ProcessView extends ProcessFacts {
  /** Absolute path, or empty. */
  readonly configFile: string;
}

/** Fields of one INFO section in their order. */
export type InfoFields = readonly (readonly [name: string, value: string | number])[];

export interface Ports {
  readonly system: System;
  readonly settings: Settings;
  readonly clients: Clients;
  readonly traffic: Traffic;
  readonly contexts: ContextCodec;
  /** As it is now: the states of members change. */
  ring(): Ring;
  /** What cluster clients are shown: the same object for as long as it says the same. */
  slotMap(): SlotMap;
  /** What this node holds of a slot of database 0. */
  keysInSlot(slot: number): Later<number>;
  /** Changes of the ring, as DYN.RING asks for them. */
  readonly changes: RingChanges;
  /** Why this node must not serve its clients, or some of what they ask; undefined: it may. */
  refusal(): Refusal | undefined;
  /** Changes when another member is let in, or the last other one has left. */
  readonly severalMembers: boolean;
  /**
   * Has a peer run what `Dispatcher.runDelegated` takes; its answer is borrowed for the turn. Fails
   * with a RedisError: `CLUSTERDOWN ...` if nothing was sent, else `UNCERTAIN ...`.
   */
  delegate(peer: string, body: Buffer): Later<Buffer>;
  /** Product version, `0.1.0`. */
  readonly version: string;
  /** 40 hex digits, new at every start. */
  readonly runId: string;
  process(): ProcessView;
  /** `# Persistence`-like facts of the storage and the `dynamo` section (DESIGN 2.6). */
  persistence(): InfoFields;
  dynamo(): InfoFields;
  /** Keys removed because their time had come, since start. */
  expiredKeys(): number;
  /** Resets what CONFIG RESETSTAT resets below the commands. */
  resetStatistics(): void;
  /** Begins the clean stop; the process ends soon after. */
  shutdown(): void;
}

/** Whether the node shows itself as a Redis Cluster. */
export function isCluster({ settings }: Pick<Ports, 'settings'>): boolean {
  return settings.number('cluster-enabled') === 1;
}
