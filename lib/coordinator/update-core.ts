/**
 * What an update makes of a record, as a pure step: the heart of every write without a context of
 * the client's own. A plain write covers all that the coordinating replica holds; EXPIRE, PERSIST
 * and GETEX replace the winner alone and keep its order (DESIGN 3.1, 3.2).
 */
import { assert } from '../base/assert.ts';
import { emptyBytes, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import {
  put,
  putCoveringAll,
  type Record,
  remove,
  replace,
  type Sibling,
  siblingKind,
  type VersionVector,
} from '../causal/record.ts';
import { liveSiblings, visible } from '../causal/visible.ts';
import type { Current, Decision } from '../replica/replica.ts';
import { type ApplyLimits, applyUpdate } from '../updates/apply.ts';
import type { Effect, Update, Visible } from '../updates/update.ts';
import type { PutRequest, UpdateResult } from './coordinator.ts';

/** `context`: replaces all that the replica holds as what the write has seen (TRACK). */
export function decideUpdate(
  current: Current,
  update: Update,
  limits: ApplyLimits,
  context: VersionVector | undefined,
): Decision<UpdateResult> {
  const seen = visible(current.record, current.nowMs);
  const effect = applyUpdate(update, seen, current.nowMs, limits);
  if (effect.kind === 'error') throw new RedisError(effect.text);
  const record = write(current, update, effect, context) ?? endLosers(current, update);
  const result: UpdateResult = {
    applied: effect.kind !== 'none',
    before:
      seen !== undefined && answersOld(update)
        ? { bytes: own(seen.bytes), expireAtMs: seen.expireAtMs }
        : undefined,
    after: seenAfter(effect, seen),
    vv: (record ?? current.record).vv,
  };
  return record === undefined ? { result } : { record, result };
}

/** DYN.PUT and DYN.DEL: exactly what the client has seen is replaced. */
export function decidePut(
  current: Current,
  request: PutRequest,
  siblingLimit: number,
): Decision<VersionVector> {
  const { context, value } = request;
  const record =
    value === undefined
      ? remove(current.record, context)
      : put(current.record, context, {
          ...newSibling(current, context),
          expireAtMs: request.expireAtMs,
          bytes: value,
        });
  const grown = record.siblings.length > current.record.siblings.length;
  if (grown && record.siblings.length > siblingLimit) {
    throw new RedisError(
      `TOOMANYSIBLINGS the key has ${current.record.siblings.length} siblings, the limit is ` +
        `${siblingLimit}; read them with DYN.GET and write the merged value with its context`,
    );
  }
  return record === current.record ? { result: record.vv } : { record, result: record.vv };
}

function write(
  current: Current,
  update: Update,
  effect: Effect,
  context: VersionVector | undefined,
): Record | undefined {
  if (effect.kind === 'none' || effect.kind === 'error') return undefined;
  const fresh = newSibling(current, context);
  if (effect.kind === 'expiry' || update.kind === 'expire') {
    const old = visible(current.record, current.nowMs);
    assert(old !== undefined, 'an expiry is set on what is there');
    const next: Sibling =
      effect.kind === 'expiry'
        ? { ...old, dot: fresh.dot, expireAtMs: effect.expireAtMs }
        : { ...fresh, kind: siblingKind.tombstone };
    return replace(current.record, old.dot, next);
  }
  const next: Sibling =
    effect.kind === 'delete'
      ? { ...fresh, kind: siblingKind.tombstone }
      : { ...fresh, expireAtMs: effect.expireAtMs, bytes: effect.bytes };
  return context === undefined
    ? putCoveringAll(current.record, next)
    : put(current.record, context, next);
}

/** A delete that finds no winner still ends the losers that a tombstone or an expired value hides. */
function endLosers(current: Current, update: Update): Record | undefined {
  if (update.kind !== 'delete' || liveSiblings(current.record, current.nowMs).length === 0) {
    return undefined;
  }
  const fresh = newSibling(current, undefined);
  return putCoveringAll(current.record, { ...fresh, kind: siblingKind.tombstone });
}

/** A value without bytes under a dot of its own. */
function newSibling(current: Current, context: VersionVector | undefined): Sibling {
  const dot = current.issue(context);
  return { dot, order: dot.stamp, kind: siblingKind.value, expireAtMs: 0, bytes: emptyBytes };
}

/** Whether a command wants the value before the change; copying it costs. */
function answersOld(update: Update): boolean {
  switch (update.kind) {
    case 'set':
      return update.readsOld === true || update.condition !== undefined;
    case 'append':
    case 'set-range':
    case 'increment':
    case 'increment-float':
      return false;
    case 'set-bit':
    case 'expire':
    case 'persist':
    case 'delete':
      return true;
  }
}

function seenAfter(effect: Effect, seen: Sibling | undefined): Visible | undefined {
  switch (effect.kind) {
    case 'value':
      return effect;
    case 'expiry':
      return seen && { bytes: own(seen.bytes), expireAtMs: effect.expireAtMs };
    case 'none':
      return seen && { bytes: own(seen.bytes), expireAtMs: seen.expireAtMs };
    default:
      return undefined;
  }
}
