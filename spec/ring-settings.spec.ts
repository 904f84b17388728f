/** R and W as the directives have them, within what the ring has. */
import { expect } from 'chai';
import { Config } from '../lib/config.ts';
import type { RingView } from '../lib/coordinator/ring-view.ts';
import { firstLayout } from '../lib/ring/claim.ts';
import { followSettings, leastW } from '../lib/ring-settings.ts';
import { alike } from './ring/arbitraries.ts';

/** A ring with layouts of so many members each, that reads from the first of them. */
class Shape {
  readonly #listeners: (() => void)[] = [];
  #counts: readonly number[];

  constructor(...counts: readonly number[]) {
    this.#counts = counts;
  }

  become(...counts: readonly number[]): void {
    this.#counts = counts;
    for (const tell of this.#listeners) tell();
  }

  get view(): Pick<RingView, 'n' | 'layouts' | 'onChange'> {
    const layouts = (): ReturnType<typeof firstLayout>[] =>
      this.#counts.map((count) => firstLayout(alike(count), 16, 3));
    return {
      get layouts() {
        return layouts();
      },
      get n() {
        return layouts()[0]?.n ?? 0;
      },
      onChange: (listener) => this.#listeners.push(listener),
    };
  }
}

function configured(...lines: readonly (readonly [string, string])[]): Config {
  const config = new Config();
  for (const [name, value] of lines) config.give(name, [value]);
  return config;
}

describe('the settings of a ring', () => {
  it('cap N by the members, R and W by N', () => {
    const shape = new Shape(1);
    const settings = followSettings(configured(), shape.view);
    expect(settings().quorum(0)).to.deep.equal({ n: 1, r: 1, w: 1 });
    shape.become(2);
    expect(settings().quorum(0)).to.deep.equal({ n: 2, r: 2, w: 2 });
    shape.become(5);
    expect(settings().quorum(0)).to.deep.equal({ n: 3, r: 2, w: 2 });
  });

  it('want W of the larger layout while the ring grows or shrinks, R of the one read from', () => {
    const shape = new Shape(1, 3);
    const settings = followSettings(configured(), shape.view);
    expect(settings().quorum(0)).to.deep.equal({ n: 1, r: 1, w: 2 });
    shape.become(3, 1);
    expect(settings().quorum(0)).to.deep.equal({ n: 3, r: 2, w: 2 });
  });

  it('are those of a database where it has its own', () => {
    const settings = followSettings(configured(['quorum-db', '3 1 3']), new Shape(3).view);
    expect(settings().quorum(3)).to.deep.equal({ n: 3, r: 1, w: 3 });
    expect(settings().quorum(2)).to.deep.equal({ n: 3, r: 2, w: 2 });
  });

  it('are made when something has changed, not with every operation', () => {
    const config = configured();
    const shape = new Shape(3);
    const settings = followSettings(config, shape.view);
    const first = settings();
    expect(settings()).to.equal(first);
    config.set([['request-timeout-ms', '750']]);
    expect(settings().timeoutMs).to.equal(750);
    shape.become(2);
    expect(settings().quorum(0).n).to.equal(2);
  });

  it('know of how many owners each acknowledged write is held, whatever its database', () => {
    expect(leastW(configured())).to.equal(2);
    expect(leastW(configured(['quorum-db', '3 3 1']))).to.equal(1);
    expect(leastW(configured(['quorum', '5 3 4'], ['quorum-db', '1 1 5']))).to.equal(4);
  });
});
