import { expect } from 'chai';
import { Frame, plain } from '../support/fake-ports.ts';

describe('INFO', () => {
  async function info(line: string): Promise<string> {
    const frame = new Frame();
    const session = frame.connect();
    await frame.run(session, 'SET k v');
    await frame.run(session, 'SET brief v EX 10');
    return String(await frame.run(session, line));
  }

  function titles(text: string): string[] {
    return [...text.matchAll(/^# (\w+)\r$/gm)].map(([, title]) => title ?? '');
  }

  const usual =
    'Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace Dynamo';

  it('shows the usual sections, a blank line between them', async () => {
    const text = await info('info');
    expect(titles(text).join(' ')).to.equal(usual);
    expect(text.split('\r\n\r\n').length).to.equal(usual.split(' ').length);
    expect(await info('INFO Default')).to.contain('# Keyspace');
  });

  it('shows the sections asked for, in the order of the table', async () => {
    expect(titles(await info('info keyspace SERVER'))).to.deep.equal(['Server', 'Keyspace']);
    expect(titles(await info('info all'))).to.include('Commandstats');
    expect(titles(await info('info everything'))).to.include('Commandstats');
    expect(await info('info nonsense')).to.equal('');
  });

  const fields = [
    'redis_version:7.0.15',
    'redis_mode:standalone',
    'arch_bits:64',
    'process_id:4711',
    `run_id:${'a'.repeat(40)}`,
    'tcp_port:6379',
    'uptime_in_seconds:90061',
    'uptime_in_days:1',
    'connected_clients:1',
    'blocked_clients:0',
    'maxclients:10000',
    'used_memory:2097152',
    'used_memory_human:2.00M',
    'maxmemory:0',
    'maxmemory_policy:noeviction',
    'loading:0',
    'total_connections_received:3',
    'rejected_connections:1',
    'expired_keys:5',
    'evicted_keys:0',
    'role:master',
    'connected_slaves:0',
    'cluster_enabled:0',
    `node_id:${'1'.repeat(40)}`,
  ];
  for (const field of fields) {
    it(`has the line ${field}`, async () => {
      expect(await info('info')).to.contain(`\r\n${field}\r\n`);
    });
  }
});

describe('INFO keyspace', () => {
  it('has a line for every database that holds something', async () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(await frame.run(session, 'info keyspace')).to.equal('# Keyspace\r\n');
    frame.now(session, 'select 9');
    await frame.run(session, 'SET k v');
    expect(await frame.run(session, 'info keyspace')).to.match(
      /^# Keyspace\r\ndb9:keys=1,expires=\d+,avg_ttl=0\r\n$/,
    );
  });
});

describe('CONFIG', () => {
  it('GET answers every directive that a pattern matches, each once', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'config get MAXC* maxclients')).to.deep.equal({
      maxclients: '10000',
    });
    expect(frame.now(session, 'config get nothing')).to.deep.equal({});
    expect(frame.now(session, 'config get *')).to.include({ port: '6379', databases: '16' });
  });

  it('GET knows the names of Redis that clients look for', () => {
    const frame = new Frame();
    const session = frame.connect();
    const names =
      'save appendonly maxmemory maxmemory-policy databases timeout replica-read-only ' +
      'slave-read-only requirepass proto-max-bulk-len maxclients client-output-buffer-limit ' +
      'hash-max-listpack-entries';
    expect(frame.now(session, `config get ${names}`)).to.have.all.keys(names.split(' '));
  });

  it('SET changes several directives or none', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'config set maxclients 7 TIMEOUT 9')).to.equal('+OK');
    expect(frame.now(session, 'config get maxclients timeout')).to.deep.equal({
      maxclients: '7',
      timeout: '9',
    });
    expect(frame.now(session, 'config set maxclients 8 port 1')).to.equal(
      "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
    );
    expect(frame.settings.number('maxclients')).to.equal(7);
  });

  it('SET takes a constant for what it is, and says so when it should be another', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'config', 'set', 'save', '')).to.equal('+OK');
    expect(frame.now(session, 'config set maxmemory-policy noeviction timeout 3')).to.equal('+OK');
    expect(frame.settings.number('timeout')).to.equal(3);
    expect(frame.now(session, 'config set timeout 4 maxmemory 100mb')).to.match(
      /^-ERR CONFIG SET failed \(possibly related to argument 'maxmemory'\)/,
    );
    expect(frame.settings.number('timeout')).to.equal(3);
  });

  const refusals = [
    ['config set a b', "-ERR Unknown option or number of arguments for CONFIG SET - 'a'"],
    ['config set a b c', '-ERR syntax error'],
    [
      'config set timeout 1 timeout 2',
      "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
    ],
    [
      'config rewrite',
      '-ERR CONFIG REWRITE is not supported: change the configuration file by hand',
    ],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}'`, () => {
      const frame = new Frame();
      expect(frame.now(frame.connect(), line)).to.equal(text);
    });
  }
});

describe('server commands', () => {
  it('TIME and ROLE answer as Redis does', async () => {
    const frame = new Frame();
    const session = frame.connect();
    await frame.time.advance(7);
    expect(frame.now(session, 'time')).to.deep.equal(['1767225600', '7000']);
    expect(frame.now(session, 'role')).to.deep.equal(['master', 0, []]);
  });

  it('SHUTDOWN begins the clean stop and answers nothing', () => {
    for (const line of ['shutdown', 'shutdown nosave', 'SHUTDOWN SAVE NOW FORCE']) {
      const frame = new Frame();
      const session = frame.connect();
      expect(frame.now(session, line)).to.equal(undefined);
      expect([frame.shutdowns, session.closing]).to.deep.equal([1, true]);
    }
  });

  it('SHUTDOWN with words that contradict each other does nothing', () => {
    const frame = new Frame();
    const session = frame.connect();
    for (const line of ['shutdown foo', 'shutdown save nosave', 'shutdown abort now']) {
      expect(frame.now(session, line)).to.equal('-ERR syntax error');
    }
    expect(frame.now(session, 'shutdown abort')).to.equal('-ERR No shutdown in progress.');
    expect(frame.shutdowns).to.equal(0);
  });

  it('DEBUG is refused unless the conf allows it', () => {
    const frame = new Frame();
    expect(frame.now(frame.connect(), 'debug sleep 0')).to.match(
      /^-ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you/,
    );
  });

  for (const allowed of ['yes', 'local']) {
    it(`DEBUG SLEEP answers after its time (enable-debug-command ${allowed})`, async () => {
      const frame = new Frame();
      frame.settings.give('enable-debug-command', [allowed]);
      const session = frame.connect();
      const reply = frame.start(session, 'debug sleep 0.2');
      await frame.time.advance(199);
      expect(frame.time.pendingTimers).to.equal(1);
      await frame.time.advance(1);
      expect(plain(await reply)).to.equal('+OK');
      expect(frame.now(session, 'debug object k')).to.match(/^-ERR unknown subcommand or wrong/);
    });
  }

  for (const line of ['sentinel masters', 'subscribe c', 'monitor', 'swapdb 0 1', 'lolwut']) {
    it(`does not know '${line}'`, () => {
      const frame = new Frame();
      expect(frame.now(frame.connect(), line)).to.match(/^-ERR unknown command/);
    });
  }
});
