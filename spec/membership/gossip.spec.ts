/** Many nodes come to one view of who is there, through deaths, splits, pauses and lies. */
import { expect } from 'chai';
import { encodeEntries, encodeRumour } from '../../lib/membership/gossip-messages.ts';
import { membershipKinds } from '../../lib/membership/peer-kinds.ts';
import { PeerError } from '../../lib/transport/transport.ts';
import { entryOf, type GossipNode, GossipWorld, idOf } from './gossip-world.ts';

const minuteMs = 60_000;
/** Until the starts are over and verdicts are trusted. */
const startMs = 8000;

async function worldOf(count: number, options: { seed?: number; hints?: boolean } = {}) {
  const world = new GossipWorld({ count, ...options });
  world.start();
  await world.time.advance(startMs);
  expect(world.changes).to.deep.equal([]);
  return world;
}

/** All running nodes have the same entries. */
function isOneView(world: GossipWorld): boolean {
  const views = world.running.map(({ running }) =>
    [...running.entries()]
      .map(({ id, state, incarnation, facts }) => `${id} ${state} ${incarnation} ${facts.name}`)
      .sort()
      .join('\n'),
  );
  return new Set(views).size === 1;
}

function isAllAlive(world: GossipWorld): boolean {
  return isOneView(world) && world.nodes.every((_, index) => world.view(index) === 'alive');
}

function refutations(world: GossipWorld): readonly number[] {
  return world.nodes.map(({ running }) => running.refuted);
}

function changesTo(world: GossipWorld, state: string, index: number): number {
  return world.changes.filter(({ entry }) => entry.state === state && entry.id === idOf(index))
    .length;
}

