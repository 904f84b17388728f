import { expect } from 'chai';
import type { MemberState } from '../../lib/coordinator/ring-view.ts';
import { type ShownRing, SlotMaps } from '../../lib/coordinator/slot-maps.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { slotCount } from '../../lib/ring/slots.ts';
import { alike, memberId } from '../ring/arbitraries.ts';

class FakeRing implements ShownRing {
  readonly self = 1;
  readonly members = [0, 1, 2].map((index) => ({
    id: memberId(index),
    name: `n${index}`,
    host: 'h',
    port: 7000 + index,
    peerPort: 17_000 + index,
    zone: '',
    weight: 1,
  }));
  readonly states: MemberState[] = ['up', 'up', 'up'];
  active = [0, 1, 2];
  reading = firstLayout(alike(3), 8, 2);
  #tell = (): void => {};

  stateOf(member: number): MemberState {
    return this.states[member] ?? 'up';
  }

  onChange(listener: () => void): void {
    this.#tell = listener;
  }

  changed(): void {
    this.#tell();
  }
}

describe('the slot maps of a node', () => {
  it('are one object as long as they say the same', () => {
    const ring = new FakeRing();
    const maps = new SlotMaps(ring);
    const first = maps.current();
    expect(first.members[first.self]?.id).to.equal(memberId(1));
    ring.changed();
    expect(maps.current()).to.equal(first);
    expect(maps.ofSelf()).to.equal(maps.ofSelf());

    ring.states[0] = 'down';
    expect(maps.current(), 'nobody has told of it').to.equal(first);
    ring.changed();
    const moved = maps.current();
    const [down] = moved.members.flatMap(({ id }, index) => (id === memberId(0) ? [index] : []));
    expect(moved.runs.some(({ owners }) => owners[0] === down)).to.equal(false);

    ring.states[0] = 'up';
    ring.changed();
    expect(maps.current()).to.not.equal(moved);
    expect(maps.current()).to.deep.equal(first);
  });

  it('follow the layout that is read from', () => {
    const ring = new FakeRing();
    const maps = new SlotMaps(ring);
    const slots = maps.ofSelf();
    expect(slots.nextFrom(0)).to.be.below(slotCount);
    ring.reading = { ...firstLayout(alike(1), 8, 1), version: 2 };
    ring.changed();
    expect(maps.current().version).to.equal(2);
    expect(maps.ofSelf().nextFrom(0), 'it owns nothing any more').to.equal(slotCount);
  });
});
