/** The connections of this node, and the counters of the client side, for the commands to see. */
import type { Client, Clients, Traffic } from '../commands/ports.ts';

export class ClientRegistry implements Clients, Traffic {
  connectionsReceived = 0;
  connectionsRejected = 0;
  bytesRead = 0;
  bytesWritten = 0;
  outputLimitDisconnections = 0;
  queryLimitDisconnections = 0;

  /** In the order of their ids, which is that of their coming. */
  readonly #clients = new Map<number, Client>();
  #lastId = 0;

  get count(): number {
    return this.#clients.size;
  }

  all(): readonly Client[] {
    return [...this.#clients.values()];
  }

  byId(id: number): Client | undefined {
    return this.#clients.get(id);
  }

  /** Never given twice. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  add(client: Client): void {
    this.#clients.set(client.session.id, client);
  }

  remove(client: Client): void {
    this.#clients.delete(client.session.id);
  }
}
