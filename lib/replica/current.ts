/**
 * What a decision about a key may look at, decoded as far as it looks: a plain SET needs to know
 * what the record has seen, not the values it replaces.
 */
import {
  type Dot,
  emptyRecord,
  type Record,
  type Stamp,
  type VersionVector,
} from '../causal/record.ts';
import { decodeVersionVector } from '../causal/record-codec.ts';
import type { StampClock } from '../causal/stamp-clock.ts';
import { nothingSeen } from '../causal/version-vector.ts';
import { withoutFlushed } from '../causal/visible.ts';
import { bodyEnd, bodyStart } from '../storage/row.ts';
import { type ActorRule, type Mine, nobody } from './actor-rule.ts';
import { readMine, readRecord, recordStart } from './stored-record.ts';

/** What a decision may look at. Values of `record` are views of this turn. */
export interface Current {
  readonly nowMs: number;
  /** What the record has seen. */
  readonly vv: VersionVector;
  /** Flushed siblings taken out; the empty record if there is none. */
  readonly record: Record;
  /** Names the write being decided, which has seen `context`; at most once per decision. */
  issue(context: VersionVector): Dot;
}

/** Who gives out the two halves of a dot. */
export interface Issuers {
  readonly actors: ActorRule;
  readonly clock: StampClock;
}

export class CurrentRow implements Current {
  readonly nowMs: number;
  readonly #row: Buffer | undefined;
  readonly #flushStamp: Stamp;
  readonly #issuers: Issuers;
  #vv: VersionVector | undefined;
  #record: Record | undefined;
  #mine: Mine | undefined;

  /** `row` is a sealed row, a view of this turn; undefined = nothing is stored. */
  constructor(row: Buffer | undefined, flushStamp: Stamp, nowMs: number, issuers: Issuers) {
    this.nowMs = nowMs;
    this.#row = row;
    this.#flushStamp = flushStamp;
    this.#issuers = issuers;
  }

  get vv(): VersionVector {
    this.#vv ??= this.#record?.vv ?? this.#readVersionVector();
    return this.#vv;
  }

  get record(): Record {
    this.#record ??= this.#readRecord();
    return this.#record;
  }

  /** What this node writes the key under, as of the dot that was issued. */
  get mine(): Mine {
    this.#mine ??= this.#row === undefined ? nobody : readMine(this.#row, bodyStart);
    return this.#mine;
  }

  issue(context: VersionVector): Dot {
    const { actors, clock } = this.#issuers;
    const stamp = clock.tick(this.nowMs);
    const choice = actors.choose(this.mine, this, context, stamp);
    this.#mine = choice.mine;
    return { actor: choice.actor, stamp };
  }

  #readVersionVector(): VersionVector {
    const row = this.#row;
    return row === undefined ? nothingSeen : decodeVersionVector(row, recordStart(row, bodyStart));
  }

  #readRecord(): Record {
    const row = this.#row;
    if (row === undefined) return emptyRecord;
    const record = readRecord(row, bodyStart, bodyEnd(row));
    const shown = withoutFlushed(record, this.#flushStamp);
    // One object for what has been seen, so that it can be compared by identity.
    return this.#vv === undefined ? shown : { vv: this.#vv, siblings: shown.siblings };
  }
}
