/**
 * The doors through which time, chance and the log come in. `runtime/system.ts` holds the real
 * ones; the simulator brings its own. Nothing else in `lib/` reads a clock, starts a timer or draws
 * a random number.
 */
export interface Clock {
  /**
   * Wall clock, whole milliseconds since 1970. May step in either direction: only for expiry and
   * stamps.
   */
  wallMs(): number;
  /** Never goes back; milliseconds with a fraction, from an arbitrary origin. For durations. */
  monotonicMs(): number;
}

/** What `after` and `every` give back. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  after(delayMs: number, run: () => void): Timer;
  every(periodMs: number, run: () => void): Timer;
  /** Once this turn is over and before the next one waits for the world (setImmediate). */
  soon(run: () => void): void;
}

export interface Random {
  /** Uniform over 0..2^48-1: actors, epochs. */
  u48(): number;
  bytes(count: number): Buffer;
  /** Uniform over 0..below-1; below is at most 2^31. */
  below(below: number): number;
}

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning';

export interface Log {
  debug(message: string, fields?: object): void;
  verbose(message: string, fields?: object): void;
  notice(message: string, fields?: object): void;
  warning(message: string, fields?: object): void;
}

/** Keyed and plain hashes of the platform; handed to pure code as functions. */
export interface Hashes {
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer;
  sha256(bytes: Uint8Array): Buffer;
  crc32(bytes: Uint8Array, seed?: number): number;
  /** Compares in a time that does not depend on where the bytes differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** What INFO says of the process: a snapshot. */
export interface ProcessFacts {
  readonly processId: number;
  readonly uptimeMs: number;
  readonly os: string;
  readonly nodeVersion: string;
  readonly executable: string;
  readonly usedMemoryBytes: number;
  readonly residentBytes: number;
  readonly peakMemoryBytes: number;
  readonly totalSystemMemoryBytes: number;
  readonly userCpuSeconds: number;
  readonly systemCpuSeconds: number;
  readonly eventLoopDelayP99Ms: number;
}

export interface System {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly hashes: Hashes;
}
