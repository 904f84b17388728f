/**
 * WAIT numreplicas timeout: how many members beyond the first hold every write of this connection,
 * asked again until there are enough or the time is up. It holds up nobody but its connection.
 *
 * More members than there are can't come, so WAIT 0 ("for ever") for them answers at once; with a
 * timeout it takes its time, as in Redis. A connection that has written nothing is answered the
 * number of replicas that a write of its database has, as Redis does.
 */
import { RedisError } from '../base/errors.ts';
import { Deferred, outcomeOf } from '../base/later.ts';
import type { Reply } from '../protocol/reply.ts';
import { argument, clampedInteger, integerWithin } from './arguments.ts';
import type { Call, Command } from './command.ts';

/** How often it looks again. */
const stepMs = 25;
const timeoutMsMax = 2 ** 31 - 1;

async function wait(call: Call, args: readonly Buffer[]): Promise<Reply> {
  const wanted = clampedInteger(argument(args, 1));
  const timeoutMs = timeoutOf(argument(args, 2));
  const { session, coordinator, ports, batched } = call;
  const { timers } = ports.system;
  const membersCount = coordinator.quorum(session.db).n;
  const replicasCount = () =>
    Math.max(0, (session.written?.fewestHolders(membersCount) ?? membersCount) - 1);

  const ask = () => session.written?.ask(coordinator, wanted + 1, membersCount);

  const isHopeless = wanted >= membersCount;
  let isOver = batched || (timeoutMs === 0 && isHopeless);
  let next = new Deferred<void>();
  const end = () => {
    isOver = true;
    next.settle();
  };
  const deadline = isOver || timeoutMs === 0 ? undefined : timers.after(timeoutMs, end);
  for (;;) {
    next = new Deferred();
    outcomeOf(
      ask,
      () => next.settle(),
      (error) => next.fail(error),
    );
    await next;
    const isGone = ports.clients.byId(session.id) === undefined;
    if (isOver || isGone || replicasCount() >= wanted) break;
    next = new Deferred();
    const step = isHopeless ? undefined : timers.after(stepMs, () => next.settle());
    await next;
    step?.cancel();
  }
  deadline?.cancel();
  return replicasCount();
}

function timeoutOf(text: Buffer): number {
  const notATimeout = 'ERR timeout is not an integer or out of range';
  const timeoutMs = integerWithin(text, -Infinity, timeoutMsMax, notATimeout);
  if (timeoutMs < 0) throw new RedisError('ERR timeout is negative');
  return timeoutMs;
}

export const waitCommand: Command = {
  name: 'wait',
  arity: 3,
  flags: ['noscript'],
  group: 'generic',
  since: '3.0.0',
  summary: 'Wait until the writes of this connection are held by so many further members',
  syntax: 'numreplicas timeout',
  handler: wait,
};
