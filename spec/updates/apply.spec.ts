import { expect } from 'chai';
import { applyUpdate } from '../../lib/updates/apply.ts';
import type { Effect, ExpireCondition, Update, Visible } from '../../lib/updates/update.ts';

const nowMs = 1_800_000_000_000;
const laterMs = nowMs + 60_000;
const limits = { stringBytesMax: 1000 };

const held = (text: string, expireAtMs = 0): Visible => ({
  bytes: Buffer.from(text, 'latin1'),
  expireAtMs,
});

function apply(update: Update, current?: Visible): Effect {
  const before = current === undefined ? undefined : Buffer.from(current.bytes);
  const effect = applyUpdate(update, current, nowMs, limits);
  if (before !== undefined) expect(current?.bytes.equals(before)).to.equal(true);
  return effect;
}

/** The effect as a short text: `abc@0`, `none`, `delete`, `@60000` (expiry), `-ERR ...`. */
function shown(effect: Effect): string {
  switch (effect.kind) {
    case 'value':
      return `${effect.bytes.toString('latin1')}@${effect.expireAtMs}`;
    case 'expiry':
      return `@${effect.expireAtMs}`;
    case 'error':
      return `-${effect.text}`;
    default:
      return effect.kind;
  }
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
const set = (more: object = {}): Update => ({
  kind: 'set',
  bytes: bytes('new'),
  expireAtMs: 0,
  ...more,
});
const append = (text: string): Update => ({ kind: 'append', bytes: bytes(text) });
const setRange = (offset: number, text: string): Update => ({
  kind: 'set-range',
  offset,
  bytes: bytes(text),
});
const setBit = (offset: number, bit: 0 | 1): Update => ({ kind: 'set-bit', offset, bit });
const increment = (by: bigint): Update => ({ kind: 'increment', by });
const incrementFloat = (by: string): Update => ({ kind: 'increment-float', by });
const expire = (expireAtMs: number, given: Partial<ExpireCondition> = {}): Update => ({
  kind: 'expire',
  expireAtMs,
  condition: { nx: false, xx: false, gt: false, lt: false, ...given },
});

const tooLong = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)';
const noInteger = '-ERR value is not an integer or out of range';
const overflow = '-ERR increment or decrement would overflow';

const missing = undefined;

function rule(title: string, update: Update, current: Visible | undefined, effect: string): void {
  it(title, () => {
    expect(shown(apply(update, current))).to.equal(effect);
  });
}

