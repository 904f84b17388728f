import type { VersionVector } from '../causal/record.ts';

/** A command waiting for EXEC; owns its bytes. */
export interface QueuedCommand {
  readonly args: readonly Buffer[];
}

/** What WATCH saw of a key: a version text, equal only for equal visible states. */
export interface Watched {
  readonly db: number;
  readonly key: Buffer;
  readonly version: string;
}

/**
 * What one connection has told us so far: the state that commands read and change. The server makes
 * one per connection (the simulator one per simulated client) and passes it with every command.
 */
export class Session {
  readonly id: number;
  /** `ip:port` of the client and of our end. */
  readonly address: string;
  readonly localAddress: string;
  /** Monotonic clock. */
  readonly createdAtMs: number;
  lastCommandAtMs: number;
  /** Lower-case full name, `client|list`; empty before the first. */
  lastCommand = '';

  authenticated = false;
  protocol: 2 | 3 = 2;
  db = 0;
  name = '';
  libraryName = '';
  libraryVersion = '';
  replies: 'on' | 'off' | 'skip' = 'on';
  noEvict = false;
  noTouch = false;
  /** Close once the replies so far are sent (QUIT, CLIENT KILL of oneself). */
  closing = false;

  /** Set between MULTI and EXEC. */
  queue: QueuedCommand[] | undefined;
  /** A queued command was refused, so EXEC will be. */
  queueFailed = false;
  watched: Watched[] = [];

  /** DYN.QUORUM; undefined = the node's default. */
  r: number | undefined;
  w: number | undefined;
  /** DYN.CONTEXT TRACK ON: `db:key` (latin1) -> what this connection has seen of the key. */
  tracked: Map<string, VersionVector> | undefined;

  constructor(id: number, address: string, localAddress: string, nowMonotonicMs: number) {
    this.id = id;
    this.address = address;
    this.localAddress = localAddress;
    this.createdAtMs = nowMonotonicMs;
    this.lastCommandAtMs = nowMonotonicMs;
  }
}
