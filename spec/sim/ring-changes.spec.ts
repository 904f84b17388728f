/** What happens to a ring that is changed while it runs, one story each. */
import { expect } from 'chai';
import { type Plan, planOf } from './plan.ts';
import { changesRing } from './ring-changes.ts';
import { SimRing } from './sim-ring.ts';
import { simulate } from './simulate.ts';

const changedMsMax = 20_000;
const healedMsMax = 30_000;
const runs = 12;

interface Status {
  readonly version: number;
  readonly transition: number;
  readonly members: readonly {
    readonly name: string;
    readonly weight: number;
    readonly state: string;
    readonly partitions: number;
  }[];
}

function statusOf(ring: SimRing, node: number): Promise<Status> {
  return ring.run(node, 'DYN.RING', 'STATUS') as Promise<Status>;
}

/** All show these members, up, in one layout of this version. */
async function settled(ring: SimRing, version: number): Promise<void> {
  const wanted = ring.present.map((node) => `${ring.at(node).host} up`).join();
  const shown = async (): Promise<boolean> => {
    for (const node of ring.present) {
      if (!ring.at(node).isUp) return false;
      const status = await statusOf(ring, node);
      const members = status.members.map(({ name, state }) => `${name} ${state}`).sort();
      if (status.version !== version || status.transition !== 0) return false;
      if (members.join() !== wanted) return false;
    }
    return true;
  };
  await ring.until(shown, changedMsMax, `layout ${version} everywhere, of ${wanted}`);
}

async function refuted(ring: SimRing): Promise<number[]> {
  const counts: number[] = [];
  for (const node of ring.present) {
    counts.push(Number((await ring.info(node)).get('suspicions_refuted')));
  }
  return counts;
}

function cutApart(ring: SimRing, side: readonly number[], other: readonly number[]): () => void {
  const links = side.flatMap((a) => other.flatMap((b) => [[a, b] as const, [b, a] as const]));
  for (const [a, b] of links) ring.cut(a, b);
  return () => {
    for (const [a, b] of links) ring.mend(a, b);
  };
}

/** Plans that change the ring. */
function changingPlans(count: number): Plan[] {
  const plans: Plan[] = [];
  for (let seed = 2_000_000; plans.length < count; seed += 1) {
    const plan = planOf(seed);
    if (changesRing(plan)) plans.push(plan);
  }
  return plans;
}

