/**
 * What commands need of the floors above them, as interfaces that those floors implement
 * (STYLE 4.2, floor 5). `node.ts` and `main.ts` hand them in.
 */
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
  /** All (name, value) whose name matches one of the glob patterns. */
  matching(patterns: readonly string[]): readonly (readonly [string, string])[];
  /** All or nothing; throws a RedisError with Redis' text. */
  set(pairs: readonly (readonly [string, string])[]): void;
  onChange(name: string, listener: () => void): void;
}
