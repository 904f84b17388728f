/** A ring of real processes, as clients, operators and strangers meet it. */
import { expect } from 'chai';
import { RawClient } from '../support/raw-client.ts';
import { RingProcess, until, useRing } from '../support/ring-process.ts';
import { contentOf, errorsOf, SteadyLoad } from '../support/steady-load.ts';

const load = { connections: 10, everyMs: 10, commands: ['SET', 'SET', 'GET', 'GET'] } as const;

/** How many nodes hold each key with its value. */
async function copies(ring: RingProcess, keys: readonly string[]): Promise<number[]> {
  const held = keys.map(() => 0);
  for (const node of ring.nodes) {
    const found = await Promise.all(keys.map((key) => node.local(key)));
    for (const [at, values] of found.entries()) {
      if (values?.[0] === contentOf(keys[at] ?? '')) held[at] = (held[at] ?? 0) + 1;
    }
  }
  return held;
}

/** Waits for the copies behind the acknowledgements. */
function allHeld(ring: RingProcess, keys: readonly string[], count: number): Promise<void> {
  return until(`each key is on ${count} nodes`, async () => {
    const held = await copies(ring, keys);
    return held.every((found) => found === count);
  });
}

async function writeKeys(ring: RingProcess, count: number, prefix: string): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}:${index}`);
  await Promise.all(
    keys.map((key, at) => ring.node(at % ring.nodes.length).client.set(key, contentOf(key))),
  );
  return keys;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('a ring of three processes', function () {
  this.timeout(30_000);
  const ring = useRing({ nodes: 3 });

  it('takes every key at every node and keeps it on all three', async () => {
    const keys = await writeKeys(ring(), 500, 'three');
    for (const { client } of ring().nodes) {
      expect(await client.mget(keys)).to.deep.equal(keys.map(contentOf));
    }
    await allHeld(ring(), keys, 3);
  });

  it('gives each node its share of partitions and of first places', async () => {
    const members = await ring().node(2).members();
    expect(members.map(({ name }) => name).sort()).to.deep.equal(['n1', 'n2', 'n3']);
    for (const { partitions, first } of members) {
      expect(partitions).to.equal(1024);
      expect(first).to.be.oneOf([341, 342]);
    }
  });

  it('counts one winner where many race', async () => {
    const race = (round: number) =>
      ring().nodes.map(({ client }, at) => client.set(`race:${round}`, at, 'NX'));
    for (let round = 0; round < 50; round += 1) {
      const answers = await Promise.all(race(round));
      expect(answers.filter((answer) => answer === 'OK')).to.have.lengthOf(1);
    }
  });

  it('counts every increment once', async () => {
    const increments = Array.from({ length: 300 }, (_, at) =>
      ring()
        .node(at % 3)
        .client.incr('counter'),
    );
    const found = (await Promise.all(increments)).sort((a, b) => a - b);
    expect(found).to.deep.equal(found.map((_, at) => at + 1));
  });

  it('refuses strangers on the peer port, says so once, and goes on', async () => {
    const node = ring().node(0);
    const before = node.log.length;
    const noise = [Buffer.from('*1\r\n$4\r\nPING\r\n'), Buffer.alloc(100_000, 0xff), Buffer.of(0)];
    for (const bytes of [...noise, ...noise]) {
      const stranger = await RawClient.connect(node.peerPort, { undecoded: true });
      stranger.send(bytes);
      await stranger.readUntilClosed();
    }
    const warnings = node.log.slice(before).match(/"level":"warning".*/g) ?? [];
    expect(warnings.length, warnings.join('\n')).to.be.within(1, noise.length);
    expect(await node.info('members_up')).to.equal('3');
    expect(await node.client.set('after', 'strangers')).to.equal('OK');
  });
});

describe('a ring of five processes', function () {
  this.timeout(40_000);
  const ring = useRing({ nodes: 5 });

  it('keeps each key on three of them', async () => {
    await allHeld(ring(), await writeKeys(ring(), 300, 'five'), 3);
  });

  it('loses nobody but the clients of a node that is killed, and fills it when it is back', async () => {
    const work = new SteadyLoad(ring().nodes, load).start();
    await pause(1000);
    await ring().node(2).kill('SIGKILL');
    await pause(2500);
    await work.stop();
    const others = work.samples.filter(({ node }) => node !== 2);
    expect(errorsOf(others)).to.deep.equal([]);
    expect(work.wrong).to.deep.equal([]);
    await ring().restart(2);
    await ring().hintsDelivered();
    await ring().allUp();
    await allHeld(ring(), work.acknowledged, 3);
  });

  it('loses nobody but the clients of a node that is paused, and fills it when it goes on', async () => {
    const work = new SteadyLoad(ring().nodes, load).start();
    await pause(1000);
    await ring().node(1).kill('SIGSTOP');
    await pause(3000);
    await ring().node(1).kill('SIGCONT');
    await work.stop();
    const others = work.samples.filter(({ node }) => node !== 1);
    expect(errorsOf(others)).to.deep.equal([]);
    expect(work.wrong).to.deep.equal([]);
    await ring().hintsDelivered();
    await allHeld(ring(), work.acknowledged, 3);
  });

  it('forms again from its disks when all are killed at once, with every write', async () => {
    const work = new SteadyLoad(ring().nodes, { ...load, everyMs: 0 }).start();
    await pause(1000);
    await ring().killAll('SIGKILL');
    await work.stop();
    expect(work.acknowledged.length).to.be.above(100);
    await ring().restartAllWithoutSeeds();
    const found = await ring().node(4).client.mget(work.acknowledged);
    expect(found).to.deep.equal(work.acknowledged.map(contentOf));
  });
});

describe('a ring of two processes', function () {
  this.timeout(30_000);

  it('goes on alone with quorum 2 1 1, whichever dies, and is whole again afterwards', async () => {
    const ring = await RingProcess.start({ nodes: 2, directives: ['--quorum', '2', '1', '1'] });
    const keys: string[] = [];
    for (const [dead, survivor] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await ring.node(dead).kill('SIGKILL');
      const { client } = ring.node(survivor);
      for (let index = 0; index < 50; index += 1) {
        const key = `two:${dead}:${index}`;
        expect(await client.set(key, contentOf(key))).to.equal('OK');
        expect(await client.get(key)).to.equal(contentOf(key));
        keys.push(key);
      }
      await ring.restart(dead);
      await ring.hintsDelivered();
      await ring.allUp();
      await allHeld(ring, keys, 2);
    }
    await ring.remove();
  });

  it('warns that the default quorum stops when either dies, and names the remedy', async () => {
    const ring = await RingProcess.start({ nodes: 2 });
    for (const { log } of ring.nodes) expect(log).to.match(/"level":"warning".*quorum 2 1 1/);
    await ring.remove();
  });
});

describe('a peer port with a secret', function () {
  this.timeout(30_000);
  const ring = useRing({ nodes: 2, directives: ['--peer-secret', 'open sesame'] });

  for (const [what, reason, directives] of [
    ['another secret', /"level":"warning".*secret/, ['--peer-secret', 'wrong']],
    ['no secret', /"level":"warning".*secret/, []],
    [
      'another cluster name',
      /"level":"warning".*cluster.name/,
      ['--peer-secret', 'open sesame', '--cluster-name', 'other'],
    ],
  ] as const) {
    it(`refuses a node with ${what}, in both logs, and nothing changes`, async () => {
      const node = ring().node(0);
      const stranger = await RingProcess.spawnStranger(ring(), directives);
      await until('both say why', async () => reason.test(node.log) && reason.test(stranger.log));
      await stranger.kill('SIGKILL');
      expect(await node.members()).to.have.lengthOf(2);
      expect(await ring().node(1).client.set('still', 'fine')).to.equal('OK');
    });
  }
});
