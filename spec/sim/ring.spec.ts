/** What the ring promises, one story each, with the real nodes over a simulated world. */
import { expect } from 'chai';
import { SeededRandom } from './seeded-random.ts';
import { type RingOptions, SimRing } from './sim-ring.ts';

const tenSecondsMs = 10_000;

function found(seed: number, options: RingOptions): Promise<SimRing> {
  return new SimRing(seed, options).found();
}

async function hintsOf(ring: SimRing): Promise<number> {
  let sum = 0;
  for (const node of ring.machines.keys()) {
    sum += Number((await ring.info(node)).get('hints_pending') ?? 0);
  }
  return sum;
}

async function ownersOf(ring: SimRing, key: string): Promise<number[]> {
  const names = (await ring.run(0, 'DYN.RING', 'OWNERS', key)) as string[];
  return names.map((name) => Number(name.slice(1)) - 1);
}

/** A key all of whose owners, or none, are among these nodes. */
async function keyOwnedBy(
  ring: SimRing,
  holds: (owners: readonly number[]) => boolean,
): Promise<string> {
  for (let at = 0; at < 2000; at += 1) {
    if (holds(await ownersOf(ring, `k${at}`))) return `k${at}`;
  }
  throw new Error('no key lies there');
}

function cutApart(ring: SimRing, side: readonly number[], other: readonly number[]): () => void {
  const links = side.flatMap((a) => other.flatMap((b) => [[a, b] as const, [b, a] as const]));
  for (const [a, b] of links) ring.cut(a, b);
  return () => {
    for (const [a, b] of links) ring.mend(a, b);
  };
}

