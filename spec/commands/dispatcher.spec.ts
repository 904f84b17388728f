import { expect } from 'chai';
import fc from 'fast-check';
import { AssertionFailure } from '../../lib/base/assert.ts';
import { RedisError, StoreError } from '../../lib/base/errors.ts';
import { Deferred, isLater } from '../../lib/base/later.ts';
import type { Command, Handler } from '../../lib/commands/command.ts';
import { commandTable } from '../../lib/commands/table.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { Frame, plain } from '../support/fake-ports.ts';

/** A command for the purpose of one spec. */
function command(name: string, handler: Handler, more: Partial<Command> = {}): Command {
  return {
    name,
    arity: -1,
    flags: [],
    group: 'server',
    since: '0.1.0',
    summary: 'For a spec',
    syntax: '',
    handler,
    ...more,
  };
}

function frameWith(...rows: readonly Command[]): Frame {
  return new Frame({ rows: [...commandTable, ...rows] });
}

describe('dispatcher', () => {
  it('finds a command in any case', () => {
    const frame = new Frame();
    const session = frame.connect();
    for (const name of ['ping', 'PING', 'PiNg']) {
      expect(frame.now(session, name)).to.equal('+PONG');
    }
    expect(session.lastCommand).to.equal('ping');
  });

  it('answers an unknown command with its name, its arguments and a space at the end', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'FOO')).to.equal(
      "-ERR unknown command 'FOO', with args beginning with: ",
    );
    expect(frame.now(session, 'foo a b')).to.equal(
      "-ERR unknown command 'foo', with args beginning with: 'a' 'b' ",
    );
    expect(session.lastCommand).to.equal('');
  });

  it('cuts what it quotes of an unknown command where Redis does', () => {
    const frame = new Frame();
    const session = frame.connect();
    const long = 'x'.repeat(300);
    expect(frame.now(session, long, long, 'b')).to.equal(
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'x'.repeat(128)}' `,
    );
    expect(frame.now(session, 'f', 'y'.repeat(120), 'abcdefgh', 'z')).to.equal(
      `-ERR unknown command 'f', with args beginning with: '${'y'.repeat(120)}' 'abcde' `,
    );
  });

  it('never takes any bytes for a command that is not in the table', () => {
    const frame = new Frame();
    const session = frame.connect();
    const known = new Set(commandTable.map(({ name }) => name));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (name) => {
        fc.pre(!known.has(Buffer.from(name).toString('latin1').toLowerCase()));
        const reply = plain(frame.start(session, '', Buffer.from(name)) as Reply);
        expect(reply).to.match(/^-ERR unknown command/);
      }),
    );
  });

  it('names the parent when a subcommand is unknown', () => {
    const frame = new Frame();
    expect(frame.now(frame.connect(), 'client Foo')).to.equal(
      "-ERR unknown subcommand 'Foo'. Try CLIENT HELP.",
    );
  });

  it('refuses a wrong number of arguments by the full name', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'GET')).to.equal("-ERR wrong number of arguments for 'get' command");
    expect(frame.now(session, 'ECHO a b')).to.match(/'echo' command$/);
    expect(frame.now(session, 'CONFIG GET')).to.match(/'config\|get' command$/);
    expect(frame.now(session, 'CONFIG')).to.match(/'config' command$/);
  });

  it('asks for AUTH before anything but the commands of the handshake', () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    expect(frame.now(session, 'GET k')).to.equal('-NOAUTH Authentication required.');
    expect(frame.now(session, 'MULTI')).to.equal('-NOAUTH Authentication required.');
    expect(frame.now(session, 'GET')).to.match(/wrong number/);
    expect(frame.now(session, 'AUTH secret')).to.equal('+OK');
    expect(frame.now(session, 'MULTI')).to.equal('+OK');
  });

  it('makes a RedisError its text, thrown or late', async () => {
    const fails = new RedisError('TRYAGAIN later');
    const frame = frameWith(
      command('throws', () => {
        throw fails;
      }),
      command('fails', () => {
        const outcome = new Deferred<Reply>();
        setImmediate(() => outcome.fail(fails));
        return outcome;
      }),
      command('rejects', () => Promise.reject(fails)),
    );
    const session = frame.connect();
    expect(frame.now(session, 'throws')).to.equal('-TRYAGAIN later');
    expect(await frame.run(session, 'fails')).to.equal('-TRYAGAIN later');
    expect(await frame.run(session, 'rejects')).to.equal('-TRYAGAIN later');
  });

  const storeErrors = [
    ['fenced', /^-MISCONF Errors writing to the data directory: .*; reads go on$/],
    ['full', /^-MISCONF .*no space left on device.*Writes are refused until/],
    ['unknown', /^-UNCERTAIN acknowledged by 0 of 1, the disk failed during the write$/],
    ['corrupt', /^-CLUSTERDOWN need 1 replica, 0 usable: the record is corrupt here$/],
    ['closed', /^-ERR server is shutting down$/],
    ['io', /^-ERR the storage failed/],
  ] as const;
  for (const [code, text] of storeErrors) {
    it(`says what a storage that is '${code}' means for the client`, () => {
      const frame = frameWith(
        command('breaks', () => {
          throw new StoreError(code);
        }),
      );
      expect(frame.now(frame.connect(), 'breaks')).to.match(text);
    });
  }

  it('lets a fault of the program through, so that the node stops', async () => {
    const fault = new AssertionFailure('never');
    const frame = frameWith(
      command('faulty', () => {
        throw fault;
      }),
      command('later', () => Promise.reject(fault)),
    );
    const session = frame.connect();
    expect(() => frame.start(session, 'faulty')).to.throw(fault.message);
    const outcome = await Promise.resolve(frame.start(session, 'later')).catch((error) => error);
    expect(outcome).to.equal(fault);
  });

  it('knows which requests may overtake the wait of others', () => {
    const frame = new Frame();
    const session = frame.connect();
    const overlaps = (line: string): boolean =>
      frame.dispatcher.overlaps(
        session,
        line.split(' ').map((word) => Buffer.from(word)),
      );
    expect(overlaps('GET k')).to.equal(true);
    expect(overlaps('SET k v')).to.equal(true);
    for (const line of ['EXEC', 'SELECT 1', 'CLIENT ID', 'CLIENT', 'NO SUCH']) {
      expect(overlaps(line), line).to.equal(false);
    }
  });
});