describe('a simulated ring that is changed', function () {
  this.timeout(60_000);

  it('takes a machine in under load, and no write fails or is lost', async () => {
    const ring = await new SimRing(21, { nodes: 3, machines: 4 }).found();
    const session = ring.session(1);
    void ring.join(3, [0, 2]);
    let written = 0;
    for (; !ring.at(3).isUp || written < 200; written += 1) {
      const answer = ring.begin(1, session, 'SET', `k${written}`, written);
      expect(await ring.time.run(answer), `k${written}`).to.equal('+OK');
      await ring.time.advance(5);
    }
    await settled(ring, 2);
    const { members } = await statusOf(ring, 0);
    expect(members.map(({ partitions }) => partitions)).to.deep.equal([48, 48, 48, 48]);
    for (let at = 0; at < written; at += 1) {
      expect(await ring.run(3, 'GET', `k${at}`), `k${at}`).to.equal(String(at));
    }
    await ring.until(
      async () => (await ring.run(2, 'DBSIZE')) === written,
      changedMsMax,
      'nobody holds what it does not own',
    );
  });

  it('makes one change of two joins close together', async () => {
    const ring = await new SimRing(22, { nodes: 3, machines: 5 }).found();
    void ring.join(3, [0]);
    await ring.time.advance(100);
    void ring.join(4, [1]);
    await settled(ring, 2);
  });

  it('grows from one node to three, which then survive its death', async () => {
    const ring = await new SimRing(23, { nodes: 1, machines: 3 }).found();
    for (let at = 0; at < 50; at += 1) {
      expect(await ring.run(0, 'SET', `k${at}`, at)).to.equal('+OK');
    }
    void ring.join(1, [0]);
    await settled(ring, 2);
    void ring.join(2, [0, 1]);
    await settled(ring, 3);
    expect(await ring.run(2, 'DYN.QUORUM')).to.deep.equal({ r: 2, w: 2, n: 3 });
    ring.crash(0, 'power');
    await ring.time.advance(1500);
    for (let at = 0; at < 50; at += 1) {
      expect(await ring.run(2, 'GET', `k${at}`), `k${at}`).to.equal(String(at));
      expect(await ring.run(1, 'SET', `k${at}`, 'after')).to.equal('+OK');
    }
  });

  it('adopts a layout although a disk failed to keep it at first', async () => {
    const ring = await new SimRing(28, { nodes: 3 }).found();
    const { disk } = ring.at(1);
    disk.failedBatches = 'lose';
    disk.onBatch = (changes) => {
      if (!changes.some(({ key }) => key.includes('ring-'))) return;
      disk.onBatch = undefined;
      disk.failBatches = 1;
    };
    expect(await ring.run(0, 'DYN.RING', 'WEIGHT', 'n3', 2)).to.equal('+OK');
    await settled(ring, 2);
    expect(disk.onBatch).to.equal(undefined);
    ring.crash(1, 'process');
    await ring.startAll();
    expect(await ring.run(1, 'DYN.RING', 'WEIGHT', 'n3', 3)).to.equal('+OK');
    await settled(ring, 3);
  });

  it('goes on with a change when the machine that it waits for is given up', async () => {
    const ring = await new SimRing(29, { nodes: 3, machines: 5 }).found();
    void ring.join(3, [0]);
    await ring.until(
      async () => (await statusOf(ring, 0)).transition !== 0,
      changedMsMax,
      'a change has begun',
    );
    ring.crash(3, 'power');
    const stateOf = async (name: string): Promise<string | undefined> => {
      const { members } = await statusOf(ring, 1);
      return members.find((member) => member.name === name)?.state;
    };
    await ring.until(async () => (await stateOf('n4')) === 'down', changedMsMax, 'it is dead');
    expect((await statusOf(ring, 1)).transition).to.not.equal(0);
    expect(await ring.run(1, 'DYN.RING', 'REMOVE', 'n4')).to.equal('+OK');
    ring.leave(3);
    await settled(ring, 3);
    void ring.join(4, [1]);
    await settled(ring, 4);
  });

  for (const isSplit of [false, true]) {
    const where = isSplit ? 'on two sides of a split' : 'at one moment';
    it(`agrees on one of two changes wanted ${where}`, async () => {
      const ring = await new SimRing(24, { nodes: 5 }).found();
      const mend = isSplit ? cutApart(ring, [0, 1], [2, 3, 4]) : (): void => {};
      const answers = await ring.time.run(
        Promise.all(
          [0, 4].map((node, index) =>
            ring.begin(node, ring.session(node), 'DYN.RING', 'WEIGHT', 'n3', 2 + index),
          ),
        ),
      );
      if (isSplit) {
        expect(answers[0]).to.match(/^-CLUSTERDOWN need 3 of 5 members to agree/);
        expect(answers[1]).to.equal('+OK');
      } else {
        expect(answers.filter((answer) => answer === '+OK').length).to.equal(1);
        expect(answers.find((answer) => answer !== '+OK')).to.match(
          /^-ERR another change is in progress/,
        );
      }
      mend();
      await settled(ring, 2);
      const weights = new Set<number | undefined>();
      for (const node of ring.present) {
        const { members } = await statusOf(ring, node);
        weights.add(members.find(({ name }) => name === 'n3')?.weight);
      }
      expect([...weights]).to.deep.equal([2 + answers.indexOf('+OK')]);
    });
  }

  it('is one ring within 30 s of a split of two minutes, and refutes nothing twice', async () => {
    const ring = await new SimRing(25, { nodes: 5 }).found();
    const mend = cutApart(ring, [0, 1], [2, 3, 4]);
    await ring.time.advance(120_000);
    const { members } = await statusOf(ring, 0);
    expect(members.map(({ state }) => state)).to.deep.equal(['up', 'up', 'down', 'down', 'down']);
    mend();
    await ring.time.advance(healedMsMax);
    await settled(ring, 1);
    for (const count of await refuted(ring)) expect(count).to.be.at.most(1);
  });

  it('does not forget a node that stood still for a minute', async () => {
    const ring = await new SimRing(26, { nodes: 3 }).found();
    ring.pause(1);
    await ring.time.advance(60_000);
    expect((await statusOf(ring, 0)).members.map(({ state }) => state)).to.include('down');
    ring.resume(1);
    await ring.time.advance(healedMsMax);
    await settled(ring, 1);
    expect(await refuted(ring)).to.deep.equal([0, 1, 0]);
  });

  it('takes no writes at either process of a copied directory', async () => {
    const ring = await new SimRing(27, { nodes: 3 }).found();
    const copy = ring.clone(1);
    void copy.start();
    await ring.until(() => copy.isUp, changedMsMax, 'the copy runs');
    await ring.time.advance(5000);
    expect(await ring.run(1, 'SET', 'k', 'v')).to.match(/^-/);
    expect(await ring.run(0, 'SET', 'k', 'v')).to.equal('+OK');
    ring.discard(copy);
    ring.crash(1, 'process');
    await ring.startAll();
    await ring.time.advance(5000);
    expect(await ring.run(1, 'SET', 'k', 'w')).to.equal('+OK');
    await settled(ring, 1);
  });

  it('keeps every invariant, whoever joins, leaves or is given up', async () => {
    for (const plan of changingPlans(runs)) {
      const { failures, trace } = await simulate(plan);
      const story = failures.length === 0 ? '' : trace.slice(-60).join('\n');
      const repeat = `npm run sim -- --seed ${plan.seed}`;
      expect(failures, `${repeat}\n${story}\n`).to.deep.equal([]);
    }
  });
});