describe('update', () => {
  rule('set drops the old expiry', set(), held('a', laterMs), 'new@0');
  rule('set takes a new expiry', set({ expireAtMs: laterMs }), missing, `new@${laterMs}`);
  rule(
    'set KEEPTTL keeps the old expiry',
    set({ expireAtMs: 'keep' }),
    held('a', laterMs),
    `new@${laterMs}`,
  );
  rule('set KEEPTTL of a new key has none', set({ expireAtMs: 'keep' }), missing, 'new@0');
  rule('set NX writes a missing key', set({ condition: 'nx' }), missing, 'new@0');
  rule('set NX leaves a key alone', set({ condition: 'nx' }), held(''), 'none');
  rule('set XX leaves a gap alone', set({ condition: 'xx' }), missing, 'none');
  rule('set XX replaces a key', set({ condition: 'xx' }), held('a'), 'new@0');

  rule('append makes a missing key', append('ab'), missing, 'ab@0');
  rule('append of nothing makes an empty key', append(''), missing, '@0');
  rule('append keeps the expiry', append('b'), held('a', laterMs), `ab@${laterMs}`);
  rule('append fills up to the limit', append('b'), held('a'.repeat(999)), `${'a'.repeat(999)}b@0`);
  rule('append refuses to pass the limit', append('b'), held('a'.repeat(1000)), tooLong);

  rule('set-range pads a missing key with zeros', setRange(2, 'x'), missing, '\0\0x@0');
  rule('set-range writes inside', setRange(1, 'XY'), held('abcd', laterMs), `aXYd@${laterMs}`);
  rule('set-range grows a value', setRange(5, 'x'), held('abc'), 'abc\0\0x@0');
  rule('set-range of nothing makes no key', setRange(5, ''), missing, 'none');
  rule(
    'set-range of nothing changes no value, not even beyond the limit',
    setRange(5000, ''),
    held('a'),
    'none',
  );
  rule('set-range fills up to the limit', setRange(999, 'x'), missing, `${'\0'.repeat(999)}x@0`);
  rule('set-range refuses to pass the limit', setRange(1000, 'x'), missing, tooLong);

  rule('set-bit counts from the highest bit', setBit(0, 1), missing, '\x80@0');
  rule('set-bit makes a missing key even for 0', setBit(9, 0), missing, '\0\0@0');
  rule('set-bit clears', setBit(7, 0), held('\xff', laterMs), `\xfe@${laterMs}`);
  rule('set-bit grows a value', setBit(16, 1), held('a'), 'a\0\x80@0');
  rule('set-bit writes nothing where the bit is so', setBit(7, 1), held('a'), 'none');
  rule(
    'set-bit refuses to pass the limit',
    setBit(8000, 1),
    missing,
    '-ERR bit offset is not an integer or out of range',
  );
  rule('set-bit takes the last bit', setBit(7999, 1), missing, `${'\0'.repeat(999)}\x01@0`);

  rule('increment starts at 0', increment(-3n), missing, '-3@0');
  rule('increment keeps the expiry', increment(1n), held('41', laterMs), `42@${laterMs}`);
  rule(
    'increment reaches the largest integer',
    increment(1n),
    held('9223372036854775806'),
    '9223372036854775807@0',
  );
  rule('increment refuses to overflow', increment(1n), held('9223372036854775807'), overflow);
  rule('increment refuses to underflow', increment(-1n), held('-9223372036854775808'), overflow);
  rule('increment refuses leading zeros', increment(1n), held('01'), noInteger);
  rule('increment refuses an empty value', increment(1n), held(''), noInteger);
  rule('increment refuses a float', increment(1n), held('1.0'), noInteger);

  rule('increment-float starts at 0', incrementFloat('0.5'), missing, '0.5@0');
  rule(
    'increment-float keeps the expiry',
    incrementFloat('0.1'),
    held('10.50', laterMs),
    `10.6@${laterMs}`,
  );
  rule(
    'increment-float refuses other text',
    incrementFloat('1'),
    held('a'),
    '-ERR value is not a valid float',
  );
  rule(
    'increment-float refuses another increment',
    incrementFloat('a'),
    missing,
    '-ERR value is not a valid float',
  );
  rule(
    'increment-float refuses infinity',
    incrementFloat('inf'),
    missing,
    '-ERR increment would produce NaN or Infinity',
  );

  rule('expire needs a key', expire(laterMs), missing, 'none');
  rule('expire sets the instant', expire(laterMs), held('a'), `@${laterMs}`);
  rule('expire now deletes', expire(nowMs), held('a'), 'delete');
  rule('expire in the past deletes', expire(-5), held('a'), 'delete');
  rule('expire checks its condition before it deletes', expire(5, { xx: true }), held('a'), 'none');
  rule('expire NX needs no expiry', expire(laterMs, { nx: true }), held('a'), `@${laterMs}`);
  rule('expire NX refuses an expiry', expire(laterMs, { nx: true }), held('a', laterMs), 'none');
  rule(
    'expire XX needs an expiry',
    expire(laterMs + 1, { xx: true }),
    held('a', laterMs),
    `@${laterMs + 1}`,
  );
  rule(
    'expire GT refuses an equal instant',
    expire(laterMs, { gt: true }),
    held('a', laterMs),
    'none',
  );
  rule(
    'expire GT takes a later instant',
    expire(laterMs + 1, { gt: true }),
    held('a', laterMs),
    `@${laterMs + 1}`,
  );
  rule('expire GT counts no expiry as infinite', expire(laterMs, { gt: true }), held('a'), 'none');
  rule(
    'expire LT refuses an equal instant',
    expire(laterMs, { lt: true }),
    held('a', laterMs),
    'none',
  );
  rule(
    'expire LT takes an earlier instant',
    expire(laterMs - 1, { lt: true }),
    held('a', laterMs),
    `@${laterMs - 1}`,
  );
  rule(
    'expire LT counts no expiry as infinite',
    expire(laterMs, { lt: true }),
    held('a'),
    `@${laterMs}`,
  );
  rule('expire XX LT needs both', expire(laterMs, { xx: true, lt: true }), held('a'), 'none');

  rule('persist takes the expiry away', { kind: 'persist' }, held('a', laterMs), '@0');
  rule('persist has nothing to do without one', { kind: 'persist' }, held('a'), 'none');
  rule('persist needs a key', { kind: 'persist' }, missing, 'none');

  rule('delete removes a key', { kind: 'delete' }, held('a'), 'delete');
  rule('delete has nothing to do on a gap', { kind: 'delete' }, missing, 'none');

  it('may hand on the very bytes it was given', () => {
    const value = bytes('shared');
    const effect = apply({ kind: 'set', bytes: value, expireAtMs: 0 });
    expect(effect.kind === 'value' && effect.bytes === value).to.equal(true);
  });
});
