/**
 * The shape of a row of the command table. Everything that Redis says of a command (arity, flags,
 * where its keys are) is data here; COMMAND, the checks of the dispatcher, and the README's list
 * are read from it. A handler parses its arguments, asks the coordinator, and returns a reply; it
 * never sees a socket.
 */
import type { Later } from '../base/later.ts';
import type { Coordinator } from '../coordinator/coordinator.ts';
import type { Reply } from '../protocol/reply.ts';
import type { CommandIndex } from './command-index.ts';
import type { Way } from './in-flight.ts';
import type { Pause } from './pause.ts';
import type { Ports } from './ports.ts';
import type { Session } from './session.ts';
import type { Statistics } from './statistics.ts';

/** Redis' names, as COMMAND INFO prints them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_async_loading'
  | 'no_multi'
  | 'allow_busy'
  | 'movablekeys'
  | 'skip_slowlog'
  | 'blocking';

/** Positions in the argument list, the name being 0; last may count from the end (-1). */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/**
 * One command in the hands of its handler, and all that it may ask. Immutable, so it may be kept.
 */
export interface Call {
  readonly session: Session;
  /** Inside EXEC the one that holds the keys. */
  readonly coordinator: Coordinator;
  readonly ports: Ports;
  readonly statistics: Statistics;
  readonly commands: CommandIndex;
  readonly pause: Pause;
  /** Runs inside EXEC: must not wait for other clients. */
  readonly batched: boolean;
  /**
   * Its keys are coordinated here, whoever seems to be their first owner by now: an EXEC around it
   * holds them, or a peer has sent it for that. What was sent once is not sent on.
   */
  readonly settledHere: boolean;
}

/** `args[0]` is the name as the client wrote it. Arguments are borrowed: own() what is kept. */
export type Handler = (call: Call, args: readonly Buffer[]) => Later<Reply>;

export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'generic'
  | 'connection'
  | 'server'
  | 'transactions'
  | 'cluster'
  | 'dynamo';

export interface Command {
  /** Lower case; a subcommand is named without its parent. */
  readonly name: string;
  /** Number of arguments with the name (and the parent's); negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly keys?: KeyPositions;
  readonly group: CommandGroup;
  /** Redis version that introduced it; for our own the Redynamo version. */
  readonly since: string;
  /** One sentence without a stop. */
  readonly summary: string;
  /** Grammar of the arguments, for README and DYN.HELP: `key value [NX | XX]`. */
  readonly syntax: string;
  readonly subcommands?: readonly Command[];
  /**
   * True: may start while earlier commands of its connection are unanswered, because the replica
   * keeps the order per key (over a ring: as far as `way` allows). All others start alone and let
   * nothing overtake them.
   */
  readonly overlaps?: boolean;
  /** Over a ring; left out: `read` for what is readonly, `change` for the rest. */
  readonly way?: Way | ((args: readonly Buffer[]) => Way);
  /** A parent that only has subcommands has none. */
  readonly handler?: Handler;
}
