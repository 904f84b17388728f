/** What is known of a member of the ring, wherever it is and whether it is up. */
export interface Member {
  /** 40 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly host: string;
  /** For clients. */
  readonly port: number;
  readonly peerPort: number;
  readonly zone: string;
  readonly weight: number;
}

/**
 * How this node sees a peer, for routing (not for operators: it changes within milliseconds).
 *   up       answers
 *   suspect  silent for a moment: asked last, waited for least
 *   down     no link, or silent for long: not asked at all
 */
export type Verdict = 'up' | 'suspect' | 'down';
