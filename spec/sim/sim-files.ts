/**
 * The small files of a simulated disk. A write without sync survives the process; a power cut leaves
 * the new file or the old one.
 */
import { own } from '../../lib/base/bytes.ts';
import type { Random } from '../../lib/runtime/ports.ts';
import type { SmallFiles } from '../../lib/storage/storage.ts';

interface SimFile {
  readonly bytes: Buffer;
  /** Of a reserved file, whose content does not matter. */
  readonly reservedBytes: number;
}

export interface SimDisk {
  wait(): Promise<void>;
  /** Throws `full` if there is no room for so many bytes more. */
  takeRoom(bytes: number): void;
}

export class SimFiles implements SmallFiles {
  readonly #random: Random;
  readonly #disk: SimDisk;
  readonly #files = new Map<string, SimFile>();
  /** What was durable under the names whose last write was not synced. */
  readonly #durable = new Map<string, SimFile | undefined>();

  constructor(random: Random, disk: SimDisk) {
    this.#random = random;
    this.#disk = disk;
  }

  get bytes(): number {
    let sum = 0;
    for (const file of this.#files.values()) sum += file.bytes.length + file.reservedBytes;
    return sum;
  }

  async read(name: string): Promise<Buffer | undefined> {
    await this.#disk.wait();
    const file = this.#files.get(name);
    return file === undefined ? undefined : own(file.bytes);
  }

  async write(name: string, bytes: Buffer, sync: boolean): Promise<void> {
    this.#disk.takeRoom(bytes.length);
    const file = { bytes: own(bytes), reservedBytes: 0 };
    await this.#disk.wait();
    if (sync) this.#durable.delete(name);
    else if (!this.#durable.has(name)) this.#durable.set(name, this.#files.get(name));
    this.#files.set(name, file);
  }

  async remove(name: string): Promise<void> {
    await this.#disk.wait();
    this.#files.delete(name);
    this.#durable.delete(name);
  }

  async reserve(name: string, bytes: number): Promise<void> {
    const present = this.#files.get(name)?.reservedBytes ?? 0;
    this.#disk.takeRoom(bytes - present);
    await this.#disk.wait();
    this.#files.set(name, { bytes: Buffer.alloc(0), reservedBytes: bytes });
  }

  /** Damage to one file; false if there is none of that name. */
  flipBit(name: string): boolean {
    const file = this.#files.get(name);
    if (file === undefined || file.bytes.length === 0) return false;
    const at = this.#random.below(file.bytes.length);
    file.bytes[at] = (file.bytes[at] ?? 0) ^ (1 << this.#random.below(8));
    return true;
  }

  /** Those of another disk, in place of none. */
  copyOf(other: SimFiles): void {
    for (const [name, file] of other.#files)
      this.#files.set(name, { ...file, bytes: own(file.bytes) });
  }

  crash(kind: 'process' | 'power'): void {
    if (kind === 'process') return;
    for (const [name, before] of this.#durable) {
      if (this.#random.below(2) === 0) continue;
      if (before === undefined) this.#files.delete(name);
      else this.#files.set(name, before);
    }
    this.#durable.clear();
  }
}
