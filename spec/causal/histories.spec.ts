/**
 * The algebra against an oracle that keeps full causal histories as explicit sets of writes: what a
 * replica has seen is a set, a write names the set it supersedes, and a value is live where no write
 * that was seen names it. Vectors, dots and stamps have no part in the oracle.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  emptyRecord,
  merge,
  put,
  putCoveringAll,
  type Record,
  remove,
  replace,
  type Sibling,
  siblingKind,
  type VersionVector,
} from '../../lib/causal/record.ts';
import { decodeRecord, recordBytes, writeRecord } from '../../lib/causal/record-codec.ts';
import { StampClock } from '../../lib/causal/stamp-clock.ts';
import { compareVersions, covered, join, nothingSeen } from '../../lib/causal/version-vector.ts';

type Seen = ReadonlySet<number>;

interface Write {
  readonly sibling: Sibling;
  readonly supersedes: Seen;
}

/** The same knowledge twice: as the product keeps it, and spelled out. */
interface Known {
  readonly record: Record;
  readonly seen: Seen;
  /** Every delete that was seen: the sets they took away. */
  readonly deletes: readonly Seen[];
}

interface Context {
  readonly vv: VersionVector;
  readonly seen: Seen;
}

interface Replica {
  actor: number;
  readonly clock: StampClock;
  known: Known;
}

const nobody: Known = { record: emptyRecord, seen: new Set(), deletes: [] };
const nothing: Context = { vv: nothingSeen, seen: new Set() };

const union = (...sets: readonly Seen[]): Seen => new Set(sets.flatMap((set) => [...set]));
const isIn = (a: Seen, b: Seen) => [...a].every((id) => b.has(id));

class World {
  readonly #replicas: Replica[];
  readonly #writes: Write[] = [];
  readonly #sent: Known[] = [];
  readonly #contexts: Context[] = [nothing];
  #nextActor: number;

