/**
 * What each kind of update does to a value: pure functions from the value that was read to an
 * effect, with Redis 7.0's rules, limits and error texts. Whatever answers `none` writes nothing.
 *
 * Expiry: `set` replaces it (unless KEEPTTL), all other changes of bytes keep it, `expire` and
 * `persist` change nothing else. A value without expiry counts as infinite under GT and LT.
 */
import { emptyBytes } from '../base/bytes.ts';
import { notAnInteger } from '../base/errors.ts';
import { fitsInt64, parseInt64 } from './integers.ts';
import { addLongDoubles, formatLongDouble, parseLongDouble } from './long-double.ts';
import type { Effect, ExpireCondition, Update, UpdateKind, Visible } from './update.ts';

export interface ApplyLimits {
  /** Largest value (proto-max-bulk-len). */
  readonly stringBytesMax: number;
}

interface Setting {
  readonly current: Visible | undefined;
  readonly nowMs: number;
  readonly stringBytesMax: number;
}

type UpdateOf = { readonly [U in Update as U['kind']]: U };
type Rules = {
  readonly [K in UpdateKind]: (update: UpdateOf[K], setting: Setting) => Effect;
};

const none: Effect = { kind: 'none' };
const remove: Effect = { kind: 'delete' };
const zeroText = Buffer.from('0');

const tooLong = error('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
const badBitOffset = error('ERR bit offset is not an integer or out of range');
const noInteger = error(notAnInteger);
const overflow = error('ERR increment or decrement would overflow');
const noFloat = error('ERR value is not a valid float');
const notFinite = error('ERR increment would produce NaN or Infinity');

const rules: Rules = {
  set({ bytes, expireAtMs, condition }, { current }) {
    if (condition === (current === undefined ? 'xx' : 'nx')) return none;
    const kept = current?.expireAtMs ?? 0;
    return { kind: 'value', bytes, expireAtMs: expireAtMs === 'keep' ? kept : expireAtMs };
  },

  append({ bytes }, { current, stringBytesMax }) {
    if (current === undefined) return { kind: 'value', bytes, expireAtMs: 0 };
    if (current.bytes.length + bytes.length > stringBytesMax) return tooLong;
    return changed(current, Buffer.concat([current.bytes, bytes]));
  },

  'set-range'({ offset, bytes }, { current, stringBytesMax }) {
    if (bytes.length === 0) return none;
    if (offset + bytes.length > stringBytesMax) return tooLong;
    const result = grown(current, offset + bytes.length);
    result.set(bytes, offset);
    return changed(current, result);
  },

  'set-bit'({ offset, bit }, { current, stringBytesMax }) {
    const at = Math.floor(offset / 8);
    if (at >= stringBytesMax) return badBitOffset;
    const old = current?.bytes[at];
    const mask = 128 >> (offset % 8);
    const byte = bit === 1 ? (old ?? 0) | mask : (old ?? 0) & ~mask;
    if (byte === old) return none;
    const result = grown(current, at + 1);
    result[at] = byte;
    return changed(current, result);
  },

  increment({ by }, { current }) {
    const value = parseInt64(current?.bytes ?? zeroText);
    if (value === undefined) return noInteger;
    const sum = value + by;
    return fitsInt64(sum) ? changed(current, Buffer.from(sum.toString())) : overflow;
  },

  'increment-float'({ by }, { current }) {
    const value = parseLongDouble(current?.bytes ?? zeroText);
    const increment = parseLongDouble(Buffer.from(by, 'latin1'));
    if (value === undefined || increment === undefined) return noFloat;
    const text = formatLongDouble(addLongDoubles(value, increment));
    return text === undefined ? notFinite : changed(current, Buffer.from(text));
  },

  expire({ expireAtMs, condition }, { current, nowMs }) {
    if (current === undefined || !holds(condition, current.expireAtMs, expireAtMs)) return none;
    return expireAtMs <= nowMs ? remove : { kind: 'expiry', expireAtMs };
  },

  persist(_update, { current }) {
    if (current === undefined || current.expireAtMs === 0) return none;
    return { kind: 'expiry', expireAtMs: 0 };
  },

  delete(_update, { current }) {
    return current === undefined ? none : remove;
  },
};

/**
 * `current`: what a reader sees now, undefined = nothing. Neither it nor the update is changed; the
 * bytes of the effect may be the update's own.
 */
export function applyUpdate(
  update: Update,
  current: Visible | undefined,
  nowMs: number,
  limits: ApplyLimits,
): Effect {
  return run(update.kind, update, { current, nowMs, stringBytesMax: limits.stringBytesMax });
}

function run<K extends UpdateKind>(kind: K, update: UpdateOf[K], setting: Setting): Effect {
  return rules[kind](update, setting);
}

function error(text: string): Effect {
  return { kind: 'error', text };
}

/** New bytes under the old expiry. */
function changed(current: Visible | undefined, bytes: Buffer): Effect {
  return { kind: 'value', bytes, expireAtMs: current?.expireAtMs ?? 0 };
}

/** A copy with at least so many bytes, filled up with zeros. */
function grown(current: Visible | undefined, bytesMin: number): Buffer {
  const old = current?.bytes ?? emptyBytes;
  const result = Buffer.alloc(Math.max(old.length, bytesMin));
  result.set(old);
  return result;
}

function holds(condition: ExpireCondition, oldAtMs: number, newAtMs: number): boolean {
  const { nx, xx, gt, lt } = condition;
  if (nx && oldAtMs !== 0) return false;
  if (xx && oldAtMs === 0) return false;
  if (gt && (oldAtMs === 0 || newAtMs <= oldAtMs)) return false;
  return !(lt && oldAtMs !== 0 && newAtMs >= oldAtMs);
}
