/** Whom a node takes for up: quick to doubt, quick to trust again, and fair when it slept itself. */
import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { PeerHealth } from '../../lib/membership/peer-health.ts';
import { PeerHealthCore, suspectTicks } from '../../lib/membership/peer-health-core.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import { SimNetwork } from '../sim/sim-network.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

describe('the judgement of a peer', () => {
  function upCore(): PeerHealthCore {
    const core = new PeerHealthCore();
    core.answered();
    core.tick(1, true);
    return core;
  }

  function silence(core: PeerHealthCore, ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) core.tick(1, true);
  }

  it('is down until a ping is answered', () => {
    const core = new PeerHealthCore();
    core.tick(1, true);
    expect(core.verdict).to.equal('down');
    core.answered();
    expect(core.verdict).to.equal('up');
  });

  it('is suspect after 4 silent ticks, and up with the first sound', () => {
    const core = upCore();
    silence(core, 3);
    expect(core.verdict).to.equal('up');
    silence(core, 1);
    expect(core.verdict).to.equal('suspect');
    core.tick(2, true);
    expect(core.verdict).to.equal('up');
  });

  it('is down after 16 silent ticks, and then needs an answered ping', () => {
    const core = upCore();
    silence(core, 15);
    expect(core.verdict).to.equal('suspect');
    silence(core, 1);
    expect(core.verdict).to.equal('down');
    core.tick(2, true);
    expect(core.verdict).to.equal('down');
    core.answered();
    expect(core.verdict).to.equal('up');
  });

  it('does not hold silence against whom nothing was asked', () => {
    const core = upCore();
    for (let tick = 0; tick < 100; tick += 1) core.tick(1, false);
    expect(core.verdict).to.equal('up');
  });

  it('is down at once when the link is lost', () => {
    const core = upCore();
    core.lost();
    expect(core.verdict).to.equal('down');
    core.answered();
    silence(core, suspectTicks - 1);
    expect(core.verdict).to.equal('up');
  });
});

