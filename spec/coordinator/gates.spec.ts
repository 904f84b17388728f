import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { Gate } from '../../lib/coordinator/gate.ts';

describe('gate', () => {
  it('lets an operation begin at once while nobody holds it', () => {
    expect(new Gate().pass(() => 'begun')).to.equal('begun');
  });

  it('begins what waited in its order once the holder is done, and not before', () => {
    const gate = new Gate();
    const begun: string[] = [];
    const body = new Deferred<void>();
    void gate.hold(() => body);
    expect(gate.isOpen).to.equal(false);
    for (const name of ['a', 'b', 'c']) void gate.pass(() => begun.push(name));
    expect(begun).to.deep.equal([]);
    body.settle();
    expect(begun).to.deep.equal(['a', 'b', 'c']);
    expect(gate.isOpen).to.equal(true);
  });

  it('gives a second holder its turn between those who came before and after it', () => {
    const gate = new Gate();
    const begun: string[] = [];
    const [first, second] = [new Deferred<void>(), new Deferred<void>()];
    void gate.hold(() => first);
    void gate.pass(() => begun.push('before'));
    void gate.hold(() => {
      begun.push('second');
      return second;
    });
    void gate.pass(() => begun.push('after'));
    first.settle();
    expect(begun).to.deep.equal(['before', 'second']);
    second.settle();
    expect(begun).to.deep.equal(['before', 'second', 'after']);
  });

  it('opens again when the body fails, and tells the holder alone', async () => {
    const gate = new Gate();
    const failed = gate.hold<void>(() => {
      throw new Error('in the body');
    });
    expect(gate.pass(() => 'begun')).to.equal('begun');
    expect(await failed.then(undefined, String)).to.equal('Error: in the body');
  });
});