describe('gossip', () => {
  it('at rest says nothing but probes', async () => {
    const world = await worldOf(20);
    [world.messages, world.bytes] = [0, 0];
    await world.time.advance(minuteMs);
    expect(world.messages).to.equal(20 * 120 * 2);
    expect(world.bytes / world.messages).to.be.below(40);
    expect(world.time.eventsPending).to.be.below(200);
  });

  for (const [how, hints, limitMs] of [
    ['lost to probes alone', false, 5000],
    ['lost to routing', true, 3500],
  ] as const) {
    it(`finds one of 5 that is ${how} down, everywhere within ${limitMs / 1000} s, and no other`, async () => {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = await worldOf(5, { seed, hints });
        world.kill(world.node(2));
        const tookMs = await world.until(() => world.view(2) === 'down', minuteMs);
        expect(tookMs).to.be.within(2000, limitMs);
        await world.time.advance(minuteMs);
        for (const index of [0, 1, 3, 4]) {
          expect(world.view(index).replace(/ ?unknown/, '')).to.equal('alive');
          expect(changesTo(world, 'suspect', index)).to.equal(0);
        }
      }
    });
  }

  it('finds one of 50 that stands still down, however long it stays so', async () => {
    const world = await worldOf(50);
    world.pause(world.node(7));
    const others = world.nodes.filter(({ index }) => index !== 7);
    const isDown = () => others.every((node) => node.stateOf(7) === 'down');
    expect(await world.until(isDown, minuteMs)).to.be.below(15_000);
    await world.time.advance(10 * minuteMs);
    expect(isDown()).to.equal(true);
    for (const { index } of others) expect(changesTo(world, 'suspect', index)).to.equal(0);
  });

  it('shows two and three members down as well, where nobody can confirm', async () => {
    for (const count of [2, 3]) {
      const world = await worldOf(count);
      world.kill(world.node(0));
      expect(await world.until(() => world.view(0) === 'down', minuteMs)).to.be.below(6000);
    }
  });

  it('brings a change to all within 3 s, each told of it once', async () => {
    const world = await worldOf(50);
    const facts = { ...entryOf(9).facts, name: 'moved', host: '10.9.9.9' };
    world.node(9).running.say({ facts });
    const hasAll = () =>
      world.nodes.every(({ running }) => running.entry(idOf(9))?.facts.name === 'moved');
    expect(await world.until(hasAll, minuteMs)).to.be.below(3000);
    expect(world.changes).to.have.length(50);
    expect(world.node(9).remembered.incarnation).to.equal(2 ** 20 + 1);
    [world.messages] = [0];
    await world.time.advance(minuteMs);
    expect(world.messages, 'quiet again').to.be.below(50 * 120 * 2 + 2000);
  });

  it('tells all of a member that one has learnt of', async () => {
    const world = new GossipWorld({ count: 6 });
    world.start(world.nodes.slice(0, 5));
    await world.time.advance(startMs);
    world.node(5).begin(entryOf(5), [entryOf(0)]);
    world.node(0).running.learn(entryOf(5));
    expect(await world.until(() => isAllAlive(world), minuteMs)).to.be.below(5000);
  });

  it('finds by digests what no rumour tells', async () => {
    const world = new GossipWorld({ count: 10 });
    const known = world.nodes.map(({ index }) => entryOf(index));
    const news = entryOf(4, { incarnation: 2 ** 20 + 5, nonce: 77 });
    for (const node of world.nodes) {
      const self = node.index === 4 ? news : entryOf(node.index);
      node.begin(self, node.index < 8 ? known : known.slice(0, 3));
    }
    expect(await world.until(() => isOneView(world), minuteMs)).to.be.below(5000);
    expect([...world.node(9).running.entries()]).to.have.length(10);
    expect(refutations(world).every((count) => count === 0)).to.equal(true);
  });

  for (const [name, splitMs, count] of [
    ['5 minutes', 5 * minuteMs, 10],
    ['2 hours', 120 * minuteMs, 4],
  ] as const) {
    it(`is one again within 30 s after a split of ${name}, and nobody refutes twice`, async () => {
      const world = await worldOf(count, { hints: true });
      const halves = [world.nodes.slice(0, count / 2), world.nodes.slice(count / 2)] as const;
      world.cut(...halves);
      await world.time.advance(splitMs);
      for (const node of halves[0]) {
        for (const other of halves[1]) {
          expect(node.stateOf(other.index)).to.equal('down');
          expect(other.stateOf(node.index)).to.equal('down');
        }
      }
      world.mend(...halves);
      expect(await world.until(() => isAllAlive(world), 30_000)).to.be.below(30_000);
      await world.time.advance(5 * minuteMs);
      expect(isAllAlive(world)).to.equal(true);
      expect(refutations(world)).to.deep.equal(world.nodes.map(() => 1));
    });
  }

  it('is one again after splits of 24 nodes in three, short and long, refuting once each', async () => {
    for (const [seed, splitMs] of [
      [1, 3000],
      [2, 8000],
      [3, 2 * minuteMs],
    ] as const) {
      const world = await worldOf(24, { seed });
      const parts = [world.nodes.slice(0, 4), world.nodes.slice(4, 13), world.nodes.slice(13)];
      for (const part of parts) {
        world.cut(
          part,
          world.nodes.filter((node) => !part.includes(node)),
        );
      }
      await world.time.advance(splitMs);
      world.mend(world.nodes, world.nodes);
      expect(await world.until(() => isAllAlive(world), 30_000)).to.be.below(30_000);
      await world.time.advance(2 * minuteMs);
      expect(isAllAlive(world)).to.equal(true);
      expect(Math.max(...refutations(world))).to.be.at.most(1);
    }
  });

  it('finds out by its own probes that a split is over, where no link has told', async () => {
    const world = await worldOf(10);
    world.isMuted = (from, to) => from.index % 2 !== to.index % 2;
    await world.time.advance(5 * minuteMs);
    expect(world.node(0).stateOf(1)).to.equal('down');
    world.isMuted = () => false;
    expect(await world.until(() => isAllAlive(world), 30_000)).to.be.below(30_000);
    await world.time.advance(2 * minuteMs);
    expect(isAllAlive(world)).to.equal(true);
    expect(refutations(world)).to.deep.equal(world.nodes.map(() => 1));
  });

  it('never forgets one that stood still for 60 s, which comes back by refuting once', async () => {
    for (const hints of [false, true]) {
      const world = await worldOf(10, { hints });
      const node = world.node(3);
      world.pause(node);
      await world.time.advance(minuteMs);
      expect(world.nodes.filter((other) => other.stateOf(3) === 'down')).to.have.length(9);
      world.resume(node);
      expect(await world.until(() => isAllAlive(world), minuteMs)).to.be.below(10_000);
      await world.time.advance(2 * minuteMs);
      expect(isAllAlive(world)).to.equal(true);
      expect(node.running.refuted).to.equal(1);
      expect(accusedBy(world, node)).to.deep.equal([]);
    }
  });

  /** Whom this node took for suspect or worse. */
  function accusedBy(world: GossipWorld, node: GossipNode): readonly string[] {
    return world.changes
      .filter(({ at, entry }) => at === node && entry.state !== 'alive' && entry.id !== node.id)
      .map(({ entry }) => `${entry.id} ${entry.state}`);
  }

  it('does not let a stalled observer accuse anybody, however often it stalls', async () => {
    const world = await worldOf(10);
    const node = world.node(0);
    for (const stallMs of [300, 700, 1100, 2000, 4000, 4900, 450, 5000]) {
      world.pause(node);
      await world.time.advance(stallMs);
      world.resume(node);
      await world.time.advance(1700);
    }
    expect(accusedBy(world, node)).to.deep.equal([]);
    await world.time.advance(minuteMs);
    expect(isAllAlive(world)).to.equal(true);
    for (const { index } of world.nodes.slice(1)) {
      expect(changesTo(world, 'suspect', index)).to.equal(0);
    }
  });

  it('takes nobody for down where every tenth message is lost', async () => {
    const world = await worldOf(20);
    world.loss = 0.1;
    await world.time.advance(10 * minuteMs);
    world.loss = 0;
    await world.time.advance(minuteMs);
    expect(world.changes.filter(({ entry }) => entry.state === 'down')).to.deep.equal([]);
    expect(isAllAlive(world)).to.equal(true);
  });

  it('lets a restarted node outrank its past without refuting', async () => {
    const world = await worldOf(5, { hints: true });
    const node = world.node(1);
    world.kill(node);
    await world.until(() => world.view(1) === 'down', minuteMs);
    world.restart(node);
    expect(await world.until(() => isAllAlive(world), minuteMs)).to.be.below(3000);
    await world.time.advance(minuteMs);
    expect(refutations(world)).to.deep.equal([0, 0, 0, 0, 0]);
    expect(world.node(0).running.entry(idOf(1))?.nonce).to.equal(1002);
  });

  it('outranks what is known of it when its own incarnation went back', async () => {
    const world = await worldOf(5);
    const node = world.node(1);
    node.running.say({});
    node.running.say({});
    await world.time.advance(3000);
    world.kill(node);
    node.begin(entryOf(1, { nonce: 50 }), node.disk);
    world.mend([node], world.nodes);
    await world.time.advance(10_000);
    expect(isAllAlive(world)).to.equal(true);
    expect(world.node(0).running.entry(idOf(1))).to.deep.include({ nonce: 50 });
    expect(node.remembered.incarnation).to.be.above(2 ** 20 + 2);
  });

  it('keeps one that left out, whatever older news says, until it comes back itself', async () => {
    const world = await worldOf(6);
    const stale = world.node(5);
    world.cut([stale], world.nodes);
    world.node(2).running.leave();
    await world.time.advance(3000);
    world.kill(world.node(2));
    await world.time.advance(minuteMs);
    world.mend([stale], world.nodes);
    expect(await world.until(() => world.view(2) === 'left', minuteMs)).to.be.below(30_000);
    await world.time.advance(minuteMs);
    expect(world.view(2)).to.equal('left');

    world.restart(world.node(2));
    expect(await world.until(() => isAllAlive(world), minuteMs)).to.be.below(5000);
  });

  it('lets no old exchange bring back the dead, and doubts a death it only reads of', async () => {
    const world = await worldOf(5);
    world.kill(world.node(2));
    await world.until(() => world.view(2) === 'down', minuteMs);
    const [teller, hearer] = [world.node(1), world.node(0)];
    const tell = (entry: ReturnType<typeof entryOf>) => {
      const body = encodeEntries([], [encodeRumour({ entry, accusers: [] })]);
      return teller.call(hearer.id, membershipKinds.gossip, body, 1000);
    };
    await world.time.run(tell(entryOf(2)));
    expect(hearer.stateOf(2)).to.equal('down');
    await world.time.run(tell(entryOf(3, { state: 'down' })));
    expect(hearer.stateOf(3)).to.equal('suspect');
    await world.time.advance(minuteMs);
    expect(world.view(2)).to.equal('down');
    expect(world.view(3).replace(' unknown', '')).to.equal('alive');
    expect(world.node(3).running.refuted).to.equal(1);
    expect(changesTo(world, 'down', 3)).to.equal(0);
  });

  it('forgets who left after 72 hours, and is not taught it again', async () => {
    const world = await worldOf(4);
    const hoursMs = 60 * minuteMs;
    world.node(3).running.leave();
    await world.time.advance(2000);
    world.kill(world.node(3));
    await world.time.advance(61 * minuteMs);
    expect(world.view(3)).to.equal('left');
    for (const index of [0, 1]) world.node(index).aheadMs = 72 * hoursMs;
    await world.time.advance(61 * minuteMs);
    expect([0, 1, 2].map((index) => world.node(index).stateOf(3))).to.deep.equal([
      undefined,
      undefined,
      'left',
    ]);
    world.node(2).aheadMs = 72 * hoursMs;
    await world.time.advance(61 * minuteMs);
    expect(world.view(3)).to.equal('unknown');
  });

  it('shows both processes of a cloned directory, and they end up quiet', async () => {
    const world = await worldOf(5);
    const twins = [2, 3000];
    world.node(0).running.learn({ ...entryOf(1), twins });
    await world.time.advance(3000);
    for (const { running } of world.nodes) {
      expect(running.entry(idOf(1))?.twins).to.deep.equal(twins);
    }
    // The other process outranks this one, which knows of it and lets it.
    world.node(0).running.learn({ ...entryOf(1), incarnation: 2 ** 21, nonce: 3000, twins });
    await world.time.advance(3000);
    expect(isOneView(world)).to.equal(true);
    expect(world.node(1).running.entry(idOf(1))).to.deep.include({ nonce: 3000, twins });
    world.node(0).running.learn({ ...entryOf(1), incarnation: 2 ** 21, state: 'suspect', twins });
    await world.time.advance(3000);
    expect(world.node(4).running.entry(idOf(1))).to.deep.include({ nonce: 2, twins });
    expect(world.node(1).running.refuted).to.equal(1);
  });

  it('says when a peer has other layouts, and nothing while all have the same', async () => {
    const world = await worldOf(4);
    expect(world.nodes.map(({ layoutsDiffered }) => layoutsDiffered)).to.deep.equal([0, 0, 0, 0]);
    world.node(2).fingerprint = Buffer.alloc(8, 1);
    await world.time.advance(5000);
    for (const { layoutsDiffered } of world.nodes) expect(layoutsDiffered).to.be.above(0);
  });

  it('refuses those who are no members', async () => {
    const world = await worldOf(3);
    world.node(0).strangers.add(idOf(2));
    for (const kind of [membershipKinds.gossip, membershipKinds.relay]) {
      const outcome = await world.time
        .run(
          world
            .node(2)
            .call(idOf(0), kind, Buffer.alloc(20), 1000)
            .then(() => undefined),
        )
        .catch((error: unknown) => error);
      expect(outcome).to.be.instanceOf(PeerError);
      expect(String(outcome)).to.match(/no member of this ring/);
    }
  });

  it('falls silent when it is stopped', async () => {
    const world = await worldOf(3);
    for (const { running } of world.nodes) {
      running.say({});
      running.stop();
      running.stop();
    }
    await world.time.advance(1000);
    world.messages = 0;
    await world.time.advance(minuteMs);
    expect(world.messages).to.equal(0);
  });
});
