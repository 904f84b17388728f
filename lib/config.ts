/**
 * Configuration in redis.conf syntax, over the table of `directives.ts`.
 *
 * A directive on the command line wins over the file. A directive that is given twice counts once,
 * the last one; `quorum-db` and `client-output-buffer-limit` add up, one line per db or class.
 */
import { RedisError } from './base/errors.ts';
import { type Directive, directives } from './directives.ts';

const byName: ReadonlyMap<string, Directive> = new Map(directives.map((row) => [row.name, row]));

/** A mistake in a file or on the command line; the message is all that the operator sees. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** The directives in force. CONFIG SET goes through `set`; listeners hear of what changed. */
export class Config {
  readonly #values = new Map<string, string>(directives.map((row) => [row.name, row.default]));
  readonly #given = new Set<string>();
  readonly #listeners = new Map<string, (() => void)[]>();
  /** Absolute path of the file read, or empty. */
  file = '';

  text(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new ConfigError(`no directive is called ${name}`);
    return value;
  }

  number(name: string): number {
    const text = this.text(name);
    return text === 'yes' ? 1 : text === 'no' ? 0 : Number(text);
  }

  flag(name: string): boolean {
    return this.text(name) === 'yes';
  }

  /** Whether the operator wrote it down, as opposed to the default being in force. */
  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  all(): readonly (readonly [string, string])[] {
    return [...this.#values];
  }

  onChange(name: string, listener: () => void): void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  /** Start-up: one directive as written. Throws a ConfigError that does not name the place. */
  give(name: string, args: readonly string[]): void {
    const row = byName.get(name.toLowerCase());
    if (row === undefined) throw new ConfigError(`unknown directive '${name}'`);
    // A shell hands `--quorum "2 1 1"` over as one word.
    const value = row.parse(args) ?? row.parse(args.flatMap((text) => text.split(/\s+/)));
    if (value === undefined) {
      const reason = expected(row, args);
      throw new ConfigError(`bad value for '${row.name}': ${reason}, got '${args.join(' ')}'`);
    }
    this.#values.set(row.name, row.keyed ? mergeKeyed(this.text(row.name), value) : value);
    this.#given.add(row.name);
  }

  /** CONFIG SET: all or nothing, Redis' texts. */
  set(pairs: readonly (readonly [string, string])[]): void {
    const next = new Map<string, string>();
    for (const [given, text] of pairs) {
      const row = byName.get(given.toLowerCase());
      if (row === undefined) {
        throw new RedisError(
          `ERR Unknown option or number of arguments for CONFIG SET - '${given}'`,
        );
      }
      if (next.has(row.name)) throw setFailure(row.name, 'duplicate parameter');
      if (!row.mutable) throw setFailure(row.name, "can't set immutable config");
      const split = row.keyed ? text.split(/\s+/).filter((item) => item !== '') : [text];
      const value = row.parse(split);
      if (value === undefined) throw setFailure(row.name, expected(row, split));
      next.set(row.name, row.keyed ? mergeKeyed(this.text(row.name), value) : value);
    }
    for (const [name, value] of next) this.#values.set(name, value);
    for (const name of next.keys()) for (const tell of this.#listeners.get(name) ?? []) tell();
  }
}

function expected({ expects }: Directive, args: readonly string[]): string {
  return typeof expects === 'string' ? expects : expects(args);
}

function setFailure(name: string, reason: string): RedisError {
  return new RedisError(
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`,
  );
}

/** `a 1 1 1 b 2 2 2` and `b 3 3 3` give `a 1 1 1 b 3 3 3`: groups by their first word. */
function mergeKeyed(current: string, added: string): string {
  const groups = new Map<string, string>();
  for (const text of [current, added]) {
    const items = text.split(' ').filter((item) => item !== '');
    const width = /^\d+$/.test(items[0] ?? '') ? 3 : 4;
    for (let at = 0; at < items.length; at += width) {
      groups.set(items[at] ?? '', items.slice(at, at + width).join(' '));
    }
  }
  return [...groups.values()].join(' ');
}

/** `quorum-db`: R and W by database, where they are not those of `quorum`. */
export function databaseQuorums(
  config: Config,
): ReadonlyMap<number, { readonly r: number; readonly w: number }> {
  const numbers = config.text('quorum-db').split(' ').map(Number);
  const quorums = new Map<number, { r: number; w: number }>();
  for (let at = 0; at + 2 < numbers.length; at += 3) {
    const [db = 0, r = 0, w = 0] = numbers.slice(at, at + 3);
    quorums.set(db, { r, w });
  }
  return quorums;
}

/** Refuses a `quorum-db` that the ring, as it was founded, has no room for. */
export function checkDatabaseQuorums(
  config: Config,
  ring: { readonly n: number; readonly databases: number },
): void {
  for (const [db, { r, w }] of databaseQuorums(config)) {
    if (db >= ring.databases) {
      throw new ConfigError(
        `bad value for 'quorum-db': the databases are 0 to ${ring.databases - 1}, got ${db}`,
      );
    }
    if (Math.max(r, w) <= ring.n) continue;
    const limits = `R and W must be between 1 and N (${ring.n})`;
    throw new ConfigError(`bad value for 'quorum-db': ${limits}, got '${db} ${r} ${w}'`);
  }
}

export interface CommandLine {
  readonly help: boolean;
  readonly version: boolean;
  readonly file: string | undefined;
  /** Directives in their order. */
  readonly given: readonly (readonly [name: string, args: readonly string[]])[];
}

/** `[file.conf] [--directive value ...]`. Throws a ConfigError. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const help = args.includes('--help') || args.includes('-h');
  const version = args.includes('--version') || args.includes('-v');
  const given: [string, string[]][] = [];
  let file: string | undefined;
  for (const arg of help || version ? [] : args) {
    const last = given.at(-1);
    if (arg.startsWith('--') && byName.has(arg.slice(2).toLowerCase()))
      given.push([arg.slice(2), []]);
    else if (arg.startsWith('--') && last?.[1].length !== 0) {
      throw new ConfigError(`unknown directive '${arg}'; try --help`);
    } else if (last !== undefined) last[1].push(arg);
    else if (file === undefined) file = arg;
    else throw new ConfigError(`unexpected argument '${arg}'; try --help`);
  }
  return { help, version, file, given };
}

/** Reads redis.conf text into `config`; errors name the file and the line. */
export function readConfFile(config: Config, name: string, text: string): void {
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    try {
      const [directive = '', ...args] = splitWords(trimmed);
      config.give(directive, args);
    } catch (error) {
      if (error instanceof ConfigError) {
        throw new ConfigError(`${name}:${index + 1}: ${error.message}`);
      }
      throw error;
    }
  }
}

/** Words as redis.conf quotes them: `"a\n\x00"`, `'a b'`, bare. */
function splitWords(line: string): string[] {
  const found: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/gy;
  let end = 0;
  for (const match of line.matchAll(pattern)) {
    found.push(
      match[1] !== undefined
        ? unescaped(match[1])
        : (match[2]?.replaceAll("\\'", "'") ?? match[3] ?? ''),
    );
    end = match.index + match[0].length;
  }
  if (end !== line.length) throw new ConfigError('unbalanced quotes');
  return found;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
]);

function unescaped(text: string): string {
  return text.replaceAll(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code: string) =>
    code.length === 3
      ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
      : (escapes.get(code) ?? code),
  );
}
