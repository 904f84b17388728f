import { expect } from 'chai';
import { VirtualTime } from './virtual-time.ts';

describe('virtual time', () => {
  it('runs events in the order of their instant, and of their making within one', async () => {
    const time = new VirtualTime(1);
    const timers = time.timers();
    const seen: string[] = [];
    timers.after(2, () => seen.push('c'));
    timers.after(1, () => seen.push('a'));
    timers.after(1, () => seen.push('b'));
    timers.after(1, () => seen.push('never')).cancel();
    await time.advance(5);
    expect(seen.join('')).to.equal('abc');
    expect(time.nowMs).to.equal(5);
  });

  it('lets promises run dry before the next event', async () => {
    const time = new VirtualTime(1);
    const timers = time.timers();
    const seen: number[] = [];
    const chain = async (): Promise<void> => {
      for (let step = 0; step < 50; step += 1) await undefined;
      seen.push(1);
    };
    timers.after(1, () => void chain());
    timers.after(1, () => seen.push(2));
    await time.advance(1);
    expect(seen).to.deep.equal([1, 2]);
  });

  it('shuffles what happens at one instant, except the turns of one process', async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const time = new VirtualTime(seed, { shuffled: true });
      const [one, other] = [time.timers(), time.timers()];
      let seen = '';
      for (const name of ['a', 'b', 'c']) one.soon(() => (seen += name));
      for (const name of ['x', 'y', 'z']) other.soon(() => (seen += name));
      await time.advance(0);
      expect(seen.replaceAll(/[xyz]/g, '')).to.equal('abc');
      orders.add(seen);
    }
    expect(orders.size).to.be.greaterThan(5);
  });

  it('gives each name a stream that no other moves', () => {
    const [time, other] = [new VirtualTime(7), new VirtualTime(7)];
    other.stream('network').u48();
    expect(time.stream('disk').u48()).to.equal(other.stream('disk').u48());
    expect(time.stream('disk').u48()).to.not.equal(time.stream('network').u48());
  });

  it('runs no event beyond the span, though a cancelled one lies before its end', async () => {
    const time = new VirtualTime(1);
    let ran = false;
    time
      .timers()
      .after(1, () => undefined)
      .cancel();
    time.timers().after(10, () => {
      ran = true;
    });
    await time.advance(5);
    expect([ran, time.nowMs]).to.deep.equal([false, 5]);
  });

  it('fails when nothing is left to happen and the work has not ended', async () => {
    const never = new Promise(() => undefined);
    const failure = await new VirtualTime(1).run(never).catch((error: unknown) => error);
    expect(String(failure)).to.match(/nothing is left to happen/);
  });
});
