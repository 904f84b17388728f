/** `npm run cluster` as its user meets it: the built entry, three processes, Ctrl-C. */
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { freePorts } from '../support/ring-process.ts';
import { root } from '../support/root.ts';
import { Child, temporaryDirectory } from '../support/server-process.ts';

const entry = join(root, 'dist', 'cluster.js');
const readyTimeoutMs = 25_000;

function start(...args: readonly string[]): Child {
  return new Child(process.execPath, [entry, ...args]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function pidsIn(text: string): number[] {
  return [...text.matchAll(/^ {2}n\d+ +pid (\d+)/gm)].map((match) => Number(match[1]));
}

describe('npm run cluster', function () {
  this.timeout(2 * readyTimeoutMs);
  let dir = '';
  let port = 0;
  let line: readonly string[] = [];
  before(async () => {
    dir = temporaryDirectory();
    port = await freePorts(3);
    line = ['3', '--port', String(port), '--dir', dir, '--requirepass', 'a b'];
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const connect = (index: number): Redis =>
    new Redis({ port: port + index, password: 'a b', lazyConnect: true });

  it('starts a ring that takes every key at every node, and stops it without a trace', async () => {
    const cluster = start(...line);
    await cluster.said(/^ready: .*\n(?: {2}.*\n){5}/m, readyTimeoutMs);
    const pids = pidsIn(cluster.stdout);
    expect(pids).to.have.lengthOf(3);
    expect(pids.every(isAlive)).to.equal(true);
    const clients = [0, 1, 2].map(connect);
    for (const [index, client] of clients.entries()) await client.set(`key${index}`, index);
    for (const client of clients) {
      expect(await client.mget('key0', 'key1', 'key2')).to.deep.equal(['0', '1', '2']);
    }
    for (const client of clients) client.disconnect();
    const { code, stderr } = await cluster.kill('SIGINT');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(pids.some(isAlive)).to.equal(false);
    expect(cluster.stdout).to.match(/^\d\d:\d\d:\d\d\.\d{3} notice {2}n2 {2}stopped cleanly$/m);
  });

  it('goes on with the same ring, and without the node that dies', async () => {
    const cluster = start(...line);
    await cluster.said(/^ready: .*\n(?: {2}.*\n){5}/m, readyTimeoutMs);
    const pids = pidsIn(cluster.stdout);
    process.kill(pids[1] ?? 0, 'SIGKILL');
    await cluster.said(new RegExp(`^n2 ended \\(SIGKILL\\), pid ${pids[1]}$`, 'm'));
    const client = connect(2);
    expect(await client.mget('key0', 'key1', 'key2')).to.deep.equal(['0', '1', '2']);
    expect(await client.set('key0', 'after')).to.equal('OK');
    client.disconnect();
    const { code, stderr } = await cluster.kill('SIGTERM');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(pids.some(isAlive)).to.equal(false);
  });

  it('says in one line why it cannot start', async () => {
    const busy = await listening(port + 1);
    const lines: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /^cluster: how many nodes\? .*\n$/],
      [['3', '--quorum', '2 9 1'], /^cluster: bad value for 'quorum': .*\n$/],
      [['2', '--dir', dir], /^cluster: .* holds n1, n2, n3, and the members .*\n$/],
      [line, new RegExp(`^cluster: 127\\.0\\.0\\.1:${port + 1}: the port is in use\\n$`)],
    ];
    for (const [args, text] of lines) {
      const { code, stdout, stderr } = await start(...args).exited;
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
      expect(stderr).to.match(text);
    }
    await new Promise((resolve) => busy.close(resolve));
  });
});

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
