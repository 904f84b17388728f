/** What the people at a simulated ring have in common: what they can do, and ask. */
import type { Referee } from './running.ts';

/** What they can do to processes. */
export interface Hands {
  kill(node: number): void;
  start(node: number): void;
  stop(node: number, next: () => void): void;
}

/** What DYN.RING STATUS answers. */
export interface Status {
  readonly version: number;
  readonly transition: number;
  readonly members: readonly { readonly name: string; readonly state: string }[];
}

/** Written by nobody: the judges know no operation of this number. */
export const poison = Buffer.from('v99999999.');

/** DYN.RING at a node that can answer. */
export function askRing(
  { ring, complain }: Referee,
  node: number,
  words: readonly (string | number)[],
  heard: (reply: unknown) => void,
): void {
  const machine = ring.at(node);
  if (!ring.isPresent(node) || !machine.isUp) return;
  const text = words.join(' ');
  ring.trace.add('people', `-> n${node + 1} DYN.RING ${text}`);
  machine.deliver(() => {
    ring.begin(node, ring.session(node), 'DYN.RING', ...words).listen(
      (reply) => {
        ring.trace.add('people', `<- DYN.RING ${text}: ${reply}`);
        heard(reply);
      },
      (error: unknown) => complain('fault', `DYN.RING ${text}: ${error}`),
    );
  });
}
