/**
 * Who is a member, and with which share, changes by a new layout that the members agree on
 * (`ballots.ts`). Operators ask for it at any node; nodes that want to join ask until they are in.
 *
 * Requests to join that come close together become one change: they are gathered at one member, the
 * first by id that is up, for a moment. Which member that is makes no difference to correctness,
 * because a ballot decides; it only saves proposers from getting in each other's way.
 *
 * A node that comes with the name of a dead member takes its place; with that of a living one it is
 * refused. A change that needs a member which is down would wait for it, so it is refused instead:
 * a dead member is replaced or removed first, also in the middle of a change that waits for it.
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { Deferred, type Later } from '../base/later.ts';
import { type Change, nextLayout, type Plan, planOf } from '../ring/changes.ts';
import type { Layout } from '../ring/layout.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { PeerError, type PeerId, type Transport } from '../transport/transport.ts';
import type { Proposal } from './ballot-messages.ts';
import type { Ballots } from './ballots.ts';
import { checkAgainst, IdentityError } from './identity.ts';
import { encodeJoin, type JoinRequest } from './introduction.ts';
import type { Member, Verdict } from './member.ts';
import { membershipKinds } from './peer-kinds.ts';
import type { Topology } from './topology.ts';

export interface RingChangesDoors {
  readonly system: System;
  readonly transport: Transport;
  readonly topology: Topology;
  readonly ballots: Ballots;
  /** As this node hears it, within a second. */
  verdict(id: PeerId): Verdict;
  /** As the members have agreed by gossip. */
  gossiped(id: PeerId): Verdict;
}

interface Candidate {
  readonly member: Member;
  /** Id of the dead member whose place it takes. */
  readonly replaces: PeerId | undefined;
  readonly sinceMs: number;
  askedAtMs: number;
}

const tickMs = 100;
/** Nobody else has come for so long. */
const quietMs = 1000;
/** The first has waited for so long. */
const gatherMs = 3000;
const retryMs = 500;
/** Candidates ask every second. */
const forgetMs = 5000;
const forwardTimeoutMs = 1000;
const proposalIdBytes = 8;

const inProgress = 'ERR another change is in progress';

export class RingChanges {
  readonly #doors: RingChangesDoors;
  readonly #candidates = new Map<PeerId, Candidate>();
  #timer: Timer | undefined;
  #lastNewMs = 0;
  /** After a refusal. */
  #notBeforeMs = 0;
  #lastReason = '';
  #letting = false;

  constructor(doors: RingChangesDoors) {
    this.#doors = doors;
  }

  /** A change is under way, and comes to its end: nobody whom it needs is dead. */
  get isBusy(): boolean {
    const { topology, gossiped } = this.#doors;
    const needed = topology.layouts.flatMap(({ members }) => members);
    const isDead = (id: PeerId): boolean => !topology.isRemoved(id) && gossiped(id) === 'down';
    return topology.isChanging && !needed.some(isDead);
  }

