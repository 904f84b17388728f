/**
 * A write handed to the node that coordinates it (DESIGN 2.5). Refused or never sent, it goes to
 * the next candidate. Once sent and unanswered its outcome is unknown: only a plain SET is repeated
 * then, everything else is `-UNCERTAIN`. A plain SET does not wait for its deadline either where
 * the coordinator has fallen silent.
 *
 * Who receives it executes or refuses it and never passes it on.
 */
import { RedisError, StoreError } from '../base/errors.ts';
import { Deferred, type Later, outcomeOf } from '../base/later.ts';
import type { Place } from '../replica/place.ts';
import { PeerError } from '../transport/transport.ts';
import { atDeadline, timeoutFor } from './deadlines.ts';
import { isStale, routeHead } from './heads.ts';
import type { Needs } from './owner-operations.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { encodeForward, type Forwarded, restamped } from './peer-messages.ts';

export interface ForwardPlan<T> {
  /** Candidates, the best first. */
  readonly routes: readonly number[];
  /** The same by the layouts that are active now. */
  readonly newRoutes: () => readonly number[];
  readonly needs: Needs;
  readonly repeatable: boolean;
  /** Borrowed for the call. */
  readonly what: Forwarded;
  readonly decode: (body: Buffer) => T;
  /** Executes it at this node. */
  readonly here: () => Later<T>;
}

/** Part of the time left that the coordinator may use, so that its answer still arrives in time. */
const shareOfTime = 0.9;

class Forwarding<T> {
  readonly answer = new Deferred<T>();
  readonly #parts: Parts;
  readonly #plan: ForwardPlan<T>;
  #body: Buffer;
  readonly #endAtMs: number;
  #left: number[];
  #open = 0;
  #failure: RedisError | undefined;
  #version: number;

  constructor(parts: Parts, place: Place, plan: ForwardPlan<T>) {
    this.#parts = parts;
    this.#plan = plan;
    this.#version = parts.ring.oldest;
    this.#left = [...plan.routes];
    const timeoutMs = timeoutFor(parts, valueBytesOf(plan.what));
    this.#endAtMs = parts.system.clock.monotonicMs() + timeoutMs;
    const options = { ...plan.needs, timeoutMs: timeoutMs * shareOfTime };
    this.#body = encodeForward(routeHead(parts, place), options, plan.what);
  }

  tryNext(): void {
    const { ring, system } = this.#parts;
    const leftMs = this.#endAtMs - system.clock.monotonicMs();
    const upAt = this.#left.findIndex((other) => ring.verdict(other) === 'up');
    const [member] = leftMs > 0 ? this.#left.splice(Math.max(0, upAt), 1) : [];
    if (member === undefined) {
      if (this.#open === 0) this.#fail(this.#failure ?? this.#noCoordinator());
      return;
    }
    this.#open += 1;
    outcomeOf(
      () => this.#ask(member, leftMs),
      (value) => this.answer.settle(value),
      (error) => this.#failed(member, error),
    );
    if (this.#plan.repeatable) this.#parts.hedge.add(() => this.#lookAgain(member));
  }

  /** The time is over: what was sent may have happened. */
  expire(): void {
    if (!this.answer.pending) return;
    const { w } = this.#plan.needs;
    const unanswered = new RedisError(`UNCERTAIN acknowledged by 0 of ${w} replicas in time`);
    this.#fail(this.#open > 0 ? unanswered : (this.#failure ?? this.#noCoordinator()));
  }

  #ask(member: number, leftMs: number): Later<T> {
    const { ring, transport, counts } = this.#parts;
    if (member === ring.self) return this.#plan.here();
    counts.forwards += 1;
    return transport
      .call(ring.idOf(member), peerKinds.forward, this.#body, leftMs)
      .then(this.#plan.decode);
  }

  #failed(member: number, error: unknown): void {
    this.#open -= 1;
    if (!this.answer.pending) return;
    if (isStale(error)) {
      const goOn = (): void => this.#startAgain();
      outcomeOf(() => this.#parts.catchUp(member), goOn, goOn);
      return;
    }
    const outcome = this.#judge(member, error);
    this.#failure = moreUncertain(this.#failure, outcome.error);
    if (outcome.goesOn) this.tryNext();
    else this.#fail(this.#failure);
  }

  /** By the layouts of now, if they are others; else with the next candidate. */
  #startAgain(): void {
    const { ring } = this.#parts;
    if (!this.answer.pending) return;
    if (ring.oldest > this.#version) {
      this.#version = ring.oldest;
      this.#left = [...this.#plan.newRoutes()];
      this.#body = restamped(this.#body, ring.oldest);
    }
    this.tryNext();
  }

  #fail(failure: RedisError): void {
    const { counts } = this.#parts;
    if (failure.message.startsWith('UNCERTAIN')) counts.writesUncertain += 1;
    else counts.writeFailures += 1;
    this.answer.fail(failure);
  }

  #judge(member: number, error: unknown): { error: RedisError; goesOn: boolean } {
    const { needs, repeatable } = this.#plan;
    const name = this.#parts.ring.nameOf(member);
    if (error instanceof RedisError) return { error, goesOn: isRefusal(error) };
    const isHere = error instanceof StoreError;
    if (!isHere && !(error instanceof PeerError)) throw error;
    if (isHere || error.code === 'refused') {
      const refused = refusalOf(isHere ? `STORE ${error.code}` : error.message, name);
      return { error: refused, goesOn: isRefusal(refused) };
    }
    if (!error.wasSent) return { error: this.#noCoordinator(), goesOn: true };
    const text = `UNCERTAIN acknowledged by 0 of ${needs.w} replicas: no answer of ${name}`;
    return { error: new RedisError(text), goesOn: repeatable };
  }

  /** Silent: somebody else is asked, whoever answers first. */
  #lookAgain(member: number): void {
    if (!this.answer.pending || this.#open === 0) return;
    if (this.#parts.ring.verdict(member) === 'up') {
      this.#parts.hedge.add(() => this.#lookAgain(member));
    } else this.tryNext();
  }

  #noCoordinator(): RedisError {
    const { w } = this.#plan.needs;
    return new RedisError(`CLUSTERDOWN need ${w} replicas, 0 reachable`);
  }
}

export function forward<T>(parts: Parts, place: Place, plan: ForwardPlan<T>): Deferred<T> {
  const forwarding = new Forwarding(parts, place, plan);
  atDeadline(parts, valueBytesOf(plan.what), () => forwarding.expire());
  forwarding.tryNext();
  return forwarding.answer;
}

function valueBytesOf(what: Forwarded): number {
  if (what.op === 'put') return what.request.value?.length ?? 0;
  return 'bytes' in what.update ? what.update.bytes.length : 0;
}

/** What a storage or a queue says of itself, as an answer to a client. */
function refusalOf(text: string, name: string): RedisError {
  const [, code] = /^STORE (\S+)/.exec(text) ?? [];
  if (code === 'unknown') return new RedisError(`UNCERTAIN the disk of ${name} failed`);
  const isBusy = text.startsWith('BUSY');
  if (code === undefined && !isBusy) return new RedisError(text);
  return new RedisError(`CLUSTERDOWN the coordinator ${name} is ${isBusy ? 'busy' : code}`);
}

/** After it the write has certainly not happened. */
function isRefusal({ message }: RedisError): boolean {
  return message.startsWith('CLUSTERDOWN') || message.startsWith('MISCONF');
}

/** What was sent anywhere may have happened, whatever others answered. */
function moreUncertain(before: RedisError | undefined, now: RedisError): RedisError {
  return before?.message.startsWith('UNCERTAIN') === true ? before : now;
}
