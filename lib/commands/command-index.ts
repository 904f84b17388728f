/**
 * The command table made ready for use: names found by their bytes, flags as booleans, counters
 * beside each row. A name is looked up once per request, so it is hashed where it lies, in any
 * case, and no string is made of it.
 */
import { isLater, type Later } from '../base/later.ts';
import { ErrorReply, type Reply } from '../protocol/reply.ts';
import { isWord } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { largeRequestArguments } from './dispatch.ts';
import { errorReply, wrongArgumentCount } from './errors.ts';
import type { Way } from './in-flight.ts';
import { CommandCounters, type Statistics } from './statistics.ts';

/** One row, or one subcommand of a row, and what it has done so far. */
export class CommandEntry {
  readonly row: Command;
  /** `get`, `client|list`. */
  readonly fullName: string;
  readonly subcommands: NameTable;
  readonly counters = new CommandCounters();
  readonly writes: boolean;
  readonly withoutAuth: boolean;
  readonly notInMulti: boolean;
  readonly #way: NonNullable<Command['way']>;
  readonly #handler: Handler;
  readonly #statistics: Statistics;

  constructor(row: Command, parent: string | undefined, statistics: Statistics) {
    const fullName = parent === undefined ? row.name : `${parent}|${row.name}`;
    this.row = row;
    this.fullName = fullName;
    this.subcommands = new NameTable(
      (row.subcommands ?? []).map((sub) => new CommandEntry(sub, row.name, statistics)),
    );
    this.writes = row.flags.includes('write');
    this.withoutAuth = row.flags.includes('no_auth');
    this.notInMulti = row.flags.includes('no_multi');
    this.#way = row.way ?? (row.flags.includes('readonly') ? 'read' : 'change');
    this.#handler = row.handler ?? (() => new ErrorReply(wrongArgumentCount(fullName)));
    this.#statistics = statistics;
  }

  /** Whether the row takes so many arguments, the name included. */
  accepts(count: number): boolean {
    const { arity } = this.row;
    return arity >= 0 ? count === arity : count >= -arity;
  }

  /** Whether it may start while earlier requests are unanswered; a large one never. */
  overlaps(args: readonly Buffer[]): boolean {
    return this.row.overlaps === true && args.length <= largeRequestArguments;
  }

  /** The keys among the arguments, by the positions of the row. */
  keysOf(args: readonly Buffer[]): readonly Buffer[] {
    const { keys } = this.row;
    if (keys === undefined) return [];
    const last = keys.last < 0 ? args.length + keys.last : keys.last;
    return args.filter(
      (_, at) => at >= keys.first && at <= last && (at - keys.first) % keys.step === 0,
    );
  }

  /** How it reaches its keys over a ring. */
  wayOf(args: readonly Buffer[]): Way {
    return typeof this.#way === 'function' ? this.#way(args) : this.#way;
  }

  /** Runs and counts the command; what goes wrong is an ErrorReply, save faults. */
  run(call: Call, args: readonly Buffer[]): Later<Reply> {
    const { clock } = call.ports.system;
    const startedAtMs = clock.monotonicMs();
    call.session.lastCommandAtMs = startedAtMs;
    this.#statistics.started(startedAtMs);
    this.counters.calls += 1;
    const reply = this.#begin(call, args);
    this.counters.busyMs += clock.monotonicMs() - startedAtMs;
    return isLater(reply) ? reply.then(this.#answered, this.#failed) : this.#answered(reply);
  }

  #begin(call: Call, args: readonly Buffer[]): Later<Reply> {
    try {
      return this.#handler(call, args);
    } catch (error) {
      return errorReply(error);
    }
  }

  readonly #answered = (reply: Reply): Reply => {
    if (reply instanceof ErrorReply) {
      this.counters.failed += 1;
      this.#statistics.answeredError(reply);
    }
    return reply;
  };

  readonly #failed = (error: unknown): Reply => this.#answered(errorReply(error));
}

/** Entries by the lower-case hash of their names. */
class NameTable {
  readonly entries: readonly CommandEntry[];
  readonly #buckets: CommandEntry[][];

  constructor(entries: readonly CommandEntry[]) {
    this.entries = entries;
    this.#buckets = Array.from({ length: entries.length * 4 + 1 }, () => []);
    for (const entry of entries) {
      this.#buckets[this.#bucketOf(Buffer.from(entry.row.name))]?.push(entry);
    }
  }

  find(name: Buffer | undefined): CommandEntry | undefined {
    if (name === undefined || name.length > nameBytesMax) return undefined;
    const bucket = this.#buckets[this.#bucketOf(name)] ?? [];
    for (const entry of bucket) if (isWord(name, entry.row.name)) return entry;
    return undefined;
  }

  #bucketOf(name: Buffer): number {
    let hash = 0;
    for (let at = 0; at < name.length; at += 1) {
      hash = (Math.imul(hash, 31) + ((name[at] ?? 0) | 0x20)) >>> 0;
    }
    return hash % this.#buckets.length;
  }
}

/** Longer names are not looked at: hashing them would be work for nothing. */
const nameBytesMax = 64;

export class CommandIndex {
  readonly #table: NameTable;

  constructor(rows: readonly Command[], statistics: Statistics) {
    this.#table = new NameTable(rows.map((row) => new CommandEntry(row, undefined, statistics)));
  }

  /** Commands in the order of the table, without their subcommands. */
  get entries(): readonly CommandEntry[] {
    return this.#table.entries;
  }

  /** Commands, each followed by its subcommands. */
  get all(): readonly CommandEntry[] {
    return this.entries.flatMap((entry) => [entry, ...entry.subcommands.entries]);
  }

  /** The entry that a request names; undefined for an unknown command or subcommand. */
  find(args: readonly Buffer[]): CommandEntry | undefined {
    const entry = this.#table.find(args[0]);
    if (entry === undefined || args.length === 1) return entry;
    return entry.row.subcommands === undefined ? entry : entry.subcommands.find(args[1]);
  }

  /** By the first word alone. */
  parent(name: Buffer | undefined): CommandEntry | undefined {
    return this.#table.find(name);
  }

  /** By full name in any case: `get`, `config|get`. */
  named(fullName: string): CommandEntry | undefined {
    const name = fullName.toLowerCase();
    const entry = this.find(name.split('|').map((part) => Buffer.from(part)));
    return entry?.fullName === name ? entry : undefined;
  }
}
