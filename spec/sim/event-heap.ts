/**
 * What will happen, the next thing first: a binary heap ordered by (instant, tie-break, order of
 * making). With a random tie-break, things that happen at the same instant happen in any order.
 */
export interface Event {
  readonly atMs: number;
  readonly tie: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class EventHeap {
  readonly #events: Event[] = [];

  /** Events that will run: cancelled ones stay until their instant. */
  get pending(): number {
    return this.#events.reduce((count, { cancelled }) => count + (cancelled ? 0 : 1), 0);
  }

  get first(): Event | undefined {
    return this.#events[0];
  }

  push(event: Event): void {
    const events = this.#events;
    let at = events.length;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = events[parentAt] as Event;
      if (!isBefore(event, parent)) break;
      events[at] = parent;
      at = parentAt;
    }
    events[at] = event;
  }

  shift(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  #sink(event: Event): void {
    const events = this.#events;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = events[childAt];
      const right = events[childAt + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        child = right;
        childAt += 1;
      }
      if (child === undefined || !isBefore(child, event)) break;
      events[at] = child;
      at = childAt;
    }
    events[at] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;
}
