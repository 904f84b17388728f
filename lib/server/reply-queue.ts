/**
 * The replies of one connection, in the order of its requests, though they become ready in any
 * order. A request that cannot be answered at once reserves a place; replies that are ready at once
 * are encoded straight into the output when no place is open, else behind the last open place.
 *
 * Invariant: the output holds what may be sent now; every byte in a place comes after it.
 */
import Denque from 'denque';
import type { Reply } from '../protocol/reply.ts';
import { type OutputPages, type Protocol, ReplyWriter } from '../protocol/resp-writer.ts';

/** A reply to come, and everything that is ready right behind it. */
export class Place {
  ready = false;
  own: ReplyWriter | undefined;
  behind: ReplyWriter | undefined;
}

export class ReplyQueue {
  readonly #pages: OutputPages;
  readonly #output: ReplyWriter;
  readonly #places = new Denque<Place>();
  #waitingBytes = 0;

  constructor(pages: OutputPages) {
    this.#pages = pages;
    this.#output = new ReplyWriter(pages);
  }

  /** Places that are open, or ready behind an open one. */
  get placesCount(): number {
    return this.#places.length;
  }

  get readyBytes(): number {
    return this.#output.bytes;
  }

  /** Encoded, but behind an open place. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** A reply that is here already. */
  add(reply: Reply, protocol: Protocol): void {
    const last = this.#places.peekBack();
    if (last === undefined) {
      this.#output.write(reply, protocol);
      return;
    }
    last.behind ??= new ReplyWriter(this.#pages);
    this.#writeWaiting(last.behind, reply, protocol);
  }

  reserve(): Place {
    const place = new Place();
    this.#places.push(place);
    return place;
  }

  /** Each place is filled once. */
  fill(place: Place, reply: Reply, protocol: Protocol): void {
    place.ready = true;
    if (this.#places.peekFront() === place) {
      this.#output.write(reply, protocol);
      this.#advance();
    } else {
      place.own = new ReplyWriter(this.#pages);
      this.#writeWaiting(place.own, reply, protocol);
    }
  }

  /** What may be sent now. */
  take(): Buffer[] {
    return this.#output.take();
  }

  #advance(): void {
    for (let place = this.#places.peekFront(); place?.ready; place = this.#places.peekFront()) {
      this.#places.shift();
      this.#release(place.own);
      this.#release(place.behind);
    }
  }

  #release(writer: ReplyWriter | undefined): void {
    if (writer === undefined) return;
    this.#waitingBytes -= writer.bytes;
    this.#output.append(writer.take());
  }

  #writeWaiting(writer: ReplyWriter, reply: Reply, protocol: Protocol): void {
    const before = writer.bytes;
    writer.write(reply, protocol);
    this.#waitingBytes += writer.bytes - before;
  }
}
