/**
 * An empty node among its seeds, until it has a ring (DESIGN 2.1). One with `bootstrap` founds when
 * every other seed has just answered that it is empty too; of several such nodes the smallest id
 * does it. All others wait for its offer. Where a seed is in a ring already, that is asked to let
 * this node in, again and again until a member offers it the ring.
 *
 * The founder decides by writing the ring to its own disk: before that nobody has heard of it,
 * after that it is handed to every member until all have it (`keeper.ts`), however often anyone
 * crashes. An offer is taken by a node that is empty and not about to decide itself, if its own
 * configuration does not contradict; it is answered when it is on the disk.
 *
 * Invariant: a node belongs to one ring, the first that it wrote down.
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { Deferred, type Later, nothing } from '../base/later.ts';
import { firstLayout } from '../ring/claim.ts';
import type { System } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import { type PeerAddress, PeerError, type PeerId } from '../transport/transport.ts';
import {
  checkAgainst,
  type Identity,
  IdentityError,
  type RingSettings,
  ringDirectives,
  ringKeyBytes,
} from './identity.ts';
import { type Introduction, type JoinRequest, ringTagOf } from './introduction.ts';
import type { Phase } from './introductions.ts';
import type { Member } from './member.ts';
import type { MemberFacts } from './member-facts.ts';
import { newestOf, type RingMembership, rememberRing } from './ring-rows.ts';
import { Seeds } from './seeds.ts';

export interface GatheringOptions {
  readonly nodeId: Buffer;
  readonly settings: RingSettings;
  readonly isGiven: (directive: string) => boolean;
  readonly seeds: readonly PeerAddress[];
  readonly bootstrap: boolean;
  facts(): MemberFacts;
  /** Name or id of the dead member whose place to take; empty: none. */
  readonly replace: string;
  /** Asks a peer who it is now; settles after `heard`. */
  ask(peer: PeerId): Deferred<void>;
  /** Asks a member to let this node in. Fails with what it says against that, a RESP error text. */
  join(peer: PeerId, request: JoinRequest): Deferred<unknown>;
}

interface Choice {
  readonly tag: Buffer;
  readonly members: readonly PeerId[];
  readonly written: Deferred<RingMembership>;
}

export class Gathering implements Phase {
  /** Settles with the ring of this node, once that is on its disk. */
  readonly done = new Deferred<RingMembership>();
  readonly #store: Store;
  readonly #system: System;
  readonly #options: GatheringOptions;
  readonly #id: PeerId;
  readonly #seeds: Seeds;
  #asking = false;
  /** The ring being written; from then on no other is taken. */
  #chosen: Choice | undefined;
  /** The latest reason. */
  #refused = '';

  constructor(store: Store, system: System, options: GatheringOptions) {
    this.#store = store;
    this.#system = system;
    this.#options = options;
    this.#id = options.nodeId.toString('hex');
    this.#seeds = new Seeds(options.seeds, options.bootstrap ? this.#id : undefined);
  }

