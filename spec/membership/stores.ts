/** Stores over disks that can be crashed and damaged, for specs of what a node remembers. */
import type { System } from '../../lib/runtime/ports.ts';
import { metaKey } from '../../lib/storage/keys.ts';
import { Store } from '../../lib/storage/store.ts';
import { storeOptions } from '../contract/store-contract.ts';
import { SimStorage } from '../sim/sim-storage.ts';
import { silentLog, type VirtualTime } from '../sim/virtual-time.ts';

export class Disk {
  readonly time: VirtualTime;
  readonly storage: SimStorage;
  /** Warnings of all processes. */
  readonly log: string[] = [];
  /** Of the process that runs. */
  store: Store;
  system: System;
  #life = 0;

  constructor(time: VirtualTime, name = 'disk') {
    this.time = time;
    this.storage = new SimStorage(time.timers(), time.stream(name));
    this.system = this.#newSystem();
    this.store = new Store(this.storage, this.system, storeOptions);
  }

  async open(): Promise<void> {
    this.system = this.#newSystem();
    this.store = new Store(this.storage, this.system, storeOptions);
    await this.time.run(this.store.open());
  }

  async restart(kind: 'process' | 'power' = 'power'): Promise<void> {
    this.crash(kind);
    await this.open();
  }

  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.storage.crash(kind);
  }

  flip(name: string): void {
    this.storage.flipBit((key) => key.equals(metaKey(name)));
  }

  drop(name: string): void {
    this.storage.drop((key) => key.equals(metaKey(name)));
  }

  has(name: string): boolean {
    return this.storage.rows.has(metaKey(name).toString('latin1'));
  }

  #newSystem(): System {
    const life = this.#life;
    const warning = (message: string, fields: object = {}): void => {
      this.log.push(`${message} ${JSON.stringify(fields)}`);
    };
    const system = this.time.system(() => life === this.#life);
    return { ...system, log: { ...silentLog, warning } };
  }
}
