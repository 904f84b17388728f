import { expect } from 'chai';
import fc from 'fast-check';
import { realSystem } from '../../lib/runtime/system.ts';
import { iterationMs } from '../../lib/server/limits.ts';
import { Turns, type TurnTaker } from '../../lib/server/turns.ts';
import { silentLog } from './fake-dispatch.ts';

/** Three of these use an iteration up. */
const turnMs = iterationMs * 0.4;
const roundingMs = 1e-9;

/** Event loop and clock by hand: `iterate` ends an iteration. */
class Loop {
  nowMs = 0;
  readonly took: string[] = [];
  readonly turns: Turns;
  #soon: (() => void)[] = [];

  constructor() {
    const real = realSystem(silentLog([]));
    this.turns = new Turns({
      ...real,
      clock: { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      timers: { ...real.timers, soon: (run) => void this.#soon.push(run) },
    });
  }

  /** Takes so long, and asks again so many times. */
  taker(name: string, ms: number, again = 0): TurnTaker {
    let left = again;
    const taker = {
      takeTurn: () => {
        this.took.push(name);
        this.nowMs += ms;
        if (left === 0) return;
        left -= 1;
        this.turns.askAgain(taker);
      },
    };
    return taker;
  }

  ask(...names: readonly string[]): void {
    for (const name of names) this.turns.ask(this.taker(name, turnMs));
  }

  /** Who had a turn since the last call. */
  tell(): string {
    return this.took.splice(0).join(' ');
  }

  get isIdle(): boolean {
    return this.#soon.length === 0;
  }

  iterate(): string {
    for (const run of this.#soon.splice(0)) run();
    return this.tell();
  }
}

describe('turns', () => {
  it('are given at once while the iteration has time left, then in later iterations', () => {
    const loop = new Loop();
    loop.ask('a', 'b', 'c', 'd', 'e', 'f', 'g');
    expect(loop.tell()).to.equal('a b c');
    expect(loop.iterate()).to.equal('d e f');
    expect(loop.iterate()).to.equal('g');
    expect(loop.isIdle).to.equal(true);
  });

  it('are given behind those who wait, though there would be time', () => {
    const loop = new Loop();
    loop.ask('a', 'b', 'c', 'd', 'e', 'f', 'g');
    loop.iterate();
    loop.ask('late');
    expect(loop.tell()).to.equal('');
    expect(loop.iterate()).to.equal('g late');
  });

  it('count what the queue took against those who come before the next look at it', () => {
    const loop = new Loop();
    loop.ask('a', 'b', 'c', 'd', 'e', 'f');
    expect(loop.tell()).to.equal('a b c');
    expect(loop.iterate()).to.equal('d e f');
    loop.ask('g');
    expect(loop.tell()).to.equal('');
    expect(loop.iterate()).to.equal('g');
    loop.ask('h');
    expect(loop.tell()).to.equal('h');
  });

  it('come again in a later iteration for whom has more to do, the others between', () => {
    const loop = new Loop();
    loop.turns.ask(loop.taker('long', 0, 3));
    loop.turns.ask(loop.taker('short', 0));
    expect(loop.tell()).to.equal('long');
    expect(loop.iterate()).to.equal('long short');
    expect(loop.iterate()).to.equal('long');
    expect(loop.iterate()).to.equal('long');
    expect(loop.isIdle).to.equal(true);
  });

  it('are given to everyone, in order, and no iteration takes more than its time and one turn', () => {
    const duration = fc.double({ min: 0, max: turnMs, noNaN: true });
    const rounds = fc.array(fc.array(duration, { maxLength: 30 }), { maxLength: 10 });
    fc.assert(
      fc.property(rounds, (asked) => {
        const loop = new Loop();
        const names: string[] = [];
        const took: string[] = [];
        const round = (turns: readonly number[]) => {
          const beganAtMs = loop.nowMs;
          took.push(loop.iterate());
          for (const ms of turns) {
            names.push(`${names.length}`);
            loop.turns.ask(loop.taker(`${names.length - 1}`, ms));
          }
          took.push(loop.tell());
          expect(loop.nowMs - beganAtMs).to.be.at.most(iterationMs + turnMs + roundingMs);
        };
        for (const turns of asked) round(turns);
        while (!loop.isIdle) round([]);
        expect(took.filter((text) => text !== '').join(' ')).to.equal(names.join(' '));
      }),
    );
  });
});