  constructor(replicas: number) {
    this.#replicas = Array.from({ length: replicas }, (_, actor) => ({
      actor,
      clock: new StampClock(0),
      known: nobody,
    }));
    this.#nextActor = replicas;
  }

  /** One step of the history; the numbers choose who, what and with which old message or context. */
  step([action, who, which, wallMs]: readonly [number, number, number, number]): void {
    const replica = pick(this.#replicas, who);
    const context = pick(this.#contexts, which);
    const { record, seen, deletes } = replica.known;
    switch (action) {
      case 0: // A message of any age arrives, through the codec.
        if (this.#sent.length > 0) this.#receive(replica, pick(this.#sent, which), wallMs);
        break;
      case 1: // Somebody reads, and keeps the context.
        this.#contexts.push({ vv: record.vv, seen });
        break;
      case 2: // Two contexts become one.
        this.#contexts.push({
          vv: join(context.vv, record.vv),
          seen: union(context.seen, seen),
        });
        break;
      case 3: {
        const sibling = this.#write(replica, context.seen, wallMs);
        const more = [context.seen, this.#itself(sibling)];
        this.#learn(replica, put(record, context.vv, sibling), more, deletes);
        break;
      }
      case 4: {
        const sibling = this.#write(replica, seen, wallMs);
        this.#learn(replica, putCoveringAll(record, sibling), [this.#itself(sibling)], deletes);
        break;
      }
      case 5: // A delete that has seen the context.
        this.#learn(
          replica,
          remove(record, context.vv),
          [context.seen],
          [...deletes, context.seen],
        );
        break;
      case 6: {
        // As EXPIRE: one sibling makes room for another.
        const old = record.siblings[which % Math.max(1, record.siblings.length)];
        if (old === undefined) break;
        const sibling = this.#write(replica, this.#itself(old), wallMs);
        const replaced = replace(record, old.dot, sibling);
        this.#learn(replica, replaced, [this.#itself(sibling)], deletes);
        break;
      }
      default: // A new epoch: the node goes on under a new actor.
        replica.actor = this.#nextActor;
        this.#nextActor += 1;
    }
    this.#sent.push(replica.known);
    this.#check(replica.known);
  }

  /** Everybody hears of everything, each in another order. */
  settle(): void {
    this.#replicas.forEach((replica, index) => {
      const turned = [...this.#sent.slice(index * 3), ...this.#sent.slice(0, index * 3)];
      for (const known of index % 2 === 0 ? turned : turned.reverse()) {
        this.#receive(replica, known, 0);
      }
      this.#check(replica.known);
      const first = pick(this.#replicas, 0).known.record;
      expect(encoded(replica.known.record)).to.deep.equal(encoded(first));
    });
  }

  #receive(replica: Replica, sent: Known, wallMs: number): void {
    const mine = replica.known;
    const bytes = encoded(sent.record);
    const record = decodeRecord(bytes, 0, bytes.length);
    for (const { stamp } of record.vv) replica.clock.observe(stamp, wallMs);
    replica.known = {
      record: merge(mine.record, record),
      seen: union(mine.seen, sent.seen),
      deletes: [...new Set([...mine.deletes, ...sent.deletes])],
    };
  }

  #write(replica: Replica, supersedes: Seen, wallMs: number): Sibling {
    const dot = { actor: replica.actor, stamp: replica.clock.tick(wallMs) };
    const bytes = Buffer.from(`${this.#writes.length}`);
    const kind = wallMs % 5 === 0 ? siblingKind.tombstone : siblingKind.value;
    const sibling = { dot, order: dot.stamp, kind, expireAtMs: 0, bytes };
    this.#writes.push({ sibling, supersedes });
    return sibling;
  }

  #learn(replica: Replica, record: Record, more: readonly Seen[], deletes: readonly Seen[]): void {
    replica.known = { record, seen: union(replica.known.seen, ...more), deletes };
  }

  #itself(sibling: Sibling): Seen {
    return new Set([this.#idOf(sibling)]);
  }

  #idOf(sibling: Sibling): number {
    return Number(sibling.bytes.toString());
  }

  #check({ record, seen, deletes }: Known): void {
    const gone = union(...[...seen].map((id) => pick(this.#writes, id).supersedes), ...deletes);
    const live = [...seen].filter((id) => !gone.has(id));
    expect(record.siblings.map((sibling) => this.#idOf(sibling))).to.have.members(live);
    this.#writes.forEach(({ sibling }, id) => {
      expect(covered(record.vv, sibling.dot)).to.equal(seen.has(id));
    });
    for (const context of this.#contexts.slice(-3)) {
      const [inC, inMine] = [isIn(seen, context.seen), isIn(context.seen, seen)];
      const expected = inC ? (inMine ? 'equal' : 'before') : inMine ? 'after' : 'concurrent';
      expect(compareVersions(record.vv, context.vv)).to.equal(expected);
    }
  }
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function encoded(record: Record): Buffer {
  const bytes = Buffer.alloc(recordBytes(record));
  expect(writeRecord(bytes, 0, record)).to.equal(bytes.length);
  return bytes;
}

describe('record histories', () => {
  it('supersede nothing falsely and leave nothing falsely concurrent, in any history', () => {
    const instant = fc.nat({ max: 3000 }).map((ms) => 1_800_000_000_000 + ms);
    const step = fc.tuple(fc.nat({ max: 7 }), fc.nat(), fc.nat(), instant);
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
        (replicas, steps) => {
          const world = new World(replicas);
          for (const each of steps) world.step(each);
          world.settle();
        },
      ),
      { numRuns: 600 },
    );
  });

  it('converge for 500 actors on one key, in whatever order they are merged', () => {
    const dotOf = (index: number) => ({ actor: (index * 7919) % 500, stamp: index + 1 });
    const records = Array.from({ length: 500 }, (_, index) => {
      const dot = dotOf(index);
      const sibling = { dot, order: dot.stamp, kind: siblingKind.value, expireAtMs: 0 };
      const written = putCoveringAll(emptyRecord, { ...sibling, bytes: Buffer.from(`${index}`) });
      // A third of the actors have seen a neighbour's write and superseded it.
      return index % 3 === 0 ? remove(written, [dotOf((index * 31 + 1) % 500)]) : written;
    });
    const all = encoded(records.reduce(merge));
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: 500 }), fc.nat(), (order, seed) => {
        const heap = [...order];
        for (let turn = seed; heap.length > 1; turn += 7919) {
          const [a] = heap.splice(turn % heap.length, 1);
          const [b] = heap.splice((turn * 31) % heap.length, 1);
          if (a !== undefined && b !== undefined) heap.push(merge(a, b));
        }
        expect(encoded(heap[0] ?? emptyRecord).equals(all)).to.equal(true);
      }),
      { numRuns: 20 },
    );
  });

  it('keep 100 blind writes as 100 siblings, until one that has seen them all', () => {
    const clock = new StampClock(0);
    let record = emptyRecord;
    const write = (context: VersionVector) => {
      const dot = { actor: 7, stamp: clock.tick(1_800_000_000_000) };
      const sibling = { dot, order: dot.stamp, kind: siblingKind.value, expireAtMs: 0 };
      record = put(record, context, { ...sibling, bytes: Buffer.from('x') });
    };
    for (let count = 0; count < 100; count += 1) write(nothingSeen);
    expect(record.siblings).to.have.length(100);
    write(record.vv);
    expect(record.siblings).to.have.length(1);
  });
});
