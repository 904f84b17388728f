/**
 * Two small files that say how far the last process came.
 *
 * The *marker* of a clean stop: written and synced last of all, removed and synced before the next
 * process serves anybody. Only its presence lets an epoch live on (DESIGN 3.3), so anything
 * doubtful about it means: not there.
 *
 * The *watermark*: the last acknowledged batch, written behind the acknowledgements without a sync.
 * It survives a crash of the process, and is ahead of the log only if the log has lost its tail.
 */
import { readStamp, stampBytes, writeStamp } from '../base/bytes.ts';
import { StoreError } from '../base/errors.ts';
import type { Stamp } from '../causal/record.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { bodyEnd, bodyStart, type Crc32, isSound, sealRow } from './row.ts';
import type { SmallFiles } from './storage.ts';

export interface CleanStop {
  readonly epoch: number;
  readonly lastBatch: number;
  readonly lastStamp: Stamp;
  readonly bootNonce: number;
}

export const markerName = 'clean-stop';
const watermarkName = 'watermark';
const markerBytes = 3 * 6 + stampBytes;
const watermarkBytes = 2 * 6;
const watermarkPeriodMs = 50;

export function writeMarker(files: SmallFiles, marker: CleanStop, crc32: Crc32): Promise<void> {
  const bytes = sealRow(
    Buffer.from(markerName),
    markerBytes,
    (target, offset) => {
      let at = target.writeUIntBE(marker.epoch, offset, 6);
      at = target.writeUIntBE(marker.lastBatch, at, 6);
      at = target.writeUIntBE(marker.bootNonce, at, 6);
      writeStamp(target, marker.lastStamp, at);
    },
    crc32,
  );
  return files.write(markerName, bytes, true);
}

/** 'damaged': there is one, but it says nothing. */
export async function readMarker(
  files: SmallFiles,
  crc32: Crc32,
): Promise<CleanStop | 'damaged' | undefined> {
  const bytes = await files.read(markerName);
  if (bytes === undefined) return undefined;
  if (!isWhole(markerName, bytes, markerBytes, crc32)) return 'damaged';
  return {
    epoch: bytes.readUIntBE(bodyStart, 6),
    lastBatch: bytes.readUIntBE(bodyStart + 6, 6),
    bootNonce: bytes.readUIntBE(bodyStart + 12, 6),
    lastStamp: readStamp(bytes, bodyStart + 18),
  };
}

/** Durable when it returns. */
export function removeMarker(files: SmallFiles): Promise<void> {
  return files.remove(markerName);
}

/**
 * The last batch known to have been acknowledged; 0: nothing is known. An empty file is what some
 * file systems leave of an unsynced replacement after a power cut.
 */
export async function readWatermark(files: SmallFiles, crc32: Crc32): Promise<number | 'damaged'> {
  const bytes = await files.read(watermarkName);
  if (bytes === undefined || bytes.length === 0) return 0;
  if (!isWhole(watermarkName, bytes, watermarkBytes, crc32)) return 'damaged';
  return bytes.readUIntBE(bodyStart + 6, 6);
}

function isWhole(name: string, bytes: Buffer, bodyBytes: number, crc32: Crc32): boolean {
  return isSound(Buffer.from(name), bytes, crc32) && bodyEnd(bytes) === bodyStart + bodyBytes;
}

/** Writes the watermark at most every 50 ms, one write at a time. */
export class Watermark {
  readonly #files: SmallFiles;
  readonly #system: System;
  readonly #bootNonce: number;
  #acknowledged = 0;
  #written = 0;
  #writing: Promise<void> | undefined;
  #pause: Timer | undefined;
  #stopped = false;

  constructor(files: SmallFiles, system: System, bootNonce: number) {
    this.#files = files;
    this.#system = system;
    this.#bootNonce = bootNonce;
  }

  note(acknowledged: number): void {
    this.#acknowledged = acknowledged;
    if (this.#writing === undefined && this.#pause === undefined) this.#begin();
  }

  /** Writes what it knows once more; afterwards nothing is being written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.cancel();
    await this.#writing;
    if (this.#written < this.#acknowledged) await this.#write(this.#acknowledged);
  }

  #begin(): void {
    if (this.#stopped || this.#written === this.#acknowledged) return;
    this.#writing = this.#write(this.#acknowledged).then(() => {
      this.#writing = undefined;
      if (this.#stopped) return;
      this.#pause = this.#system.timers.after(watermarkPeriodMs, () => {
        this.#pause = undefined;
        this.#begin();
      });
    });
  }

  /** A failure only makes the file older than it could be. */
  async #write(acknowledged: number): Promise<void> {
    const bytes = sealRow(
      Buffer.from(watermarkName),
      watermarkBytes,
      (target, offset) => {
        target.writeUIntBE(this.#bootNonce, offset, 6);
        target.writeUIntBE(acknowledged, offset + 6, 6);
      },
      this.#system.hashes.crc32,
    );
    try {
      await this.#files.write(watermarkName, bytes, false);
      this.#written = acknowledged;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#system.log.verbose('the watermark could not be written', { code: error.code });
    }
  }
}
