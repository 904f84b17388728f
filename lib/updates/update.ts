/**
 * What a write does to a value, as data: a kind and its arguments. It travels to the owner that
 * runs it, which applies the pure function of `apply.ts` to the value it has read. What the command
 * answers is derived from the state before and after.
 */

/** What a reader sees under a key: bytes and their expiry (ms since 1970, 0 = never). */
export interface Visible {
  readonly bytes: Buffer;
  readonly expireAtMs: number;
}

export type ExpireCondition = {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly gt: boolean;
  readonly lt: boolean;
};

export type Update =
  /** expireAtMs 'keep': KEEPTTL. condition: nx only if absent, xx only if present. */
  | {
      readonly kind: 'set';
      readonly bytes: Buffer;
      readonly expireAtMs: number | 'keep';
      readonly condition?: 'nx' | 'xx';
      /** The answer needs the old value (GETSET, SET .. GET), so it must be read first. */
      readonly readsOld?: boolean;
    }
  | { readonly kind: 'append'; readonly bytes: Buffer }
  | { readonly kind: 'set-range'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'set-bit'; readonly offset: number; readonly bit: 0 | 1 }
  /** by: signed 64 bit. */
  | { readonly kind: 'increment'; readonly by: bigint }
  /** by: decimal text, already checked. */
  | { readonly kind: 'increment-float'; readonly by: string }
  /** An instant in the past deletes. */
  | { readonly kind: 'expire'; readonly expireAtMs: number; readonly condition: ExpireCondition }
  | { readonly kind: 'persist' }
  | { readonly kind: 'delete' };

export type UpdateKind = Update['kind'];

/** What applying an update decided. `expiry` keeps the bytes and their order (DESIGN 3.1). */
export type Effect =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly bytes: Buffer; readonly expireAtMs: number }
  | { readonly kind: 'expiry'; readonly expireAtMs: number }
  | { readonly kind: 'delete' }
  /** The whole RESP error text. */
  | { readonly kind: 'error'; readonly text: string };
