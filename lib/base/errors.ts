/**
 * Two of the three kinds of failure (the third, a broken program, is `assert`).
 *
 * A `RedisError` is an expected outcome that a client is told about: its message is the whole RESP
 * error text, code first (`ERR syntax error`, `CLUSTERDOWN need 2 replicas, 1 reachable`).
 * A `StoreError` says that the outside world broke below us; made only in `storage/`.
 */
export class RedisError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'RedisError';
  }
}

export const syntaxError = 'ERR syntax error';
export const notAnInteger = 'ERR value is not an integer or out of range';

export const storeErrorCodes = {
  locked: 'the data directory is in use by another process',
  'cannot-open': 'the data directory cannot be opened',
  format: 'the data directory has a format this version does not know',
  corrupt: 'a stored record fails its checksum',
  fenced: 'writes are refused until the storage has been reopened and checked',
  unknown: 'the outcome of this write is unknown',
  full: 'no space left on device',
  io: 'the storage failed',
  closed: 'the storage is closed',
} as const;

export type StoreErrorCode = keyof typeof storeErrorCodes;

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, detail?: string, cause?: unknown) {
    super(detail === undefined ? storeErrorCodes[code] : `${storeErrorCodes[code]}: ${detail}`, {
      cause,
    });
    this.name = 'StoreError';
    this.code = code;
  }
}
