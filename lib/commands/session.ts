import type { CommandEntry } from './command-index.ts';
import type { KeysInFlight } from './in-flight.ts';
import type { Tracking } from './tracking.ts';
import type { WrittenKeys } from './written-keys.ts';

/** A command waiting for EXEC; owns its bytes. */
export interface QueuedCommand {
  readonly entry: CommandEntry;
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
  /** skip: the next request is not answered; skipping: it is being run. */
  replies: 'on' | 'off' | 'skip' | 'skipping' = 'on';
  noEvict = false;
  noTouch = false;
  /** Close once the replies so far are sent (QUIT, CLIENT KILL of oneself). */
  closing = false;

  /** Set between MULTI and EXEC. */
  queue: QueuedCommand[] | undefined;
  /** A queued command was refused, so EXEC will be. */
  queueFailed = false;
  /** What the queue takes, roughly: bounded by client-query-buffer-limit. */
  queuedBytes = 0;
  /** By `db:key` (latin1). */
  watched = new Map<string, Watched>();

  /** DYN.QUORUM; undefined = the node's default. */
  r: number | undefined;
  w: number | undefined;
  /** DYN.CONTEXT TRACK ON: what this connection has seen of each key. */
  tracking: Tracking | undefined;

  /** Only in a ring of several members: what its unanswered commands use. */
  inFlight: KeysInFlight | undefined;
  /** Likewise: what it has written, for WAIT. */
  written: WrittenKeys | undefined;

  constructor(id: number, address: string, localAddress: string, nowMonotonicMs: number) {
    this.id = id;
    this.address = address;
    this.localAddress = localAddress;
    this.createdAtMs = nowMonotonicMs;
    this.lastCommandAtMs = nowMonotonicMs;
  }
}
