import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { Gates } from '../../lib/coordinator/gates.ts';

describe('gates', () => {
  it('let an operation begin at once while nobody holds its slot', async () => {
    const gates = new Gates();
    expect(gates.pass(1, () => 'begun')).to.equal('begun');
    const body = new Deferred<void>();
    const held = gates.hold([2], () => body);
    expect(gates.areOpen).to.equal(false);
    expect(gates.pass(1, () => 'begun')).to.equal('begun');
    body.settle();
    await held;
    expect(gates.areOpen).to.equal(true);
  });

  it('begin what waited in its order once the holder is done, and not before', async () => {
    const gates = new Gates();
    const begun: string[] = [];
    const body = new Deferred<void>();
    const held = gates.hold([7], () => body);
    for (const name of ['a', 'b', 'c']) void gates.pass(7, () => begun.push(name));
    expect(begun).to.deep.equal([]);
    body.settle();
    await held;
    expect(begun).to.deep.equal(['a', 'b', 'c']);
  });

  it('give a second holder its turn between those who came before and after it', async () => {
    const gates = new Gates();
    const begun: string[] = [];
    const [first, second] = [new Deferred<void>(), new Deferred<void>()];
    const firstHeld = gates.hold([7], () => first);
    void gates.pass(7, () => begun.push('before'));
    const started = new Deferred<void>();
    const secondHeld = gates.hold([7], () => {
      begun.push('second');
      started.settle();
      return second;
    });
    void gates.pass(7, () => begun.push('after'));
    first.settle();
    await firstHeld;
    await started;
    expect(begun).to.deep.equal(['before', 'second']);
    second.settle();
    await secondHeld;
    expect(begun).to.deep.equal(['before', 'second', 'after']);
  });

  it('never let two holders of the same slots wait for each other', async () => {
    const gates = new Gates();
    const order: string[] = [];
    const both = [
      gates.hold([3, 1, 2], () => order.push('first')),
      gates.hold([2, 3, 1, 1], () => order.push('second')),
    ];
    await Promise.all(both);
    expect(order).to.deep.equal(['first', 'second']);
    expect(gates.areOpen).to.equal(true);
  });

  it('let an operation on everything pass once those held now have been free', async () => {
    const gates = new Gates();
    const body = new Deferred<void>();
    void gates.hold([1, 2], () => body);
    let begun = false;
    const passed = gates.passAll(() => {
      begun = true;
    });
    expect(begun).to.equal(false);
    body.settle();
    await passed;
    expect(begun).to.equal(true);
  });

  it('open again when the body fails, and tell the holder alone', async () => {
    const gates = new Gates();
    const failed = gates.hold<void>([1], () => {
      throw new Error('in the body');
    });
    expect(await failed.then(undefined, String)).to.equal('Error: in the body');
    expect(gates.pass(1, () => 'begun')).to.equal('begun');
  });
});
