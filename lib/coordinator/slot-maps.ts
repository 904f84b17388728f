/**
 * The slot map in force at this node: of the layout that is read from, and of what gossip says of
 * its members. The same object is given out for as long as it says the same, so that whoever makes
 * something of it makes it once.
 */
import type { Member } from '../membership/member.ts';
import type { Layout } from '../ring/layout.ts';
import { type SlotMap, type SlotMapMember, slotMapOf, slotsOfSelf } from '../ring/slot-map.ts';
import type { SlotSet } from '../ring/slot-set.ts';
import type { MemberState } from './ring-view.ts';

/** What of the ring is shown; a RingView is one. */
export interface ShownRing {
  readonly self: number;
  readonly members: readonly Member[];
  /** Numbers of those that are shown. */
  readonly active: readonly number[];
  readonly reading: Layout;
  stateOf(member: number): MemberState;
  onChange(listener: () => void): void;
}

export class SlotMaps {
  readonly #ring: ShownRing;
  #map: SlotMap | undefined;
  #slots: SlotSet | undefined;
  /** What the map was made of. */
  #layout: Layout | undefined;
  #members = '';
  #mayDiffer = true;

  constructor(ring: ShownRing) {
    this.#ring = ring;
    ring.onChange(() => {
      this.#mayDiffer = true;
    });
  }

  current(): SlotMap {
    if (this.#map !== undefined && !this.#mayDiffer) return this.#map;
    this.#mayDiffer = false;
    const { reading, members, self } = this.#ring;
    const shown = this.#shown();
    const text = JSON.stringify(shown);
    if (this.#map !== undefined && this.#layout === reading && this.#members === text) {
      return this.#map;
    }
    this.#layout = reading;
    this.#members = text;
    this.#slots = undefined;
    this.#map = slotMapOf(reading, shown, members[self]?.id ?? '');
    return this.#map;
  }

  /** The slots that this node is shown as the master of. */
  ofSelf(): SlotSet {
    const map = this.current();
    this.#slots ??= slotsOfSelf(map);
    return this.#slots;
  }

  #shown(): readonly SlotMapMember[] {
    const { active, members } = this.#ring;
    return active.flatMap((number) => {
      const member = members[number];
      if (member === undefined) return [];
      const { id, host, port, peerPort } = member;
      return [{ id, host, port, peerPort, state: this.#ring.stateOf(number) }];
    });
  }
}
