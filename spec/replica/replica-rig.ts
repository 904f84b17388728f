/** What one node stores, over a simulated disk: started, crashed and started again. */
import type { Later } from '../../lib/base/later.ts';
import { putCoveringAll, type Record, siblingKind } from '../../lib/causal/record.ts';
import { StampClock } from '../../lib/causal/stamp-clock.ts';
import { census } from '../../lib/replica/census.ts';
import type { Current } from '../../lib/replica/current.ts';
import { FlushStamps, flushMetaName } from '../../lib/replica/flush-stamps.ts';
import { HintStore } from '../../lib/replica/hint-store.ts';
import { KeyFilter } from '../../lib/replica/key-filter.ts';
import { Locator, type Place } from '../../lib/replica/place.ts';
import { type Decision, Replica } from '../../lib/replica/replica.ts';
import { Scanner } from '../../lib/replica/scanner.ts';
import { SlotCounts } from '../../lib/replica/slot-counts.ts';
import { readMeta } from '../../lib/storage/meta.ts';
import { Store } from '../../lib/storage/store.ts';
import { SimStorage } from '../sim/sim-storage.ts';
import { silentLog, VirtualTime } from '../sim/virtual-time.ts';

const databases = 3;
const locator = new Locator(Buffer.alloc(16, 7));

export function placeOf(name: string, db = 0): Place {
  return locator.locate(db, Buffer.from(name));
}

/** The id of a node, as the target of hints. */
export function nodeId(digit: number): Buffer {
  return Buffer.alloc(20, digit);
}

/** A plain SET. */
export function setting(text: string): (current: Current) => Decision<Record> {
  return (current) => {
    const dot = current.issue(current.vv);
    const bytes = Buffer.from(text);
    const sibling = { dot, order: dot.stamp, kind: siblingKind.value, expireAtMs: 0, bytes };
    const record = putCoveringAll(current, sibling);
    return { record, result: record };
  };
}

export class ReplicaRig {
  readonly time: VirtualTime;
  readonly disk: SimStorage;
  quotaBytes = Number.POSITIVE_INFINITY;
  /** What was logged for people to see: the message and its fields. */
  readonly warnings: (readonly [string, object | undefined])[] = [];
  #life = 0;
  #parts: {
    readonly store: Store;
    readonly clock: StampClock;
    readonly replica: Replica;
    readonly hints: HintStore;
    readonly scanner: Scanner;
    readonly slotCounts: SlotCounts;
  };

  private constructor(time: VirtualTime) {
    this.time = time;
    this.disk = new SimStorage(this.time.timers(), this.time.random);
    this.#parts = this.#process();
  }

  /** `time`: shared with other nodes. */
  static async started(seed: number, time = new VirtualTime(seed)): Promise<ReplicaRig> {
    const rig = new ReplicaRig(time);
    await rig.#open();
    return rig;
  }

  get store(): Store {
    return this.#parts.store;
  }

  get clock(): StampClock {
    return this.#parts.clock;
  }

  get replica(): Replica {
    return this.#parts.replica;
  }

  get hints(): HintStore {
    return this.#parts.hints;
  }

  get scanner(): Scanner {
    return this.#parts.scanner;
  }

  get slotCounts(): SlotCounts {
    return this.#parts.slotCounts;
  }

  get tallies(): readonly number[] {
    const { pending, loadBearing, bytes } = this.hints;
    return [pending, loadBearing, bytes];
  }

  run<T>(work: Later<T>): Promise<T> {
    return this.time.run(work);
  }

  async crash(kind: 'process' | 'power' = 'process'): Promise<void> {
    this.#life += 1;
    this.disk.crash(kind);
    this.#parts = this.#process();
    await this.#open();
  }

  /** Until the storage takes writes again. */
  async awaitFenceLifted(): Promise<void> {
    while (this.store.state === 'fenced') await this.time.advance(100);
  }

  async end(): Promise<void> {
    await this.run(this.store.close());
  }

  #process() {
    const life = this.#life;
    const warning = (message: string, fields?: object): number =>
      this.warnings.push([message, fields]);
    const log = { ...silentLog, warning };
    const system = { ...this.time.system(() => life === this.#life), log };
    const clock = new StampClock(0);
    const filter = new KeyFilter();
    const slotCounts = new SlotCounts();
    const store: Store = new Store(this.disk, system, {
      appendfsync: 'always',
      ballastBytes: 1000,
      lastStamp: () => clock.last,
      census: (snapshot) => census(snapshot, filter, slotCounts),
      onFence: () => replica.takeBack(),
      onReopened: () => replica.reopened(),
    });
    const replica = new Replica(store, system, clock, {
      databases,
      cacheBytes: 2 ** 20,
      filter,
      slotCounts,
    });
    const hintQuotaBytes = (): number => this.quotaBytes;
    const hints = new HintStore(replica, store, system, { hintQuotaBytes });
    const scanner = new Scanner(replica, store, system);
    store.verified.listen(
      ({ sound }) => {
        if (sound) filter.markComplete();
      },
      () => {},
    );
    return { store, clock, replica, hints, scanner, slotCounts };
  }

  async #open(): Promise<void> {
    const { store, clock, replica, hints } = this.#parts;
    const { ceiling } = await this.run(store.open());
    clock.lift(ceiling);
    const bytes = await this.run(readMeta(store, flushMetaName));
    replica.restoreFlushed(bytes ? FlushStamps.decode(bytes) : FlushStamps.none(databases));
    hints.start();
  }
}
