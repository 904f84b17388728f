/** Members that come and go, as real processes: what operators type, and what clients see. */
import { cpSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import type { Redis } from 'ioredis';
import { freePorts, RingNode, until } from '../support/ring-process.ts';
import { contentOf } from '../support/steady-load.ts';

const keys = Array.from({ length: 100 }, (_, index) => `member:${index}`);

/** Nodes on neighbouring ports, none of them started. */
class Crew {
  readonly nodes: readonly RingNode[];

  static async of(count: number): Promise<Crew> {
    return new Crew(count, await freePorts(count));
  }

  private constructor(count: number, first: number) {
    const indexes = Array.from({ length: count }, (_, index) => index);
    this.nodes = indexes.map((index) => new RingNode(index, first + index, { nodes: count }));
  }

  at(index: number): RingNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** A founder of its own. */
  found(index: number, ...directives: readonly string[]): void {
    this.at(index).spawn(directives);
  }

  /** A node that knows the first one. */
  join(index: number, ...directives: readonly string[]): void {
    this.at(index).spawn(['--seeds', this.seed(0), ...directives]);
  }

  seed(index: number): string {
    return `127.0.0.1:${this.at(index).peerPort}`;
  }

  /** These see each other up, and nobody else, and no change is under way. */
  async areOne(...indexes: readonly number[]): Promise<void> {
    const names = indexes.map((index) => this.at(index).name).sort();
    for (const index of indexes) {
      const node = this.at(index);
      await until(`${node.name} sees ${names} up\n${node.log}`, async () => {
        if ((await node.info('ring_transition')) !== '0') return false;
        const members = await node.members();
        const up = members.filter(({ state }) => state === 'up').map(({ name }) => name);
        return members.length === up.length && up.sort().join() === names.join();
      });
    }
  }

  async end(): Promise<void> {
    for (const node of this.nodes) {
      node.disconnect();
      if (node.isStarted) await node.kill('SIGKILL');
      rmSync(node.dir, { recursive: true, force: true });
    }
  }
}

/** `OK`, or the text of the error. */
function outcome(client: Redis, ...words: readonly string[]): Promise<string> {
  const [name = '', ...args] = words;
  return client
    .call(name, ...args)
    .then(String, (error: unknown) => (error instanceof Error ? error.message : String(error)));
}

async function refusal(node: RingNode, pattern: RegExp, ...words: readonly string[]) {
  await until(`${node.name} answers ${pattern}\n${node.log}`, async () =>
    pattern.test(await outcome(node.client, ...words)),
  );
}

describe('a ring that grows from one founder', function () {
  this.timeout(60_000);
  let crew: Crew;

  before(async () => {
    crew = await Crew.of(5);
    crew.found(0);
    const { client } = crew.at(0);
    await until('the founder is up', async () => (await client.ping()) === 'PONG');
    await Promise.all(keys.map((key) => client.set(key, contentOf(key))));
    crew.join(1);
    crew.join(2);
    await crew.areOne(0, 1, 2);
  });

  after(() => crew.end());

  async function expectKeys(...indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      const found = await crew.at(index).client.mget(keys);
      expect(found, crew.at(index).name).to.deep.equal(keys.map(contentOf));
    }
  }

  it('has what the founder had, at every node', async () => {
    await expectKeys(0, 1, 2);
    const held = await Promise.all(keys.map((key) => crew.at(2).local(key)));
    expect(held).to.deep.equal(keys.map((key) => [contentOf(key)]));
    expect(await crew.at(1).client.set('later', 'x')).to.equal('OK');
    expect(await crew.at(2).client.get('later')).to.equal('x');
    expect(await crew.at(1).client.get('missing')).to.equal(null);
  });

  it('takes in an empty node that is told to join, while its clients stay connected', async () => {
    const newcomer = crew.at(3);
    crew.found(3);
    await until('the newcomer is up', async () => (await newcomer.client.ping()) === 'PONG');
    const words = ['DYN.RING', 'JOIN', '127.0.0.1', String(crew.at(1).peerPort)];
    const { client } = newcomer;
    const ended: unknown[] = [];
    client.on('close', () => ended.push('close'));
    await client.set('own', '1');
    expect(await outcome(client, ...words)).to.equal('ERR node is not empty');
    await client.del('own');
    await newcomer.kill('SIGTERM');
    rmSync(newcomer.dir, { recursive: true, force: true });
    crew.found(3);
    const fresh = newcomer.client;
    await until('the newcomer is up', async () => (await fresh.ping()) === 'PONG');
    fresh.on('close', () => ended.push('close'));
    ended.length = 0;
    expect(await fresh.get('nothing')).to.equal(null);
    expect(await outcome(fresh, ...words)).to.equal('OK');
    await crew.areOne(0, 1, 2, 3);
    await expectKeys(3);
    expect(await fresh.get('nothing')).to.equal(null);
    expect(ended).to.deep.equal([]);
    expect(await outcome(fresh, ...words)).to.equal('ERR this node is a member of a ring already');
  });

  it('agrees on one of two changes that are asked for at the same moment', async () => {
    const before = Number(await crew.at(0).info('ring_version'));
    const outcomes = await Promise.all([
      outcome(crew.at(0).client, 'DYN.RING', 'WEIGHT', 'n1', '2'),
      outcome(crew.at(2).client, 'DYN.RING', 'WEIGHT', 'n2', '2'),
    ]);
    expect(outcomes.sort()).to.deep.equal(['ERR another change is in progress', 'OK']);
    await crew.areOne(0, 1, 2, 3);
    for (const index of [0, 1, 2, 3]) {
      expect(Number(await crew.at(index).info('ring_version'))).to.equal(before + 1);
    }
    await expectKeys(0, 3);
  });

  it('loses nothing when a member leaves, which then refuses its clients', async () => {
    expect(await outcome(crew.at(1).client, 'DYN.RING', 'LEAVE', 'n4')).to.equal('OK');
    await crew.areOne(0, 1, 2);
    await refusal(crew.at(3), /^CLUSTERDOWN this node has left its ring/, 'GET', 'x');
    await crew.at(3).kill('SIGTERM');
    await expectKeys(0, 1, 2);
  });

  it('refuses a node of another cluster-name, whoever asks', async () => {
    const stranger = crew.at(4);
    crew.found(4, '--cluster-name', 'other');
    await until('the stranger is up', async () => (await stranger.client.ping()) === 'PONG');
    const words = ['DYN.RING', 'JOIN', '127.0.0.1', String(crew.at(0).peerPort)];
    expect(await outcome(stranger.client, ...words)).to.equal(
      `ERR no node of this cluster-name at ${crew.seed(0)}`,
    );
    expect(await stranger.client.set('still', 'fine')).to.equal('OK');
    await stranger.kill('SIGTERM');
    await crew.areOne(0, 1, 2);
  });

  it('refuses a node whose configuration contradicts: one line, exit 1', async () => {
    rmSync(crew.at(4).dir, { recursive: true, force: true });
    crew.join(4, '--partitions', '64');
    const { code, stderr, stdout } = await crew.at(4).child.exited;
    expect(code).to.equal(1);
    expect(stderr + stdout).to.match(/partitions is 64 .* founded with 1024/);
  });

  it('refuses writes at both of two nodes that run on copies of one directory', async () => {
    const [original, copy] = [crew.at(2), crew.at(4)];
    await original.kill('SIGTERM');
    rmSync(copy.dir, { recursive: true, force: true });
    cpSync(original.dir, copy.dir, { recursive: true });
    crew.join(2);
    await crew.areOne(0, 1, 2);
    copy.spawn([]);
    const twin = /^CLUSTERDOWN two processes run as this node/;
    for (const node of [original, copy]) await refusal(node, twin, 'SET', 'a', '1');
    expect(await crew.at(0).client.set('a', '1'), 'others go on').to.equal('OK');
    for (const node of [original, copy]) await node.kill('SIGTERM');
    crew.join(2);
    await crew.areOne(0, 1, 2);
    expect(await original.client.set('a', '2')).to.equal('OK');
    await expectKeys(0, 1, 2);
  });

  it('tells a founder that it has lost its disk, and takes it back when it is told to', async () => {
    const founder = crew.at(0);
    await founder.kill('SIGKILL');
    rmSync(founder.dir, { recursive: true, force: true });
    crew.found(0);
    const text = /^CLUSTERDOWN this node has lost its data: .* --replace-node n1$/;
    await refusal(founder, text, 'GET', 'member:1');
    await refusal(founder, text, 'SET', 'member:1', 'x');
    expect(await crew.at(1).client.get('member:1')).to.equal(contentOf('member:1'));
    await founder.kill('SIGTERM');
    rmSync(founder.dir, { recursive: true, force: true });
    founder.spawn(['--seeds', crew.seed(1), '--replace-node', 'n1']);
    await crew.areOne(0, 1, 2);
    await expectKeys(0, 1, 2);
  });
});