  /** Asks all seeds again: who was empty a while ago may be in a ring by now. */
  refresh(): void {
    if (this.#asking || this.#chosen !== undefined) return;
    const peers = this.#seeds.peers();
    let open = peers.length;
    let sound = true;
    this.#asking = open > 0;
    const answered = (isThere: boolean): void => {
      sound &&= isThere;
      open -= 1;
      if (open > 0) return;
      this.#asking = false;
      if (sound && this.#mayFound()) this.#found();
    };
    for (const peer of peers) {
      this.#options.ask(peer).listen(
        () => answered(true),
        () => answered(false),
      );
    }
    if (open === 0 && this.#mayFound()) this.#found();
  }

  /** For the operator: what is missing. */
  waitingFor(): readonly string[] {
    return this.#seeds.missing();
  }

  introduction(to: PeerId, address?: PeerAddress): Introduction {
    const { bootstrap } = this.#options;
    const chosen = this.#chosen;
    const ring = chosen && {
      tag: chosen.tag,
      listsYou: chosen.members.includes(to),
      removedYou: false,
    };
    const yourHost = address?.host ?? '';
    return { facts: this.#options.facts(), bootstrap, ring, foundAt: '', yourHost };
  }

  heard(peer: PeerId, introduction: Introduction, address: PeerAddress | undefined): void {
    const isNews = this.#seeds.note(peer, introduction, address);
    const { ring } = introduction;
    if (ring?.removedYou === true) {
      this.done.fail(new IdentityError('this node was removed from its ring: start it empty'));
      return;
    }
    if (ring !== undefined && !ring.listsYou && this.#seeds.has(peer)) {
      this.#join(peer);
      return;
    }
    if (isNews && this.#mayFound()) this.refresh();
  }

  gone(peer: PeerId): void {
    this.#seeds.forget(peer);
  }

  ownAddress(address: PeerAddress): void {
    this.#seeds.noteOwn(address);
    if (this.#mayFound()) this.refresh();
  }

  offered(from: PeerId, offer: RingMembership): Later<Buffer> {
    const tag = ringTagOf(offer.identity.ringKey, this.#system.hashes);
    if (this.#chosen !== undefined && !this.#chosen.tag.equals(tag)) {
      throw new RedisError('ERR this node belongs to another ring');
    }
    this.#refuseFaulty(offer, from);
    return this.#choose(offer, tag).then(() => emptyBytes);
  }

  joins(): Later<Buffer> {
    throw new RedisError('BUSY this node has no ring yet');
  }

  /** What is wrong with this node's configuration ends its waiting, what may change does not. */
  #join(peer: PeerId): void {
    if (this.#chosen !== undefined) return;
    const { settings, isGiven, replace } = this.#options;
    const given = ringDirectives.filter((name) => isGiven(name));
    const request = { id: this.#id, facts: this.#options.facts(), settings, given, replace };
    this.#options.join(peer, request).listen(nothing, (error) => {
      if (!(error instanceof PeerError) || error.code !== 'refused') return;
      const [code, ...words] = error.message.split(' ');
      const reason = words.join(' ');
      if (code === 'ERR') this.done.fail(new IdentityError(reason));
      else this.#complain('the ring does not let this node in yet', reason, peer);
    });
  }

  /** With a text that both logs show. */
  #refuseFaulty(offer: RingMembership, from: PeerId): void {
    try {
      const fault = this.#faultOf(offer, from);
      if (fault !== undefined) throw new IdentityError(fault);
      checkAgainst(offer.identity, this.#options.settings, this.#options.isGiven);
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error;
      const { message: reason } = error;
      this.#complain('the offer of a ring was refused', reason, from);
      throw new RedisError(`ERR ${reason}`);
    }
  }

  /** It is offered once a second. */
  #complain(message: string, reason: string, from: PeerId): void {
    if (this.#refused === reason) return;
    this.#refused = reason;
    this.#system.log.warning(message, { reason, from });
  }

  #faultOf({ identity, ring }: RingMembership, from: PeerId): string | undefined {
    const layout = newestOf(ring);
    if (!identity.nodeId.equals(this.#options.nodeId)) return 'the offer is for another node';
    if (!layout.members.includes(this.#id)) return 'the ring does not list this node';
    if (!layout.members.includes(from)) return 'the ring does not list who offers it';
    if (layout.partitions !== identity.partitions) return 'the layout has other partitions';
    const n = Math.min(identity.n, layout.members.length);
    if (layout.n !== n) return 'the layout has another N';
    return layout.removed.includes(this.#id) ? 'the ring has given this node up' : undefined;
  }

  #mayFound(): boolean {
    return this.#options.bootstrap && this.#chosen === undefined && this.#seeds.areReady();
  }

  #found(): void {
    const { random, hashes, log } = this.#system;
    const { settings, nodeId } = this.#options;
    const ringKey = random.bytes(ringKeyBytes);
    const identity: Identity = { ...settings, nodeId, ringKey };
    const { host: announced, ...facts } = this.#options.facts();
    const host = announced || (this.#seeds.ownHost ?? '127.0.0.1');
    const candidates: Member[] = [{ id: this.#id, host, ...facts }, ...this.#seeds.members()];
    const layout = firstLayout(candidates, settings.partitions, settings.n);
    const byId = new Map(candidates.map((member) => [member.id, member]));
    const members = layout.members.flatMap((id) => byId.get(id) ?? []);
    const ring = { layouts: [layout], reading: layout.version, pending: [], members };
    this.#choose({ identity, ring }, ringTagOf(ringKey, hashes)).listen(
      () => log.notice('founded a ring', { ...settings, members: members.length, id: this.#id }),
      () => undefined,
    );
  }

  /** The one place where this node comes to belong to a ring. */
  #choose(offer: RingMembership, tag: Buffer): Deferred<RingMembership> {
    if (this.#chosen !== undefined) return this.#chosen.written;
    const written = rememberRing(this.#store, offer, this.#system).then(() => offer);
    this.#chosen = { tag, members: newestOf(offer.ring).members, written };
    written.listen(
      () => this.done.settle(offer),
      (error) => this.done.fail(error),
    );
    return written;
  }
}
