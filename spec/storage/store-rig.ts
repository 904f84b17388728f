/** A simulated disk and the processes that use it one after the other. */

import { type OpenReport, Store, type StoreOptions } from '../../lib/storage/store.ts';
import { keyOf, storeOptions, textOf, Writer } from '../contract/store-contract.ts';
import { SimStorage } from '../sim/sim-storage.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

export class StoreRig {
  readonly time: VirtualTime;
  readonly disk: SimStorage;
  readonly #options: Partial<StoreOptions>;
  #life = 0;
  store: Store;
  writer: Writer;

  constructor(seed: number, options: Partial<StoreOptions> = {}) {
    this.time = new VirtualTime(seed);
    this.disk = new SimStorage(this.time.timers(), this.time.random);
    this.#options = options;
    [this.store, this.writer] = this.#process();
  }

  run<T>(work: PromiseLike<T> | T): Promise<T> {
    return this.time.run(work);
  }

  /** A new process, and what it finds. */
  async start(): Promise<OpenReport> {
    const rows = this.writer.rows;
    [this.store, this.writer] = this.#process(rows);
    return this.run(this.store.open());
  }

  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.disk.crash(kind);
  }

  async sound(): Promise<boolean> {
    return (await this.run(this.store.verified)).sound;
  }

  async read(name: string): Promise<string | undefined> {
    return textOf(await this.run(this.store.get(keyOf(name))));
  }

  #process(rows?: ReadonlyMap<string, Buffer>): [Store, Writer] {
    const life = this.#life;
    const system = this.time.system(() => life === this.#life);
    const store = new Store(this.disk, system, { ...storeOptions, ...this.#options });
    return [store, new Writer(store, system, rows)];
  }
}
