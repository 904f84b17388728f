import { expect } from 'chai';
import { Frame } from '../support/fake-ports.ts';

describe('CLIENT', () => {
  it('keeps the name of a connection, and takes an empty one away', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'client getname')).to.equal(null);
    expect(frame.now(session, 'client setname me')).to.equal('+OK');
    expect(frame.now(session, 'client getname')).to.equal('me');
    expect(frame.now(session, 'client', 'setname', '')).to.equal('+OK');
    expect(frame.now(session, 'client getname')).to.equal(null);
  });

  it('refuses names with spaces or beyond ASCII', () => {
    const frame = new Frame();
    const session = frame.connect();
    for (const name of ['a b', 'a\n', 'é']) {
      expect(frame.now(session, 'client', 'setname', name)).to.equal(
        '-ERR Client names cannot contain spaces, newlines or special characters.',
      );
    }
  });

  it('takes the name and version of a library', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'client setinfo LIB-NAME ioredis')).to.equal('+OK');
    expect(frame.now(session, 'client setinfo lib-ver 6.0.0')).to.equal('+OK');
    expect(frame.now(session, 'client info')).to.match(/ lib-name=ioredis lib-ver=6.0.0\n$/);
    expect(frame.now(session, 'client setinfo other x')).to.equal(
      "-ERR Unrecognized option 'other'",
    );
    expect(frame.now(session, 'client', 'setinfo', 'lib-name', 'a b')).to.equal(
      '-ERR lib-name cannot contain spaces, newlines or special characters.',
    );
  });

  it('shows a connection with every name of Redis in its order', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'select 2');
    await frame.time.advance(3500);
    const names =
      'id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem ' +
      'multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver';
    const text = String(frame.now(session, 'client info'));
    const fields = text.trim().split(' ');
    expect(fields.map((field) => field.split('=')[0]).join(' ')).to.equal(names);
    expect(text).to.match(
      /^id=1 addr=127.0.0.1:50001 laddr=127.0.0.1:6379 fd=8 name= age=3 idle=0 /,
    );
    expect(text).to.match(
      / flags=N db=2 .* multi=-1 .* cmd=client\|info user=default redir=-1 resp=2/,
    );
  });

  it('lists all, by type, or by id', () => {
    const frame = new Frame();
    const [session] = [frame.connect(), frame.connect(), frame.connect()];
    const ids = (line: string): string[] =>
      [...String(frame.now(session, line)).matchAll(/^id=(\d+)/gm)].map(([, id]) => id ?? '');
    expect(ids('client list')).to.deep.equal(['1', '2', '3']);
    expect(ids('client list type NORMAL')).to.deep.equal(['1', '2', '3']);
    expect(ids('client list type pubsub')).to.deep.equal([]);
    expect(ids('client list id 3 99 1')).to.deep.equal(['3', '1']);
  });

  const refusals = [
    ['client list foo', '-ERR syntax error'],
    ['client list id', '-ERR syntax error'],
    ['client list id x', '-ERR Invalid client ID'],
    ['client list type foo', "-ERR Unknown client type 'foo'"],
    ['client kill id 0', '-ERR client-id should be greater than 0'],
    ['client kill id 1 skipme', '-ERR syntax error'],
    ['client kill foo 1', '-ERR syntax error'],
    ['client kill constructor 1', '-ERR syntax error'],
    ['client kill type foo', "-ERR Unknown client type 'foo'"],
    ['client kill user foo', "-ERR No such user 'foo'"],
    ['client kill skipme maybe', '-ERR syntax error'],
    ['client kill 10.0.0.1:1', '-ERR No such client'],
    ['client no-evict x', '-ERR syntax error'],
    ['client unblock x', '-ERR value is not an integer or out of range'],
    ['client unblock 1 x', '-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR'],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}' as Redis does`, () => {
      const frame = new Frame();
      expect(frame.now(frame.connect(), line)).to.equal(text);
    });
  }

  it('KILL by address ends another connection at once, its own after the reply', () => {
    const frame = new Frame();
    const [session] = [frame.connect(), frame.connect()];
    expect(frame.now(session, 'client kill 127.0.0.1:50002')).to.equal('+OK');
    expect(frame.clients[1]?.killed).to.equal('now');
    expect(frame.now(session, 'client kill 127.0.0.1:50001')).to.equal('+OK');
    expect([frame.clients[0]?.killed, session.closing]).to.deep.equal([undefined, true]);
  });

  const kills = [
    ['client kill id 2', 1],
    ['client kill id 1', 0],
    ['client kill id 1 skipme no', 1],
    ['client kill addr 127.0.0.1:50003', 1],
    ['client kill laddr 127.0.0.1:6379', 2],
    ['client kill laddr 127.0.0.1:6379 id 3', 1],
    ['client kill type normal skipme no', 3],
    ['client kill type pubsub', 0],
    ['client kill user default', 2],
    ['client kill skipme yes', 2],
  ] as const;
  for (const [line, count] of kills) {
    it(`counts ${count} for '${line}'`, () => {
      const frame = new Frame();
      const [session] = [frame.connect(), frame.connect(), frame.connect()];
      expect(frame.now(session, line)).to.equal(count);
      const ended = frame.clients.filter(({ killed, session: own }) => killed || own.closing);
      expect(ended.length).to.equal(count);
    });
  }

  it('answers what a client asks of features that are not here', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'client getredir')).to.equal(-1);
    expect(frame.now(session, 'client trackinginfo')).to.deep.equal({
      flags: ['off'],
      redirect: -1,
      prefixes: [],
    });
    expect(frame.now(session, 'client unblock 1 timeout')).to.equal(0);
    expect(frame.now(session, 'client no-evict on')).to.equal('+OK');
    expect(frame.now(session, 'client no-touch on')).to.equal('+OK');
    expect(frame.now(session, 'client info')).to.match(/ flags=eT /);
    expect(frame.now(session, 'client maint_notifications on')).to.match(
      /^-ERR unknown subcommand/,
    );
  });

  it('HELP lists the subcommands of the table', () => {
    const frame = new Frame();
    const lines = frame.now(frame.connect(), 'client help');
    expect(lines).to.be.an('array').that.includes('+REPLY <ON | OFF | SKIP>');
    expect(lines).to.include('+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:');
  });
});
