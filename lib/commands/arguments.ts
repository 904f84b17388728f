/**
 * Reading arguments as Redis reads them. Arguments are bytes; what they say is checked here and
 * nowhere else, with Redis' own texts, and a refusal is a RedisError that the dispatcher sends.
 *
 * Words (`NX`, `ex`, `Match`) are compared byte by byte without making strings, because SET with
 * options is a hot path.
 */
import { assert } from '../base/assert.ts';
import { u48Max } from '../base/bytes.ts';
import { notAnInteger, RedisError, syntaxError } from '../base/errors.ts';
import { fitsInt64, parseInt64 } from '../updates/integers.ts';

/** An argument whose presence the arity of the command has made sure of. */
export function argument(args: readonly Buffer[], index: number): Buffer {
  const found = args[index];
  assert(found !== undefined, 'the arity of the command makes sure of its arguments');
  return found;
}

/** A request to be kept: views of one copy. It shares memory, so it is not for what lives long. */
export function ownAll(args: readonly Buffer[]): Buffer[] {
  let bytes = 0;
  for (const argument of args) bytes += argument.length;
  const copy = Buffer.allocUnsafe(bytes);
  let at = 0;
  return args.map((argument) => {
    const from = at;
    at += argument.copy(copy, from);
    return copy.subarray(from, at);
  });
}

/** The signed 64-bit integer that the text says, as a number where that is exact; or undefined. */
export function parseInteger(text: Buffer): number | bigint | undefined {
  const value = parseInt64(text);
  if (value === undefined) return undefined;
  const exact = Number(value);
  return Number.isSafeInteger(exact) ? exact : value;
}

/** A signed 64-bit integer; else a RedisError with `text`. */
export function integer64(argument: Buffer, text: string = notAnInteger): bigint {
  const value = parseInt64(argument);
  if (value === undefined) throw new RedisError(text);
  return value;
}

/**
 * A signed 64-bit integer as a number, drawn to the nearest safe one where it is wider: for indexes
 * and counts, where everything beyond 2^53 means the same.
 */
export function clampedInteger(argument: Buffer, text: string = notAnInteger): number {
  const value = parseInteger(argument);
  if (value === undefined) throw new RedisError(text);
  if (typeof value === 'number') return value;
  return value < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}

/** An integer of `least`..`most`; anything else is a RedisError with `text`. */
export function integerWithin(
  argument: Buffer,
  least: number,
  most: number,
  text: string = notAnInteger,
): number {
  const value = clampedInteger(argument, text);
  if (value < least || value > most) throw new RedisError(text);
  return value;
}

/** A database number below `databases`. */
export function databaseIndex(argument: Buffer, databases: number): number {
  const index = integerWithin(argument, -(2 ** 31), 2 ** 31 - 1);
  if (index < 0 || index >= databases) throw new RedisError('ERR DB index is out of range');
  return index;
}

/** True if the argument is this word in any case; `word` is lower case. */
export function isWord(argument: Buffer | undefined, word: string): boolean {
  if (argument === undefined || argument.length !== word.length) return false;
  for (let at = 0; at < word.length; at += 1) {
    const byte = argument[at] ?? 0;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    if (lower !== word.charCodeAt(at)) return false;
  }
  return true;
}

/** How an option or command names an instant. */
export interface ExpiryForm {
  readonly unitMs: 1 | 1000;
  /** Counted from now. */
  readonly relative: boolean;
}

export const expiryForms = {
  ex: { unitMs: 1000, relative: true },
  px: { unitMs: 1, relative: true },
  exat: { unitMs: 1000, relative: false },
  pxat: { unitMs: 1, relative: false },
} as const satisfies { readonly [word: string]: ExpiryForm };

/** An expiry option as it was found, not yet read: Redis checks the grammar first. */
export interface ExpiryOption {
  readonly form: ExpiryForm;
  readonly text: Buffer;
}

/**
 * The instant of an expiry that must be above zero (SET, GETEX, SETEX, ...): ms since 1970.
 * `command` is the full name, for the error. Beyond the year 10889 it is drawn to 2^48 - 1 ms.
 */
export function expiryInstant(option: ExpiryOption, nowMs: number, command: string): number {
  const given = integer64(option.text);
  if (given <= 0n) throw invalidExpiry(command);
  return storable(instant(given, option.form, nowMs, command));
}

/** The same for EXPIRE and its kin: an instant in the past is allowed; it is at least 1. */
export function expiryInstantOrPast(option: ExpiryOption, nowMs: number, command: string): number {
  return storable(instant(integer64(option.text), option.form, nowMs, command));
}

function instant(given: bigint, form: ExpiryForm, nowMs: number, command: string): bigint {
  const duration = given * BigInt(form.unitMs);
  const at = form.relative ? duration + BigInt(nowMs) : duration;
  if (!fitsInt64(duration) || !fitsInt64(at)) throw invalidExpiry(command);
  return at;
}

function storable(at: bigint): number {
  return at < 1n ? 1 : at > BigInt(u48Max) ? u48Max : Number(at);
}

function invalidExpiry(command: string): RedisError {
  return new RedisError(`ERR invalid expire time in '${command}' command`);
}

/**
 * Walks the options behind the fixed arguments, in any order:
 *
 *   const options = new Options(args, 3);
 *   while (!options.done) {
 *     if (options.take('nx')) ...
 *     else if (options.take('count')) count = options.value();
 *     else options.refuse();
 *   }
 */
export class Options {
  readonly #args: readonly Buffer[];
  #at: number;

  constructor(args: readonly Buffer[], from: number) {
    this.#args = args;
    this.#at = from;
  }

  get done(): boolean {
    return this.#at >= this.#args.length;
  }

  /** Steps over the next argument if it is this word (lower case). */
  take(word: string): boolean {
    if (!isWord(this.#args[this.#at], word)) return false;
    this.#at += 1;
    return true;
  }

  /** The next argument, whatever it says; none left is a syntax error. */
  value(): Buffer {
    const argument = this.#args[this.#at];
    if (argument === undefined) throw new RedisError(syntaxError);
    this.#at += 1;
    return argument;
  }

  /** Steps over `EX n`, `PX n`, `EXAT n` or `PXAT n`, if one of them is next. */
  expiry(): ExpiryOption | undefined {
    if (this.take('ex')) return { form: expiryForms.ex, text: this.value() };
    if (this.take('px')) return { form: expiryForms.px, text: this.value() };
    if (this.take('exat')) return { form: expiryForms.exat, text: this.value() };
    if (this.take('pxat')) return { form: expiryForms.pxat, text: this.value() };
    return undefined;
  }

  refuse(text: string = syntaxError): never {
    throw new RedisError(text);
  }
}
