/** The process as an operator meets it: command line, conf file, signals, exit codes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RawClient } from '../support/raw-client.ts';
import {
  type Exit,
  runRedynamo,
  ServerProcess,
  temporaryDirectory,
  useServer,
} from '../support/server-process.ts';

describe('the process', () => {
  it('prints every directive for --help, and its version for --version', async () => {
    const help = await runRedynamo('--help');
    expect(help).to.include({ code: 0, stderr: '' });
    expect(help.stdout)
      .to.match(/Usage: redynamo/)
      .and.match(/--appendfsync/);
    const version = await runRedynamo('--version');
    expect(version).to.include({ code: 0, stderr: '' });
    expect(version.stdout).to.match(/^redynamo \d+\.\d+\.\d+\n$/);
  });

  describe('ends with one line on stderr and exit code 1', () => {
    it('for an unknown directive', async () => {
      expectRefusal(await runRedynamo('--no-such-thing', '1'), /unknown directive.*no-such-thing/);
    });

    it('for a value that is not legal', async () => {
      expectRefusal(await runRedynamo('--appendfsync', 'sometimes'), /'appendfsync'.*everysec/);
    });

    it('for a conf line that cannot be read, naming file and line', async () => {
      const conf = join(temporaryDirectory(), 'bad.conf');
      writeFileSync(conf, '# fine\nport 0\nmaxclients many\n');
      expectRefusal(await runRedynamo(conf), /bad\.conf:3: .*'maxclients'/);
    });

    it('for a conf file that is not there', async () => {
      expectRefusal(await runRedynamo('/nowhere/at-all.conf'), /\/nowhere\/at-all\.conf/);
    });

    it('for seeds that are no addresses', async () => {
      const dir = temporaryDirectory();
      const seeds = await runRedynamo('--port', '0', '--dir', dir, '--seeds', 'somewhere');
      expectRefusal(seeds, /bad value for 'seeds': expected host:port, got 'somewhere'/);
    });

    describe('beside a running server', () => {
      const server = useServer();

      it('for a port that is in use', async () => {
        const line = ['--port', String(server().port), '--bind', '127.0.0.1'];
        const exit = await runRedynamo(...line, '--dir', temporaryDirectory());
        expectRefusal(exit, new RegExp(`127\\.0\\.0\\.1:${server().port}: the port is in use`));
      });

      it('for a directory that another process uses', async () => {
        const exit = await runRedynamo('--port', '0', '--bind', '127.0.0.1', '--dir', server().dir);
        expectRefusal(exit, /another process/);
        const client = await RawClient.connect(server().port);
        expect(await client.command('PING')).to.equal('PONG');
        await client.close();
      });
    });

    it('for databases that contradict the ring', async () => {
      const server = await ServerProcess.start('--databases', '4');
      await server.stop();
      const line = ['--port', '0', '--bind', '127.0.0.1', '--dir', server.dir];
      const exit = await runRedynamo(...line, '--databases', '8');
      expectRefusal(exit, /databases is 8 .* founded with 4/);
      await server.restart('--databases', '4');
      await server.remove();
    });
  });

  describe('stops cleanly, with exit code 0 and nothing on stderr,', () => {
    for (const signal of ['SIGTERM', 'SIGINT'] satisfies NodeJS.Signals[]) {
      it(`for ${signal}, and has the data afterwards`, () =>
        stopsWith(async (server) => void server.kill(signal)));
    }

    it('for SHUTDOWN, and has the data afterwards', () =>
      stopsWith(async (_, client) => client.send('SHUTDOWN\r\n')));

    it('while clients go on sending', async () => {
      const server = await ServerProcess.start();
      const client = await RawClient.connect(server.port, { undecoded: true });
      client.send('PING\r\n'.repeat(20_000));
      await client.receive(7);
      expect(await server.stop()).to.include({ code: 0, stderr: '' });
      await server.remove();
    });
  });

  it('asks for the password from its first moment', async () => {
    const server = await ServerProcess.start('--requirepass', 'a "secret"');
    const client = await RawClient.connect(server.port);
    expect(await client.command('GET', 'a'))
      .to.be.an('error')
      .with.property('message', noAuth);
    expect(await client.command('AUTH', 'a "secret"')).to.equal('OK');
    expect(await client.command('GET', 'a')).to.equal(null);
    await client.close();
    await server.remove();
  });

  it('reads a conf file, and lets the command line win', async () => {
    const dir = temporaryDirectory();
    const conf = join(dir, 'redynamo.conf');
    writeFileSync(conf, '# mine\nmaxclients 33\n\ntimeout 44\n');
    const server = await ServerProcess.startWithConf(conf, '--maxclients', '55');
    const client = await RawClient.connect(server.port);
    expect(await client.command('CONFIG', 'GET', 'maxclients')).to.deep.equal(['maxclients', '55']);
    expect(await client.command('CONFIG', 'GET', 'timeout')).to.deep.equal(['timeout', '44']);
    expect(await client.command('INFO', 'server')).to.include(`config_file:${conf}`);
    await client.close();
    await server.remove();
  });
});

const noAuth = 'NOAUTH Authentication required.';

function expectRefusal(exit: Exit, line: RegExp): void {
  expect(exit.code).to.equal(1);
  expect(exit.stderr).to.match(line);
  expect(exit.stderr.trimEnd().split('\n')).to.have.length(1);
}

async function stopsWith(
  stop: (server: ServerProcess, client: RawClient) => Promise<void>,
): Promise<void> {
  const server = await ServerProcess.start('--appendfsync', 'no');
  const client = await RawClient.connect(server.port);
  await client.command('MSET', 'a', '1', 'b', '2');
  await stop(server, client);
  await client.readUntilClosed();
  expect(await server.child.exited).to.include({ code: 0, stderr: '' });
  await server.restart();
  const later = await RawClient.connect(server.port);
  expect(await later.command('MGET', 'a', 'b')).to.deep.equal(['1', '2']);
  expect(await later.command('DBSIZE')).to.equal(2);
  await later.close();
  await server.remove();
}
