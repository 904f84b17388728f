/** A node's name for its writes to one key: a random 48-bit number (DESIGN 3.3). */
export type Actor = number;
/** Hybrid logical clock: (ms since 2020-01-01) * 4096 + counter, a safe integer. */
export type Stamp = number;

/** Names one write. */
export interface Dot {
  readonly actor: Actor;
  readonly stamp: Stamp;
}

/** actor -> highest stamp seen; sorted by actor, each actor once, stamps above 0. */
export type VersionVector = readonly Dot[];

/** Numeric codes are part of the stored format: append only. */
export const siblingKind = { value: 1, tombstone: 2 } as const;
export type SiblingKind = (typeof siblingKind)[keyof typeof siblingKind];

export interface Sibling {
  readonly dot: Dot;
  /** Stamp of the write whose value this is; EXPIRE, PERSIST and GETEX keep the original's. */
  readonly order: Stamp;
  readonly kind: SiblingKind;
  /** Wall clock, ms since 1970; 0 = never. */
  readonly expireAtMs: number;
  readonly bytes: Buffer;
}

/** The replicated state of one (db, key[, element]); no siblings = deleted. */
export interface Record {
  readonly vv: VersionVector;
  /** Sorted by dot (actor, then stamp). */
  readonly siblings: readonly Sibling[];
}
