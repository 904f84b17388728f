/** redis-cli 7 as a person uses it, and its tools. */
import { expect } from 'chai';
import { encodeRequest, RawClient } from '../support/raw-client.ts';
import { Child, describeWith, type Exit, run, useServer } from '../support/server-process.ts';

describeWith('redis-cli', 'redis-cli', () => {
  const server = useServer();

  function cli(args: readonly string[], input?: string | Buffer): Promise<Exit> {
    return run('redis-cli', ['-p', String(server().port), ...args], input);
  }

  async function printed(args: readonly string[], input?: string | Buffer): Promise<string> {
    const exit = await cli(args, input);
    expect(exit).to.include({ code: 0, stderr: '' });
    return exit.stdout;
  }

  before(async () => {
    const client = await RawClient.connect(server().port);
    for (let n = 0; n < 300; n += 1) await client.command('SET', `key:${n}`, 'x'.repeat(n + 1));
    await client.close();
  });

  it('runs one command', async () => {
    expect(await printed(['SET', 'a', 'b c'])).to.equal('OK\n');
    expect(await printed(['GET', 'a'])).to.equal('b c\n');
    expect(await printed(['--no-raw', 'GET', 'missing'])).to.equal('(nil)\n');
    expect(await printed(['DEL', 'a'])).to.equal('1\n');
    expect(await printed(['-n', '5', 'DBSIZE'])).to.equal('0\n');
  });

  it('runs what it reads from its input, and shows mistakes', async () => {
    const text = await printed([], 'SET n 1\nINCR n\nFOO bar\nDEL n\n');
    expect(text).to.equal(
      "OK\n2\nERR unknown command 'FOO', with args beginning with: 'bar' \n\n1\n",
    );
  });

  it('speaks RESP3 with -3, and shows maps', async () => {
    expect(await printed(['-3', '--no-raw', 'CONFIG', 'GET', 'maxclients'])).to.equal(
      '1# "maxclients" => "10000"\n',
    );
    expect(await printed(['-3', '--no-raw', 'DYN.QUORUM'])).to.match(/"r" => \(integer\) 1/);
  });

  it('gets the help of commands by COMMAND DOCS', async () => {
    const text = await printed(['COMMAND', 'DOCS', 'set', 'dyn.put']);
    expect(text).to.include('Set the string value of a key').and.include('dyn.put');
  });

  it('lists every key with --scan', async () => {
    const names = (await printed(['--scan', '--pattern', 'key:*'])).trim().split('\n');
    expect(new Set(names).size).to.equal(300);
    expect(names).to.have.length(300);
  });

  it('finds the biggest keys with --bigkeys and --memkeys', async () => {
    expect(await printed(['--bigkeys'])).to.match(/Biggest string found '"key:299"' has 300 bytes/);
    expect(await printed(['--memkeys'])).to.match(/Biggest string found '"key:299"' has \d+ bytes/);
  });

  it('loads with --pipe', async () => {
    const requests = Array.from({ length: 5000 }, (_, n) => encodeRequest('SET', `p:${n}`, n));
    const text = await printed(['-n', '2', '--pipe'], Buffer.concat(requests));
    expect(text).to.match(/errors: 0, replies: 5000/);
    expect(await printed(['-n', '2', 'DBSIZE'])).to.equal('5000\n');
    expect(await printed(['-n', '2', 'GET', 'p:4999'])).to.equal('4999\n');
  });

  it('measures with --latency', async () => {
    const text = await printed(['--latency', '-i', '0.2']);
    expect(text).to.match(/^\d+ \d+ \d+\.\d+ \d+\n$/);
  });

  it('watches with --stat', async () => {
    const args = ['-p', `${server().port}`, '--stat', '-i', '0.05'];
    const child = new Child('redis-cli', args);
    const line = /\n(?:\d+ +[\d.]+[BKMG] +\d+ +\d+ +\d+ \(\+\d+\) +\d+ *\n?){3}/;
    await child.said(line);
    await child.kill('SIGTERM');
  });

  it('is told that this is no cluster', async () => {
    expect((await cli(['CLUSTER', 'INFO'])).stdout).to.equal(
      'ERR This instance has cluster support disabled\n',
    );
  });

  it('shows siblings and contexts', async () => {
    const context = (await printed(['DYN.CONTEXT', 'GET', 'cart'])).trim();
    await printed(['DYN.PUT', 'cart', context, 'milk']);
    await printed(['DYN.PUT', 'cart', context, 'bread']);
    expect(await printed(['GET', 'cart'])).to.equal('bread\n');
    const [merged = '', ...siblings] = (await printed(['DYN.GET', 'cart'])).trim().split('\n');
    expect(siblings).to.deep.equal(['bread', 'milk']);
    await printed(['DYN.PUT', 'cart', merged, 'bread,milk']);
    const shown = (await printed(['DYN.GET', 'cart'])).trim().split('\n');
    expect(shown.slice(1)).to.deep.equal(['bread,milk']);
  });
});
