/** First in, first out, at a constant cost: `shift` of a long array moves all that is left. */
export class Fifo<T> {
  #in: T[] = [];
  /** The next to come out, last. */
  #out: T[] = [];

  get length(): number {
    return this.#in.length + this.#out.length;
  }

  push(item: T): void {
    this.#in.push(item);
  }

  shift(): T | undefined {
    if (this.#out.length === 0 && this.#in.length > 0) {
      this.#out = this.#in.reverse();
      this.#in = [];
    }
    return this.#out.pop();
  }
}
