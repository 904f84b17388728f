/**
 * An ordered map from names (bytes as latin1 text, so that the order of names is that of the bytes)
 * to rows. `freeze` hands out a view that never changes: the next change goes to a copy.
 */
export interface FrozenMap {
  get(name: string): Buffer | undefined;
  /** Names from `from`, below `to`, in order; the caller's to keep. */
  range(from: string, to: string): string[];
}

export class SortedMap implements FrozenMap {
  #names: string[];
  #rows: Map<string, Buffer>;
  #frozen = false;

  constructor(names: string[] = [], rows = new Map<string, Buffer>()) {
    this.#names = names;
    this.#rows = rows;
  }

  get(name: string): Buffer | undefined {
    return this.#rows.get(name);
  }

  get names(): readonly string[] {
    return this.#names;
  }

  get rows(): ReadonlyMap<string, Buffer> {
    return this.#rows;
  }

  set(name: string, row: Buffer | undefined): void {
    this.#thaw();
    if (row !== undefined) {
      if (!this.#rows.has(name)) this.#names.splice(this.#indexOf(name), 0, name);
      this.#rows.set(name, row);
    } else if (this.#rows.delete(name)) this.#names.splice(this.#indexOf(name), 1);
  }

  range(from: string, to: string): string[] {
    return this.#names.slice(this.#indexOf(from), this.#indexOf(to));
  }

  freeze(): FrozenMap {
    this.#frozen = true;
    return new SortedMap(this.#names, this.#rows);
  }

  copy(): SortedMap {
    return new SortedMap([...this.#names], new Map(this.#rows));
  }

  #thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#names = [...this.#names];
    this.#rows = new Map(this.#rows);
  }

  /** Where `name` is, or would be. */
  #indexOf(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
