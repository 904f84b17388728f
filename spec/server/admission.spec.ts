import { expect } from 'chai';
import { Config } from '../../lib/config.ts';
import { isLoopback, protectedMode, refusal, tooManyClients } from '../../lib/server/admission.ts';

describe('admission', () => {
  it('refuses strangers from elsewhere while there is no password', () => {
    expect(refusal(new Config(), 0, '192.0.2.1')).to.equal(protectedMode);
    expect(refusal(new Config(), 0, '2001:db8::1')).to.equal(protectedMode);
    expect(refusal(new Config(), 0, '127.0.0.1')).to.equal(undefined);
  });

  it('lets anybody try who must know a password, or where the operator wants it so', () => {
    const locked = new Config();
    locked.set([['requirepass', 'secret']]);
    expect(refusal(locked, 0, '192.0.2.1')).to.equal(undefined);
    const open = new Config();
    open.set([['protected-mode', 'no']]);
    expect(refusal(open, 0, '192.0.2.1')).to.equal(undefined);
  });

  it('refuses the client beyond maxclients', () => {
    const settings = new Config();
    settings.set([['maxclients', '2']]);
    expect(refusal(settings, 1, '127.0.0.1')).to.equal(undefined);
    expect(refusal(settings, 2, '127.0.0.1')).to.equal(tooManyClients);
  });

  it('knows the loopback addresses, and takes what it does not know for foreign', () => {
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
      expect(isLoopback(address), address).to.equal(true);
    }
    for (const address of ['10.0.0.1', '::', '127.evil.example', '::ffff:10.0.0.1', '']) {
      expect(isLoopback(address), address).to.equal(false);
    }
  });
});