describe('CLIENT REPLY', () => {
  it('OFF silences everything until ON, which answers', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.coordinator.late = true;
    expect(frame.now(session, 'client reply off')).to.equal(undefined);
    for (const line of ['PING', 'GET', 'NO SUCH', 'SET k v', 'CLIENT REPLY x']) {
      expect(await frame.run(session, line), line).to.equal(undefined);
    }
    expect(frame.now(session, 'client reply on')).to.equal('+OK');
    expect(await frame.run(session, 'GET k')).to.equal('v');
  });

  it('SKIP silences exactly the next request, which may skip again', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'client reply skip')).to.equal(undefined);
    expect(frame.now(session, 'PING')).to.equal(undefined);
    expect(frame.now(session, 'PING')).to.equal('+PONG');
    frame.now(session, 'client reply skip');
    expect(frame.now(session, 'client reply skip')).to.equal(undefined);
    expect(frame.now(session, 'PING')).to.equal(undefined);
    expect(frame.now(session, 'PING')).to.equal('+PONG');
  });

  it('ON answers although it is the request to skip', () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'client reply skip');
    expect(frame.now(session, 'client reply on')).to.equal('+OK');
    expect(frame.now(session, 'PING')).to.equal('+PONG');
  });

  it('refuses any other mode', () => {
    const frame = new Frame();
    expect(frame.now(frame.connect(), 'client reply maybe')).to.equal('-ERR syntax error');
  });
});