describe('the health of peers', () => {
  const hosts = ['a', 'b', 'c'];
  const ids = hosts.map((_, index) => Buffer.alloc(20, index + 1));
  /** What should have happened in a while it stood still. */
  const missed: (() => void)[] = [];
  let stopped = false;
  /** Hosts that take no pings. */
  const refusing = new Set<string>();
  let time: VirtualTime;
  let network: SimNetwork;
  let nodes: readonly {
    readonly transport: PeerTransport;
    readonly health: PeerHealth;
    readonly news: string[];
    readonly heard: Set<string>;
  }[];

  beforeEach(async () => {
    refusing.clear();
    time = new VirtualTime(3);
    network = new SimNetwork(time.timers(), time.stream('network'));
    nodes = hosts.map((host, self) => {
      const timers = time.timersOf({ enter: (run) => (self === 0 ? enter(run) : run()) });
      const system = { ...time.system(), timers };
      const transport = new PeerTransport(network.sockets(host), system, {
        clusterName: 'carts',
        secret: '',
        binds: [host],
        port: 17_000,
        frameBytesMax: 1024 * 1024,
      });
      const [news, heard]: [string[], Set<string>] = [[], new Set()];
      const health = new PeerHealth(transport, system, {
        ping: () => Buffer.from(host),
        onPing: (member, body) => {
          if (refusing.has(host)) throw new RedisError('ERR not now');
          heard.add(`${member}:${body}`);
        },
        onRefused: (reason) => news.push(`refused: ${reason}`),
      });
      health.watch(othersOf(self));
      health.onUp((member) => news.push(`${hosts[member]} up`));
      health.onDown((member) => news.push(`${hosts[member]} down`));
      return { transport, health, news, heard };
    });
    for (const [index, { transport, health }] of nodes.entries()) {
      health.start();
      await time.run(transport.start(ids[index] ?? Buffer.alloc(20)));
      for (const host of hosts) transport.dial({ host, port: 17_000 });
    }
    await time.advance(200);
  });

  /** By number, without one. */
  function othersOf(self: number): ReadonlyMap<number, string> {
    const all = ids.map((id, member) => [member, id.toString('hex')] as const);
    return new Map(all.filter(([member]) => member !== self));
  }

  function enter(run: () => void): void {
    if (stopped) missed.push(run);
    else run();
  }

  function at(index: number): (typeof nodes)[number] {
    const node = nodes[index];
    if (node === undefined) throw new Error('no such node');
    return node;
  }

  function verdicts(index: number): readonly string[] {
    return hosts.map((_, member) => (member === index ? 'up' : at(index).health.verdict(member)));
  }

  it('is up everywhere once all have met, and pings have told what each has to say', () => {
    for (const index of [0, 1, 2]) expect(verdicts(index)).to.deep.equal(['up', 'up', 'up']);
    expect([...at(0).heard].sort()).to.deep.equal(['1:b', '2:c']);
    expect([...at(0).news].sort()).to.deep.equal(['b up', 'c up']);
    expect(at(0).health.latencyMs(1)).to.be.within(0.01, 50);
  });

  it('doubts a paused peer within 400 ms, gives it up within 1.1 s, trusts it when it answers', async () => {
    network.pause('c');
    await time.advance(400);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'suspect']);
    await time.advance(700);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'down']);
    await time.advance(10_000);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'down']);
    network.resume('c');
    await time.advance(2500);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
    expect(at(0).news.slice(-2)).to.deep.equal(['c down', 'c up']);
  });

  it('notices a peer that is only cut off in one direction', async () => {
    network.cut('c', 'a');
    await time.advance(1200);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'down']);
    expect(verdicts(1)).to.deep.equal(['up', 'up', 'up']);
    network.mendAll();
    await time.advance(10_000);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
  });

  it('gives up at once a peer whose link breaks', async () => {
    await time.run(at(2).transport.stop());
    await time.advance(100);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'down']);
    expect(verdicts(1)).to.deep.equal(['up', 'up', 'down']);
  });

  it('is slowed by slow answers to calls, in small steps', () => {
    const { health } = at(0);
    const before = health.latencyMs(1);
    health.observe(1, before + 80);
    expect(health.latencyMs(1)).to.be.closeTo(before + 10, 0.001);
  });

  it('does not blame its own standstill on others', async () => {
    const before = at(1).news.length;
    stopped = true;
    network.pause('a');
    await time.advance(700);
    stopped = false;
    time.runFirst(missed.splice(0));
    network.resume('a');
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
    await time.advance(20);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
    expect(at(1).news.length).to.equal(before);
  });

  it('says at once, to all, what has changed', async () => {
    const { health, heard } = at(1);
    at(0).heard.clear();
    heard.clear();
    health.pingAll();
    await time.advance(30);
    expect([...at(0).heard]).to.include('1:b');
    expect([...at(2).heard]).to.include('1:b');
  });

  it('judges exactly those it watches, whatever came before', async () => {
    const { health, heard, news } = at(0);
    health.watch(new Map([[2, ids[2]?.toString('hex') ?? '']]));
    expect(verdicts(0)).to.deep.equal(['up', 'down', 'up']);
    heard.clear();
    await time.advance(500);
    expect([...heard]).to.deep.equal(['2:c']);
    health.watch(othersOf(0));
    expect(verdicts(0)).to.deep.equal(['up', 'down', 'up']);
    await time.advance(300);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
    expect(news.at(-1)).to.equal('b up');
  });

  it('tells a node whose pings are not taken, and why, and gives nobody up for that', async () => {
    refusing.add('b');
    await time.advance(300);
    expect(at(0).news).to.include('refused: ERR not now');
    refusing.clear();
    await time.advance(1000);
    expect(verdicts(0)).to.deep.equal(['up', 'up', 'up']);
  });

  it('refuses the pings of strangers', async () => {
    const stranger = new PeerTransport(network.sockets('x'), time.system(), {
      clusterName: 'carts',
      secret: '',
      binds: ['x'],
      port: 17_000,
      frameBytesMax: 1024,
    });
    await time.run(stranger.start(Buffer.alloc(20, 9)));
    stranger.dial({ host: 'a', port: 17_000 });
    await time.advance(200);
    const id = ids[0]?.toString('hex') ?? '';
    const outcome = await time
      .run(stranger.call(id, 1, Buffer.from('x'), 1000).then(() => 'answered'))
      .catch((error: unknown) => String(error));
    expect(outcome).to.match(/no member of this ring/);
    expect([...at(0).heard].some((said) => said.endsWith(':x'))).to.equal(false);
  });
});
