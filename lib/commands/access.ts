/**
 * How the commands of a connection reach the data: with the R and W that it has set (DYN.QUORUM)
 * and the contexts that it has seen (DYN.CONTEXT TRACK). Handlers read and write values through
 * these functions only. A connection that has set neither pays two comparisons for them.
 */
import { own } from '../base/bytes.ts';
import { after, isLater, type Later } from '../base/later.ts';
import type { VersionVector } from '../causal/record.ts';
import { covered, nothingSeen } from '../causal/version-vector.ts';
import { visible } from '../causal/visible.ts';
import type { PutRequest, UpdateResult } from '../coordinator/coordinator.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Update, Visible } from '../updates/update.ts';
import type { Call } from './command.ts';
import type { Statistics } from './statistics.ts';
import type { Place, Tracking } from './tracking.ts';
import { WrittenKeys } from './written-keys.ts';

/** What a plain reader sees of a key, counted as a hit or a miss. */
export function lookUp(call: Call, key: Buffer): Later<Visible | undefined> {
  const { session, coordinator } = call;
  const found =
    session.r === undefined
      ? coordinator.read(session.db, key)
      : coordinator.read(session.db, key, { r: session.r });
  return counted(call.statistics, found);
}

/** The same for a command that hands the value to the client: TRACK remembers what it has seen. */
export function readValue(call: Call, key: Buffer): Later<Visible | undefined> {
  const { tracking } = call.session;
  if (tracking === undefined) return lookUp(call, key);
  return counted(call.statistics, trackedRead(call, key, tracking));
}

/** The usual answer of a command that hands the value out. */
export function bytesOrNull(shown: Visible | undefined): Reply {
  return shown === undefined ? null : shown.bytes;
}

/** Runs an update; a plain SET carries what TRACK remembers of the key. */
export function update(
  call: Call,
  key: Buffer,
  change: Update,
  db: number = call.session.db,
): Later<UpdateResult> {
  noteWrite(call, db, key);
  const { tracking, w } = call.session;
  if (tracking !== undefined) {
    const place = { db, key: own(key) };
    const owned = 'bytes' in change ? { ...change, bytes: own(change.bytes) } : change;
    return tracking.inOrder(() => trackedUpdate(call, place, owned, tracking));
  }
  return w === undefined
    ? call.coordinator.update(db, key, change)
    : call.coordinator.update(db, key, change, { w });
}

/** Deletes a key; what a reader saw before, or under TRACK what of it the connection had seen. */
export function remove(call: Call, key: Buffer): Later<Visible | undefined> {
  const { tracking, db } = call.session;
  if (tracking === undefined) return after(update(call, key, deletion), shownBefore);
  noteWrite(call, db, key);
  const place = { db, key: own(key) };
  return tracking.inOrder(() => {
    const context = tracking.recall(place);
    return context === undefined
      ? after(trackedUpdate(call, place, deletion, tracking), shownBefore)
      : removeSeen(call, place, context, tracking);
  });
}

const deletion: Update = { kind: 'delete' };

/** Deletes exactly what the context has seen (DYN.DEL); everything the key has now seen. */
export function removeCovered(
  call: Call,
  place: Place,
  context: VersionVector,
): Later<VersionVector> {
  const { w } = call.session;
  const request = { context, value: undefined, expireAtMs: 0 };
  return put(call, place, w === undefined ? request : { ...request, w });
}

/** A write with a context of the client's. */
export function put(call: Call, { db, key }: Place, request: PutRequest): Later<VersionVector> {
  noteWrite(call, db, key, request.w);
  return call.coordinator.put(db, key, request);
}

/** For WAIT, before the write begins; one member alone has nobody to ask. */
export function noteWrite(
  { session, coordinator, ports }: Call,
  db: number,
  key: Buffer,
  w: number | undefined = session.w,
): void {
  if (!ports.severalMembers) return;
  session.written ??= new WrittenKeys();
  session.written.note(db, key, w ?? coordinator.quorum(db).w);
}

function shownBefore(result: UpdateResult): Visible | undefined {
  return result.before;
}

function counted(
  statistics: Statistics,
  found: Later<Visible | undefined>,
): Later<Visible | undefined> {
  if (isLater(found)) return countedLater(statistics, found);
  if (found === undefined) statistics.miss();
  else statistics.hit();
  return found;
}

/** Apart from `counted`, so that an answer from the cache pays for no closure. */
function countedLater(
  statistics: Statistics,
  found: PromiseLike<Visible | undefined>,
): PromiseLike<Visible | undefined> {
  return found.then((value) => counted(statistics, value));
}

function trackedRead(call: Call, key: Buffer, tracking: Tracking): Later<Visible | undefined> {
  const { session, coordinator, ports } = call;
  const { db, r } = session;
  const place = { db, key: own(key) };
  return tracking.inOrder(() => {
    tracking.admit(place);
    const record = coordinator.readRecord(db, place.key, r === undefined ? {} : { r });
    return after(record, (found) => {
      tracking.remember(place, found?.vv ?? nothingSeen);
      return found && visible(found, ports.system.clock.wallMs());
    });
  });
}

/** A write that was refused (NX, XX, ...) shows the client nothing, so it changes no memory. */
function trackedUpdate(
  call: Call,
  place: Place,
  change: Update,
  tracking: Tracking,
): Later<UpdateResult> {
  const { w } = call.session;
  const readsOld = change.kind === 'set' && change.readsOld === true;
  const plainSet = change.kind === 'set' && change.condition === undefined && !readsOld;
  tracking.admit(place);
  const context = plainSet ? tracking.recall(place) : undefined;
  const options = { ...(w !== undefined && { w }), ...(context !== undefined && { context }) };
  return after(call.coordinator.update(place.db, place.key, change, options), (result) => {
    if (result.applied || readsOld) tracking.remember(place, result.vv);
    return result;
  });
}

/** DYN.DEL of what the connection has seen, holding the key between the look and the delete. */
function removeSeen(
  call: Call,
  place: Place,
  context: VersionVector,
  tracking: Tracking,
): Later<Visible | undefined> {
  const { db, key } = place;
  const nowMs = call.ports.system.clock.wallMs();
  const removed = call.coordinator.exclusive(db, [key], (inside) =>
    after(inside.readRecord(db, key), (record) => {
      const siblings = record?.siblings.filter(({ dot }) => covered(context, dot)) ?? [];
      const shown = visible({ vv: context, siblings }, nowMs);
      const done = removeCovered({ ...call, coordinator: inside }, place, context);
      return { shown, done };
    }),
  );
  return after(removed, ({ shown, done }) =>
    after(done, (seen) => {
      tracking.remember(place, seen);
      return shown;
    }),
  );
}