describe('a simulated ring', () => {
  it('puts every key on its N owners, whichever node took the write', async () => {
    const ring = await found(1, { nodes: 5 });
    for (let at = 0; at < 30; at += 1) {
      expect(await ring.run(at % 5, 'SET', `key${at}`, at)).to.equal('+OK');
    }
    await ring.time.advance(1000);
    for (let at = 0; at < 30; at += 1) {
      for (const owner of await ownersOf(ring, `key${at}`)) {
        const [, values] = (await ring.run(owner, 'DYN.GET', `key${at}`, 'LOCAL')) as [
          string,
          string[],
        ];
        expect(values).to.deep.equal([String(at)]);
      }
    }
    expect(await ring.run(2, 'DBSIZE')).to.equal(30);
  });

  it('answers no GET with an older value than the SET before it, clocks 50 ms apart', async () => {
    const ring = await found(2, { nodes: 5, offsetsMs: [0, 50, -50, 25, -25] });
    const random = new SeededRandom(2);
    const pair = async (client: number): Promise<void> => {
      const key = `k${client}`;
      const sessions = ring.machines.map((_, node) => ring.session(node));
      for (let step = 0; step < 150; step += 1) {
        const [writer, reader] = [random.below(5), random.below(5)];
        const [w, r] = [sessions[writer], sessions[reader]];
        if (w === undefined || r === undefined) throw new Error('no session');
        expect(await ring.begin(writer, w, 'SET', key, step)).to.equal('+OK');
        expect(await ring.begin(reader, r, 'GET', key), `${key} step ${step}`).to.equal(
          String(step),
        );
      }
    };
    await ring.time.run(Promise.all(Array.from({ length: 10 }, (_, client) => pair(client))));
  });

  it('counts every INCR of twenty clients through all nodes once', async () => {
    const ring = await found(3, { nodes: 5 });
    const client = async (index: number): Promise<void> => {
      const session = ring.session(index % 5);
      for (let step = 0; step < 25; step += 1) {
        expect(await ring.begin(index % 5, session, 'INCR', 'n')).to.be.a('number');
      }
    };
    await ring.time.run(Promise.all(Array.from({ length: 20 }, (_, index) => client(index))));
    expect(await ring.run(4, 'GET', 'n')).to.equal('500');
  });

  it('lets one of twenty racers win a SET NX', async () => {
    const ring = await found(4, { nodes: 3 });
    for (let race = 0; race < 20; race += 1) {
      const answers = await ring.time.run(
        Promise.all(
          Array.from({ length: 20 }, (_, index) => {
            return ring.begin(
              index % 3,
              ring.session(index % 3),
              'SET',
              `race${race}`,
              index,
              'NX',
            );
          }),
        ),
      );
      expect(answers.filter((answer) => answer === '+OK').length).to.equal(1);
    }
  });

  it('goes on with one of two nodes under quorum 2 1 1, whichever dies', async () => {
    for (const dead of [0, 1]) {
      const other = 1 - dead;
      const ring = await found(5 + dead, { nodes: 2, quorum: [2, 1, 1] });
      expect(await ring.run(dead, 'SET', 'before', 'x')).to.equal('+OK');
      await ring.time.advance(100);
      ring.crash(dead, 'process');
      await ring.time.advance(2000);
      expect(await ring.run(other, 'SET', 'alone', 'y')).to.equal('+OK');
      expect(await ring.run(other, 'MGET', 'before', 'alone')).to.deep.equal(['x', 'y']);
      expect(await ring.run(other, 'INCR', 'n')).to.equal(1);
      await ring.startAll();
      await ring.until(async () => (await hintsOf(ring)) === 0, tenSecondsMs, 'hints are gone');
      for (const [key, value] of [
        ['before', 'x'],
        ['alone', 'y'],
        ['n', '1'],
      ] as const) {
        const [, values] = (await ring.run(dead, 'DYN.GET', key, 'LOCAL')) as [string, string[]];
        expect(values).to.deep.equal([value]);
      }
    }
  });

  it('takes writes on both sides of a split and brings them together afterwards', async () => {
    const ring = await found(7, { nodes: 5 });
    const [few, many] = [
      [0, 1],
      [2, 3, 4],
    ];
    const far = await keyOwnedBy(ring, (owners) => owners.every((owner) => many.includes(owner)));
    const shared = await keyOwnedBy(ring, (owners) => owners.some((owner) => few.includes(owner)));
    expect(await ring.run(3, 'SET', far, 'old')).to.equal('+OK');
    await ring.time.advance(500);
    const mend = cutApart(ring, few, many);
    await ring.time.advance(2000);
    expect(await ring.run(0, 'GET', far)).to.match(/^-CLUSTERDOWN /);
    expect(await ring.run(4, 'GET', far)).to.equal('old');
    expect(await ring.run(0, 'DYN.PUT', shared, '', 'left'))
      .to.be.a('string')
      .that.match(/^[^-]/);
    expect(await ring.run(4, 'DYN.PUT', shared, '', 'right'))
      .to.be.a('string')
      .that.match(/^[^-]/);
    expect(await ring.run(1, 'SET', 'left-only', 'l')).to.equal('+OK');
    expect(await ring.run(2, 'SET', 'right-only', 'r')).to.equal('+OK');
    mend();
    await ring.until(async () => (await hintsOf(ring)) === 0, 20_000, 'hints are gone');
    for (const node of ring.machines.keys()) {
      const [, values] = (await ring.run(node, 'DYN.GET', shared)) as [string, string[]];
      expect([...values].sort()).to.deep.equal(['left', 'right']);
      expect(await ring.run(node, 'MGET', 'left-only', 'right-only')).to.deep.equal(['l', 'r']);
    }
  });

  it('refuses with quorum-strict what has too few owners on this side', async () => {
    const ring = await found(8, { nodes: 5, directives: { 'quorum-strict': 'yes' } });
    const [few, many] = [
      [0, 1],
      [2, 3, 4],
    ];
    const far = await keyOwnedBy(ring, (owners) => owners.every((owner) => many.includes(owner)));
    const mend = cutApart(ring, few, many);
    const early = await ring.run(0, 'SET', far, 'x');
    expect(early).to.match(/^-(CLUSTERDOWN|UNCERTAIN) /);
    await ring.time.advance(2000);
    expect(await ring.run(0, 'SET', far, 'x')).to.match(/^-CLUSTERDOWN /);
    expect(await ring.run(4, 'SET', far, 'y')).to.equal('+OK');
    mend();
    await ring.time.advance(5000);
    expect(await ring.run(0, 'GET', far)).to.equal('y');
  });

  it('loses no acknowledged write when all nodes lose power at once, and needs no seeds', async () => {
    const ring = await found(9, { nodes: 3, directives: { appendfsync: 'always' } });
    const acknowledged = new Map<string, string>();
    const begun: unknown[] = [];
    for (let at = 0; at < 60; at += 1) {
      const answer = ring.begin(at % 3, ring.session(at % 3), 'SET', `k${at}`, `v${at}`);
      answer.listen(
        (reply) => {
          if (reply === '+OK') acknowledged.set(`k${at}`, `v${at}`);
        },
        () => undefined,
      );
      begun.push(answer);
      await ring.time.advance(1);
    }
    for (const node of ring.machines.keys()) ring.crash(node, 'power');
    expect(acknowledged.size).to.be.within(1, 60);
    await ring.startAll();
    for (const [key, value] of acknowledged) {
      expect(await ring.run(1, 'GET', key), key).to.equal(value);
    }
  });
});