  start(): void {
    const { system, topology } = this.#doors;
    // Who is in has been let in, even if he leaves again at once.
    topology.onChange(() => {
      for (const id of this.#candidates.keys()) {
        if (topology.isActive(id)) this.#candidates.delete(id);
      }
    });
    this.#timer = system.timers.every(tickMs, () => this.#letIn());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /**
   * A node wants to be let in; answered at once, `ERR ...` if it never will be, `BUSY ...` if not
   * yet. `fromHost`: where the one who asks is, for one that does not know its own address.
   */
  joins(request: JoinRequest, from: PeerId, fromHost: string): Later<Buffer> {
    const { topology, transport } = this.#doors;
    if (topology.isActive(request.id)) return emptyBytes;
    this.#refuseStranger(request);
    const replaces = this.#replacedBy(request);
    const host = request.facts.host || fromHost.replace(/^::ffff:/, '');
    const facts = { ...request.facts, host };
    this.#note({ id: request.id, ...facts }, replaces);
    const proposer = this.#proposer();
    if (from === request.id && proposer !== topology.selfId) {
      const body = encodeJoin({ ...request, facts });
      return transport.call(proposer, membershipKinds.join, body, forwardTimeoutMs).then(
        () => emptyBytes,
        (error: unknown) => {
          if (!(error instanceof PeerError)) throw error;
          if (error.code === 'refused') throw new RedisError(error.message);
          throw new RedisError(`BUSY the member that lets nodes in: ${error.message}`);
        },
      );
    }
    return emptyBytes;
  }

  /** These settle once the change is agreed, and fail with a RedisError. */
  leave(node: string): Deferred<void> {
    return this.#change(() => ({ kind: 'leave', id: this.#memberOf(node).id }));
  }

  weight(node: string, weight: number): Deferred<void> {
    return this.#change(() => ({ kind: 'weight', id: this.#memberOf(node).id, weight }));
  }

  /** `force`: without the agreement of a majority, where there is none (DESIGN 4). */
  remove(node: string, force: boolean): Deferred<void> {
    const change = (): Change => {
      const { id, name } = this.#memberOf(node);
      if (id === this.#doors.topology.selfId || this.#doors.gossiped(id) !== 'down') {
        throw new RedisError(`ERR ${name} is alive: let it leave, or stop it first`);
      }
      return { kind: 'remove', id };
    };
    const agreed = this.#change(change);
    if (!force) return agreed;
    return agreed.then(undefined, (error: unknown) => {
      if (!(error instanceof RedisError && error.message.startsWith('CLUSTERDOWN'))) throw error;
      const { topology, system } = this.#doors;
      const { layout, members } = this.#proposal([change()]);
      system.log.warning('a member is removed without a majority', { node });
      return topology.adopt(layout, members);
    });
  }

  /** What a change would move. Throws a RedisError. */
  plan(change: PlannedChange): Plan {
    const { newest } = this.#doors.topology;
    return planOf(newest, this.#layoutAfter([this.#resolved(change)]));
  }

  #resolved(change: PlannedChange): Change {
    if (change.kind !== 'join') return { ...change, id: this.#memberOf(change.node).id };
    const { hashes } = this.#doors.system;
    const id = hashes.sha256(Buffer.from(change.name)).subarray(0, 20).toString('hex');
    return { kind: 'join', candidate: { id, weight: change.weight, zone: change.zone } };
  }

  #memberOf(node: string): Member {
    const { topology } = this.#doors;
    const member = topology.members.find(
      ({ id, name }) => (id === node || name === node) && topology.isActive(id),
    );
    if (member === undefined) throw new RedisError(`ERR no member is called '${node}'`);
    return member;
  }

  #refuseStranger({ id, settings, given }: JoinRequest): void {
    const { topology } = this.#doors;
    if (topology.isRemoved(id)) {
      throw new RedisError('ERR this node was removed from its ring: start it empty');
    }
    try {
      checkAgainst(topology.identity, settings, (name) => given.includes(name));
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error;
      throw new RedisError(`ERR ${error.message}`);
    }
  }

