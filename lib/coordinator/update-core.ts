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
import { covered, including } from '../causal/version-vector.ts';
import { liveSiblings, visible } from '../causal/visible.ts';
import type { Current } from '../replica/current.ts';
import type { Decision } from '../replica/replica.ts';
import { type ApplyLimits, applyUpdate } from '../updates/apply.ts';
import type { Effect, Update, Visible } from '../updates/update.ts';
import type { PutRequest, UpdateResult } from './coordinator.ts';

type BlindSet = Extract<Update, { kind: 'set' }> & { readonly expireAtMs: number };

export interface UpdateLimits extends ApplyLimits {
  /** Versions of one key. */
  readonly siblingLimit: number;
}

/** `context`: replaces all that the replica holds as what the write has seen (TRACK). */
export function decideUpdate(
  current: Current,
  update: Update,
  limits: UpdateLimits,
  context: VersionVector | undefined,
): Decision<UpdateResult> {
  if (context === undefined && readsNothing(update)) return overwrite(current, update);
  const seen = visible(current.record, current.nowMs);
  const effect = applyUpdate(update, seen, current.nowMs, limits);
  if (effect.kind === 'error') throw new RedisError(effect.text);
  const record = write(current, update, effect, context) ?? endLosers(current, update);
  if (record !== undefined) checkSiblings(current, record, limits.siblingLimit);
  const result: UpdateResult = {
    applied: effect.kind !== 'none',
    before:
      seen !== undefined && answersOld(update)
        ? { bytes: own(seen.bytes), expireAtMs: seen.expireAtMs }
        : undefined,
    after: seenAfter(effect, seen),
    vv: seenBy(current, record, context),
  };
  return record === undefined ? { result } : { record, result };
}

/** A plain write that asks nothing of what is there: it replaces it, unread. */
function overwrite(current: Current, update: BlindSet): Decision<UpdateResult> {
  const dot = current.issue(current.vv);
  const record = putCoveringAll(current, {
    dot,
    order: dot.stamp,
    kind: siblingKind.value,
    expireAtMs: update.expireAtMs,
    bytes: update.bytes,
  });
  return { record, result: { applied: true, before: undefined, after: update, vv: record.vv } };
}

/** DYN.PUT and DYN.DEL: exactly what the client has seen is replaced. */
export function decidePut(
  current: Current,
  request: PutRequest,
  siblingLimit: number,
): Decision<VersionVector> {
  const { context, value } = request;
  if (value === undefined) {
    const record = remove(current.record, context);
    return record === current.record ? { result: context } : { record, result: context };
  }
  const fresh = newSibling(current, context);
  const record = put(current.record, context, {
    ...fresh,
    expireAtMs: request.expireAtMs,
    bytes: value,
  });
  checkSiblings(current, record, siblingLimit);
  return { record, result: including(context, fresh.dot) };
}

/** Checked where a write is coordinated; merging never refuses (DESIGN 2.4). */
function checkSiblings(current: Current, record: Record, siblingLimit: number): void {
  const { length } = current.record.siblings;
  if (record.siblings.length <= Math.max(length, siblingLimit)) return;
  throw new RedisError(
    `TOOMANYSIBLINGS the key has ${length} siblings, the limit is ${siblingLimit}; ` +
      'read them with DYN.GET and write the merged value with its context',
  );
}

/** A write with a context has seen that and itself; without one, all that the replica holds. */
function seenBy(
  current: Current,
  record: Record | undefined,
  context: VersionVector | undefined,
): VersionVector {
  if (record === undefined) return current.record.vv;
  if (context === undefined) return record.vv;
  const own = record.siblings.find(({ dot }) => !covered(current.record.vv, dot));
  return own === undefined ? context : including(context, own.dot);
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

/**
 * A delete that finds no winner still ends the losers that a tombstone or an expired value hides.
 */
function endLosers(current: Current, update: Update): Record | undefined {
  if (update.kind !== 'delete' || liveSiblings(current.record, current.nowMs).length === 0) {
    return undefined;
  }
  const fresh = newSibling(current, undefined);
  return putCoveringAll(current.record, { ...fresh, kind: siblingKind.tombstone });
}

/** A value without bytes under a dot of its own. */
function newSibling(current: Current, context: VersionVector | undefined): Sibling {
  const dot = current.issue(context ?? current.record.vv);
  return { dot, order: dot.stamp, kind: siblingKind.value, expireAtMs: 0, bytes: emptyBytes };
}

/** A plain write whose outcome does not depend on what is there. */
export function readsNothing(update: Update): update is BlindSet {
  if (update.kind !== 'set' || update.expireAtMs === 'keep') return false;
  return update.condition === undefined && update.readsOld !== true;
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
