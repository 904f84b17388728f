import { expect } from 'chai';
import { type ClusterPlan, faultOfDirectories, planCluster } from '../../lib/cluster/plan.ts';
import { Config, ConfigError, parseCommandLine } from '../../lib/config.ts';

function plan(...args: readonly string[]): ClusterPlan {
  const found = planCluster(args);
  expect(found).to.not.equal(undefined);
  return found as ClusterPlan;
}

/** As the node itself will read its command line. */
function configOf(args: readonly string[] | undefined): Config {
  const config = new Config();
  for (const [name, values] of parseCommandLine(args ?? []).given) config.give(name, values);
  return config;
}

describe('plan of a local ring', () => {
  it('gives each node its name, ports and directory, and the founder the founding', () => {
    const { nodes, seeds } = plan('3');
    expect(seeds).to.equal('127.0.0.1:17001,127.0.0.1:17002,127.0.0.1:17003');
    expect(nodes.map(({ args, ...facts }) => facts)).to.deep.equal([
      { name: 'n1', port: 7001, peerPort: 17001, dir: './data/n1' },
      { name: 'n2', port: 7002, peerPort: 17002, dir: './data/n2' },
      { name: 'n3', port: 7003, peerPort: 17003, dir: './data/n3' },
    ]);
    for (const [index, node] of nodes.entries()) {
      const config = configOf(node.args);
      expect(config.text('node-name')).to.equal(node.name);
      expect(config.number('port')).to.equal(node.port);
      expect(config.number('peer-port')).to.equal(node.peerPort);
      expect(config.text('dir')).to.equal(node.dir);
      expect(config.text('bind')).to.equal('127.0.0.1');
      expect(config.text('seeds')).to.equal(seeds);
      expect(config.flag('bootstrap')).to.equal(index === 0);
    }
  });

  it('hands every other directive to all nodes', () => {
    const { nodes } = plan('2', '--quorum', '2', '1', '1', '--appendfsync', 'always');
    for (const { args } of nodes) {
      expect(configOf(args).text('quorum')).to.equal('2 1 1');
      expect(configOf(args).text('appendfsync')).to.equal('always');
    }
  });

  it('takes several words in one pair of quotes, and leaves a word with a space whole', () => {
    const { nodes, password } = plan('2', '--quorum', '2 1 1', '--requirepass', 'a b');
    expect(configOf(nodes[1]?.args).text('quorum')).to.equal('2 1 1');
    expect(configOf(nodes[1]?.args).text('requirepass')).to.equal('a b');
    expect(password).to.equal('a b');
  });

  it('counts ports from --port and puts directories below --dir', () => {
    const { nodes, dir } = plan('2', '--port', '8001', '--dir', '/tmp/ring');
    expect(dir).to.equal('/tmp/ring');
    expect(nodes.map(({ port, peerPort, dir: own }) => [port, peerPort, own])).to.deep.equal([
      [8001, 18001, '/tmp/ring/n1'],
      [8002, 18002, '/tmp/ring/n2'],
    ]);
  });

  it('founds a ring of one without seeds', () => {
    const config = configOf(plan('1').nodes[0]?.args);
    expect(config.isGiven('seeds')).to.equal(false);
    expect(config.isGiven('bootstrap')).to.equal(false);
  });

  it('is undefined where the usage is asked for', () => {
    expect(planCluster(['--help'])).to.equal(undefined);
  });

  it('refuses what no ring can be made of, in one line', () => {
    const refused: readonly (readonly [readonly string[], string])[] = [
      [[], 'how many nodes?'],
      [['0'], 'between 1 and 50'],
      [['51'], 'between 1 and 50'],
      [['three'], "got 'three'"],
      [['3', '4'], "unexpected argument '4'"],
      [['3', '--no-such', '1'], "unknown directive '--no-such'"],
      [['3', '--appendfsync', 'sometimes'], "bad value for 'appendfsync'"],
      [['3', '--quorum', '2 9 1'], "bad value for 'quorum'"],
      [['3', '--port', '0'], '--port must be between 1 and 55533'],
      [['3', '--port', '55534'], '--port must be between 1 and 55533'],
      [['3', '--seeds', 'a:1'], "the cluster sets 'seeds' itself"],
      [['3', '--logfile', 'log'], "the cluster sets 'logfile' itself"],
    ];
    for (const [args, text] of refused) {
      expect(() => planCluster(args), args.join(' ')).to.throw(ConfigError, text);
    }
  });

  it('goes on with the directories of the same nodes, and with no others', () => {
    const three = plan('3');
    expect(faultOfDirectories(three, [])).to.equal(undefined);
    expect(faultOfDirectories(three, ['n3', 'n1', 'n2'])).to.equal(undefined);
    for (const present of [['n1', 'n2'], ['n1', 'n2', 'n3', 'n4'], ['n4']]) {
      expect(faultOfDirectories(three, present)).to.match(/holds n\d.*another --dir$/);
    }
  });
});
