/** What every operation over the ring works with, made once in `node.ts`. */
import type { Later } from '../base/later.ts';
import type { Stamp } from '../causal/record.ts';
import type { HintStore } from '../replica/hint-store.ts';
import type { Locator } from '../replica/place.ts';
import type { Replica } from '../replica/replica.ts';
import type { Scanner } from '../replica/scanner.ts';
import type { System } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import type { Transport } from '../transport/transport.ts';
import type { DelayLine } from './delay-line.ts';
import type { OperationCounts } from './operation-counts.ts';
import type { RingView } from './ring-view.ts';
import type { Throttle } from './throttle.ts';
import type { UpdateLimits } from './update-core.ts';

export interface Quorum {
  readonly n: number;
  readonly r: number;
  readonly w: number;
}

export interface RingSettings {
  /** `request-timeout-ms`: from the arrival of a request to its answer. */
  readonly timeoutMs: number;
  /** `quorum-strict`: hints don't count. */
  readonly strict: boolean;
  readonly limits: UpdateLimits;
  quorum(db: number): Quorum;
}

export interface Parts {
  readonly system: System;
  readonly store: Store;
  readonly transport: Transport;
  readonly ring: RingView;
  readonly replica: Replica;
  readonly hints: HintStore;
  readonly scanner: Scanner;
  readonly locator: Locator;
  readonly counts: OperationCounts;
  /** Keyed by the ring key. */
  readonly digest: (bytes: Buffer) => Buffer;
  /** The highest stamp that this node knows. */
  readonly clock: () => Stamp;
  /** Learns the layouts of a member that goes by a newer one. */
  readonly catchUp: (member: number) => Later<void>;
  /** In force now. */
  readonly settings: () => RingSettings;
  /** Operations of this node's clients. */
  readonly throttle: Throttle;
  /** After a moment in which a healthy node has answered. */
  readonly hedge: DelayLine;
  /** After `request-timeout-ms`. */
  readonly deadline: DelayLine;
}
