/**
 * How layouts spread once they are agreed: who hears that a peer goes by a newer one asks for it
 * (request `layouts`). The answer is the peer's table of the ring.
 *
 * Two layouts of one version that differ can only come from a change that was forced on two sides
 * of a split. Who finds that says so and takes nothing from the other side any more: only the
 * operator can tell which of the two is to be given up.
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import type { Deferred } from '../base/later.ts';
import { type Layout, layoutFingerprint } from '../ring/layout.ts';
import type { System } from '../runtime/ports.ts';
import type { PeerId, Transport } from '../transport/transport.ts';
import { membershipKinds } from './peer-kinds.ts';
import { decodeRing, encodeRing, type RingTable } from './ring-rows.ts';
import type { Topology } from './topology.ts';

const timeoutMs = 1000;

export class LayoutExchange {
  readonly #transport: Transport;
  readonly #system: System;
  readonly #topology: Topology;
  readonly #asking = new Map<PeerId, Deferred<void>>();
  readonly #conflicts = new Set<PeerId>();
  /** Asked for with every probe. */
  readonly #fingerprints = new WeakMap<Layout, Buffer>();

  constructor(transport: Transport, system: System, topology: Topology) {
    this.#transport = transport;
    this.#system = system;
    this.#topology = topology;
  }

  start(): void {
    this.#transport.handle(membershipKinds.layouts, ({ from }) => {
      if (!this.#topology.isKnown(from)) throw new RedisError('ERR you are no member of this ring');
      return encodeRing(this.#topology.table);
    });
  }

  /** Of the newest layout, for gossip. */
  fingerprint(): Buffer {
    return this.#fingerprintOf(this.#topology.newest);
  }

  /** Whether that peer goes by another layout of the same version. */
  conflictsWith(peer: PeerId): boolean {
    return this.#conflicts.has(peer);
  }

  get hasConflict(): boolean {
    return this.#conflicts.size > 0;
  }

  /** Settles once this node goes by what that peer goes by. */
  catchUp(peer: PeerId): Deferred<void> {
    const asking = this.#asking.get(peer);
    if (asking !== undefined) return asking;
    const done: Deferred<void> = this.#transport
      .call(peer, membershipKinds.layouts, emptyBytes, timeoutMs)
      .then((body) => {
        const table = decodeRing(body);
        this.#compare(peer, table);
        return this.#topology.take(table);
      });
    this.#asking.set(peer, done);
    const over = (): void => {
      this.#asking.delete(peer);
    };
    done.listen(over, over);
    return done;
  }

  #compare(peer: PeerId, { layouts }: RingTable): void {
    const own = this.#topology.layouts;
    const differs = layouts.some((theirs) => {
      const ours = own.find(({ version }) => version === theirs.version);
      return ours !== undefined && !this.#fingerprintOf(ours).equals(this.#fingerprintOf(theirs));
    });
    if (!differs) {
      this.#conflicts.delete(peer);
      return;
    }
    if (!this.#conflicts.has(peer)) {
      const version = this.#topology.newest.version;
      this.#system.log.warning('a member goes by another layout of this version', {
        peer,
        version,
      });
    }
    this.#conflicts.add(peer);
  }

  #fingerprintOf(layout: Layout): Buffer {
    const known = this.#fingerprints.get(layout);
    if (known !== undefined) return known;
    const fingerprint = layoutFingerprint(layout, (bytes) => this.#system.hashes.sha256(bytes));
    this.#fingerprints.set(layout, fingerprint);
    return fingerprint;
  }
}