describe('CLIENT PAUSE', () => {
  it('holds every command until it is over, and then runs them in their order', async () => {
    const frame = new Frame();
    const [pausing, other] = [frame.connect(), frame.connect()];
    expect(frame.now(pausing, 'client pause 100')).to.equal('+OK');
    const replies = ['SET k 1', 'INCR k', 'GET k'].map((line) => frame.run(other, line));
    expect(isLater(frame.start(pausing, 'client unpause'))).to.equal(true);
    await frame.time.advance(100);
    expect(await Promise.all(replies)).to.deep.equal(['+OK', 2, '2']);
    expect(frame.now(other, 'PING')).to.equal('+PONG');
  });

  it('WRITE holds what may write, and what its client sends behind that', async () => {
    const frame = new Frame();
    const [one, two] = [frame.connect(), frame.connect()];
    frame.now(one, 'client pause 100 write');
    const write = frame.run(one, 'SET k v');
    const behind = frame.run(one, 'GET k');
    expect(await frame.run(two, 'GET k')).to.equal(null);
    expect(frame.now(two, 'client unpause')).to.equal('+OK');
    expect(await write).to.equal('+OK');
    expect(await behind).to.equal('v');
  });

  it('WRITE holds an EXEC with a write in it', async () => {
    const frame = new Frame();
    const [one, two] = [frame.connect(), frame.connect()];
    frame.now(one, 'multi');
    frame.now(one, 'set k v');
    frame.now(two, 'client pause 1000 write');
    const exec = frame.start(one, 'exec');
    expect(isLater(exec)).to.equal(true);
    frame.now(two, 'client unpause');
    expect(plain(await exec)).to.deep.equal(['+OK']);
  });

  it('keeps the bytes of what it holds', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'client pause 10');
    const value = Buffer.from('kept');
    const reply = frame.start(session, 'echo', value);
    value.fill('x');
    await frame.time.advance(10);
    expect(plain(await reply)).to.equal('kept');
  });

  it('only widens when asked again', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'client pause 100 write');
    frame.now(session, 'client pause 10 all');
    const reply = frame.start(session, 'PING');
    await frame.time.advance(99);
    expect(isLater(reply) && (reply as Deferred<Reply>).pending).to.equal(true);
    await frame.time.advance(1);
    expect(plain(await reply)).to.equal('+PONG');
    expect(frame.time.pendingTimers).to.equal(0);
  });

  const refusals = [
    ['client pause x', '-ERR timeout is not an integer or out of range'],
    ['client pause -1', '-ERR timeout is negative'],
    ['client pause x foo', '-ERR CLIENT PAUSE mode must be WRITE or ALL'],
    ['client pause 1 all more', '-ERR syntax error'],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}'`, () => {
      const frame = new Frame();
      expect(frame.now(frame.connect(), line)).to.equal(text);
    });
  }
});

describe('statistics of commands', () => {
  it('count calls, refusals and failures of each command, and errors by their first word', async () => {
    const frame = new Frame();
    const session = frame.connect();
    for (const line of ['SET k v', 'GET k', 'GET missing', 'GET', 'INCR k', 'NO SUCH']) {
      await frame.run(session, line);
    }
    const text = String(await frame.run(session, 'info commandstats errorstats stats'));
    expect(text).to.match(/cmdstat_get:calls=2,.*,rejected_calls=1,failed_calls=0\r\n/);
    expect(text).to.match(/cmdstat_incr:calls=1,.*,rejected_calls=0,failed_calls=1\r\n/);
    expect(text).to.contain('errorstat_ERR:count=3\r\n');
    expect(text).to.contain('total_error_replies:3\r\n');
    expect(text).to.contain('keyspace_hits:1\r\nkeyspace_misses:1\r\n');
    expect(text).to.contain('total_commands_processed:5\r\n');
  });

  it('show the rate of the last moments', async () => {
    const frame = new Frame();
    const session = frame.connect();
    for (let at = 0; at < 160; at += 1) frame.now(session, 'PING');
    expect(await frame.run(session, 'info stats')).to.match(/instantaneous_ops_per_sec:101\r/);
    await frame.time.advance(5000);
    expect(await frame.run(session, 'info stats')).to.match(/instantaneous_ops_per_sec:1\r/);
  });

  it('are cleared by CONFIG RESETSTAT', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'GET');
    expect(frame.now(session, 'config resetstat')).to.equal('+OK');
    const text = String(await frame.run(session, 'info commandstats errorstats stats'));
    expect(text).not.to.contain('cmdstat_get');
    expect(text).not.to.contain('errorstat_');
    expect(text).to.contain('total_connections_received:0\r\n');
    expect(frame.resets).to.equal(1);
  });
});