  /** The dead member whose place it takes, by what it was told or by its name. */
  #replacedBy({ id, replace, facts }: JoinRequest): PeerId | undefined {
    const { topology, verdict, gossiped } = this.#doors;
    const wanted = replace || facts.name;
    const member = topology.members.find(
      (one) =>
        one.id !== id && (one.name === wanted || one.id === wanted) && topology.isActive(one.id),
    );
    if (member === undefined) {
      if (replace === '') return undefined;
      throw new RedisError(`ERR no member is called '${replace}'`);
    }
    if (gossiped(member.id) === 'down') return member.id;
    const isGone = verdict(member.id) === 'down' && member.id !== topology.selfId;
    if (isGone) throw new RedisError(`BUSY whether ${member.name} is dead is not certain yet`);
    throw new RedisError(
      replace === ''
        ? `ERR a living member is called ${member.name}`
        : `ERR ${member.name} is alive: it cannot be replaced`,
    );
  }

  #note(member: Member, replaces: PeerId | undefined): void {
    const nowMs = this.#nowMs;
    const known = this.#candidates.get(member.id);
    if (known === undefined) {
      this.#lastNewMs = nowMs;
      const { name, host, peerPort } = member;
      this.#doors.system.log.notice('a node asks to join', { name, host, peerPort });
    }
    const sinceMs = known?.sinceMs ?? nowMs;
    this.#candidates.set(member.id, { member, replaces, sinceMs, askedAtMs: nowMs });
  }

  /** The first member by id that is up. */
  #proposer(): PeerId {
    const { topology, verdict } = this.#doors;
    const isUp = (id: PeerId): boolean => id === topology.selfId || verdict(id) === 'up';
    return topology.newest.members.find(isUp) ?? topology.selfId;
  }

  #letIn(): void {
    const { topology, system } = this.#doors;
    const nowMs = this.#nowMs;
    for (const [id, { askedAtMs }] of this.#candidates) {
      if (nowMs - askedAtMs > forgetMs) this.#candidates.delete(id);
    }
    if (this.#letting || this.isBusy || this.#proposer() !== topology.selfId) return;
    const candidates = this.#nextIn();
    const firstMs = Math.min(...candidates.map(({ sinceMs }) => sinceMs));
    const isDue = nowMs - this.#lastNewMs >= quietMs || nowMs - firstMs >= gatherMs;
    if (candidates.length === 0 || !isDue || nowMs < this.#notBeforeMs) return;
    this.#letting = true;
    const over = (reason: string): void => {
      this.#letting = false;
      this.#lastReason = reason;
    };
    this.#propose(candidates).listen(
      () => over(''),
      (error) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== this.#lastReason) {
          system.log.notice('nodes that ask to join have to wait', { reason });
        }
        over(reason);
        this.#notBeforeMs = this.#nowMs + retryMs;
      },
    );
  }

  /** Who takes a dead member's place comes first: the others may be waiting for that. */
  #nextIn(): readonly Candidate[] {
    const all = [...this.#candidates.values()];
    const substitutes = all.filter(({ replaces }) => replaces !== undefined);
    return substitutes.length > 0 ? substitutes : all;
  }

  #propose(candidates: readonly Candidate[]): Deferred<void> {
    const { newest } = this.#doors.topology;
    const changes = candidates.flatMap(({ member, replaces }): readonly Change[] => {
      const { id, weight, zone } = member;
      const candidate = { id, weight, zone };
      if (replaces === undefined) return [{ kind: 'join', candidate }];
      if (newest.members.includes(replaces)) return [{ kind: 'replace', id: replaces, candidate }];
      // It was leaving when it died, and its places are others' already.
      return [
        { kind: 'remove', id: replaces },
        { kind: 'join', candidate },
      ];
    });
    const news = candidates.map(({ member }) => member);
    return this.#agree(() => changes, news);
  }

  #change(make: () => Change): Deferred<void> {
    return this.#agree(() => [make()], []);
  }

  /** `news`: what is known of those who are no members yet. */
  #agree(make: () => readonly Change[], news: readonly Member[]): Deferred<void> {
    const { ballots } = this.#doors;
    const refused = new Deferred<void>();
    try {
      const changes = make();
      if (this.isBusy) throw new RedisError(inProgress);
      this.#refuseWhileDown(changes);
      const proposal = this.#proposal(changes, news);
      return ballots.propose(proposal).then((decided) => {
        if (!decided.id.equals(proposal.id)) throw new RedisError(inProgress);
      });
    } catch (error) {
      refused.fail(error);
      return refused;
    }
  }

  /** Several may be dead, so giving one up does not wait for the others. */
  #refuseWhileDown(changes: readonly Change[]): void {
    const { topology, verdict } = this.#doors;
    if (changes.every(({ kind }) => kind === 'remove' || kind === 'replace')) return;
    for (const { id, name } of topology.members) {
      const isNeeded = topology.isActive(id) && id !== topology.selfId;
      if (!isNeeded || verdict(id) !== 'down') continue;
      throw new RedisError(`CLUSTERDOWN ${name} is down: start, replace or remove it first`);
    }
  }

  #proposal(changes: readonly Change[], news: readonly Member[] = []): Proposal {
    const { system, topology } = this.#doors;
    const layout = this.#layoutAfter(changes);
    const facts = new Map([...topology.members, ...news].map((member) => [member.id, member]));
    const members = layout.members.flatMap((id, index) => {
      const member = facts.get(id);
      return member === undefined ? [] : { ...member, weight: layout.weights[index] ?? 1 };
    });
    return { id: system.random.bytes(proposalIdBytes), layout, members };
  }

  #layoutAfter(changes: readonly Change[]): Layout {
    const { newest, identity } = this.#doors.topology;
    try {
      return nextLayout(newest, changes, identity.n);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RedisError(`ERR ${error.message}`);
    }
  }

  get #nowMs(): number {
    return this.#doors.system.clock.monotonicMs();
  }
}

/** What DYN.RING PLAN asks about; `node`: its name or id. */
export type PlannedChange =
  | { readonly kind: 'leave' | 'remove'; readonly node: string }
  | { readonly kind: 'weight'; readonly node: string; readonly weight: number }
  | {
      readonly kind: 'join';
      readonly name: string;
      readonly weight: number;
      readonly zone: string;
    };
