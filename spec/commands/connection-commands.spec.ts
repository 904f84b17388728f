import { expect } from 'chai';
import { Frame } from '../support/fake-ports.ts';

describe('HELLO', () => {
  it('introduces the node and switches the protocol', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'hello 3 setname me')).to.deep.equal({
      server: 'redis',
      version: '7.0.15',
      proto: 3,
      id: 1,
      mode: 'standalone',
      role: 'master',
      modules: [],
    });
    expect([session.protocol, session.name]).to.deep.equal([3, 'me']);
    expect(frame.now(session, 'hello')).to.include({ proto: 3 });
    expect(frame.now(session, 'hello 2')).to.include({ proto: 2 });
  });

  const refusals = [
    ['hello 4', '-NOPROTO unsupported protocol version'],
    ['hello 1', '-NOPROTO unsupported protocol version'],
    ['hello x', '-ERR Protocol version is not an integer or out of range'],
    ['hello 3 foo', "-ERR Syntax error in HELLO option 'foo'"],
    ['hello 3 auth a', "-ERR Syntax error in HELLO option 'auth'"],
    ['hello 3 SETNAME', "-ERR Syntax error in HELLO option 'SETNAME'"],
    ['hello 3 auth other x', '-WRONGPASS invalid username-password pair or user is disabled.'],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}' and changes nothing`, () => {
      const frame = new Frame();
      const session = frame.connect();
      expect(frame.now(session, line)).to.equal(text);
      expect(session.protocol).to.equal(2);
    });
  }

  it('needs AUTH where there is a password, and takes it in one go', () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    expect(frame.now(session, 'hello 3')).to.match(/^-NOAUTH HELLO must be called with the client/);
    expect(frame.now(session, 'hello 3 auth default wrong')).to.match(/^-WRONGPASS/);
    expect(session.protocol).to.equal(2);
    expect(frame.now(session, 'hello 3 auth default secret setname me')).to.include({ proto: 3 });
    expect(session.authenticated).to.equal(true);
  });

  it('refuses a name with a space before it lets anybody in', () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    const reply = frame.now(session, 'hello', '3', 'auth', 'default', 'secret', 'setname', 'a b');
    expect(reply).to.match(/^-ERR Client names cannot contain spaces/);
    expect(session.authenticated).to.equal(false);
  });
});

describe('AUTH', () => {
  it('lets in by password alone or with the user default', () => {
    for (const line of ['auth secret', 'auth default secret']) {
      const frame = new Frame({ password: 'secret' });
      const session = frame.connect();
      expect(frame.now(session, line)).to.equal('+OK');
      expect(session.authenticated).to.equal(true);
    }
  });

  it('refuses a wrong password, another user, and forgets nobody for it', () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    for (const line of ['auth wrong', 'auth other secret', 'auth default secret2']) {
      expect(frame.now(session, line)).to.equal(
        '-WRONGPASS invalid username-password pair or user is disabled.',
      );
    }
    expect(session.authenticated).to.equal(false);
    frame.now(session, 'auth secret');
    frame.now(session, 'auth wrong');
    expect(session.authenticated).to.equal(true);
  });

  it('says when there is no password to give', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'auth x')).to.match(/^-ERR AUTH <password> called without any/);
    expect(frame.now(session, 'auth default anything')).to.equal('+OK');
    expect(frame.now(session, 'auth a b c')).to.equal('-ERR syntax error');
  });
});

describe('connection commands', () => {
  it('PING and ECHO give back what they got', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'ping hi')).to.equal('hi');
    expect(frame.now(session, 'echo hi')).to.equal('hi');
    expect(frame.now(session, 'ping a b')).to.equal(
      "-ERR wrong number of arguments for 'ping' command",
    );
  });

  it('QUIT answers and closes, with or without AUTH', () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    expect(frame.now(session, 'quit')).to.equal('+OK');
    expect(session.closing).to.equal(true);
  });

  it('SELECT takes the databases there are', () => {
    const frame = new Frame();
    const session = frame.connect();
    expect(frame.now(session, 'select 15')).to.equal('+OK');
    expect(session.db).to.equal(15);
    expect(frame.now(session, 'select 16')).to.equal('-ERR DB index is out of range');
    expect(frame.now(session, 'select x')).to.equal('-ERR value is not an integer or out of range');
    expect(session.db).to.equal(15);
  });

  it('RESET makes the connection new, and asks for the password again', async () => {
    const frame = new Frame({ password: 'secret' });
    const session = frame.connect();
    const lines = ['hello 3 auth default secret setname me', 'select 3', 'watch k', 'multi'];
    for (const line of lines) await frame.run(session, line);
    expect(frame.now(session, 'reset')).to.equal('+RESET');
    const { protocol, name, db, queue, watched, authenticated } = session;
    expect({ protocol, name, db, queue, authenticated }).to.deep.equal({
      protocol: 2,
      name: '',
      db: 0,
      queue: undefined,
      authenticated: false,
    });
    expect(watched.size).to.equal(0);
  });

  it('RESET answers after CLIENT REPLY OFF', () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.now(session, 'client reply off');
    expect(frame.now(session, 'reset')).to.equal('+RESET');
  });
});
