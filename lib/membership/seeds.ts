/**
 * What an empty node knows of its seeds: which address leads to whom, and what they last said. An
 * address may lead to this node itself, and two addresses to the same one.
 */
import type { PeerAddress, PeerId } from '../transport/transport.ts';
import type { Introduction } from './introduction.ts';
import type { Member } from './member.ts';

interface Seed {
  readonly address: PeerAddress;
  readonly name: string;
  /** Who was there last. */
  peer: PeerId | 'self' | undefined;
}

export class Seeds {
  readonly #seeds: readonly Seed[];
  /** If this node may found. */
  readonly #founder: PeerId | undefined;
  readonly #said = new Map<PeerId, Introduction>();

  constructor(addresses: readonly PeerAddress[], founder: PeerId | undefined) {
    this.#seeds = addresses.map((address) => ({
      address,
      name: nameOfAddress(address),
      peer: undefined,
    }));
    this.#founder = founder;
  }

  /** Whether it says what was not known before. */
  note(peer: PeerId, said: Introduction, address: PeerAddress | undefined): boolean {
    const name = address && nameOfAddress(address);
    let isNews = !isSame(this.#said.get(peer), said);
    for (const seed of this.#seeds) {
      if (seed.name !== name || seed.peer === peer) continue;
      seed.peer = peer;
      isNews = true;
    }
    this.#said.set(peer, said);
    return isNews;
  }

  noteOwn(address: PeerAddress): void {
    for (const seed of this.#seeds) {
      if (seed.name === nameOfAddress(address)) seed.peer = 'self';
    }
  }

  /** Its addresses still lead to it: one of two rests while the other one is used. */
  forget(peer: PeerId): void {
    this.#said.delete(peer);
  }

  has(peer: PeerId): boolean {
    return this.#seeds.some((seed) => seed.peer === peer);
  }

  nameOf(peer: PeerId): string {
    return this.#seeds.find((seed) => seed.peer === peer)?.name ?? peer;
  }

  /** Under which host this node is known to itself as a seed. */
  get ownHost(): string | undefined {
    return this.#seeds.find((seed) => seed.peer === 'self')?.address.host;
  }

  /** Those that answer, each once. */
  peers(): readonly PeerId[] {
    const known = this.#seeds.flatMap(({ peer }) => (peer && peer !== 'self' ? [peer] : []));
    return [...new Set(known)];
  }

  /** As founding members: the host is the one that they announce, or the one that led there. */
  members(): readonly Member[] {
    return this.peers().flatMap((id) => {
      const facts = this.#said.get(id)?.facts;
      const host = this.#seeds.find((seed) => seed.peer === id)?.address.host ?? '';
      return facts === undefined ? [] : [{ id, ...facts, host: facts.host || host }];
    });
  }

  /** This node is to found: all seeds are there and empty, and no smaller id wants to. */
  areReady(): boolean {
    return this.#founder !== undefined && this.missing().length === 0;
  }

  missing(): readonly string[] {
    return this.#seeds.flatMap(({ peer, name }) => {
      if (peer === 'self') return [];
      const said = peer === undefined ? undefined : this.#said.get(peer);
      if (peer === undefined || said === undefined) return [`${name}: no answer`];
      if (said.ring !== undefined) return [`${name}: its offer of the ring`];
      if (this.#founder === undefined) {
        return said.bootstrap ? [`${name}: to found`] : [`${name}: empty too, no bootstrap`];
      }
      return said.bootstrap && peer < this.#founder ? [`${name}: to found`] : [];
    });
  }
}

export function nameOfAddress({ host, port }: PeerAddress): string {
  return `${host}:${port}`;
}

/** `host:port,[v6]:port`. Throws a RangeError. */
export function addressesOf(text: string): readonly PeerAddress[] {
  return text
    .split(',')
    .filter((address) => address !== '')
    .map((address) => {
      const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
      const port = Number(match?.[3]);
      if (match === null || port < 1 || port > 65_535) {
        throw new RangeError(`expected host:port, got '${address}'`);
      }
      return { host: match[1] ?? match[2] ?? '', port };
    });
}

function isSame(before: Introduction | undefined, now: Introduction): boolean {
  if (before === undefined || before.bootstrap !== now.bootstrap) return false;
  return (before.ring === undefined) === (now.ring === undefined);
}
