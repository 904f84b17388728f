/** What members ask of each other to be a ring. Part of the wire format: append only, 1..9. */
export const membershipKinds = {
  /** Are you there? Both bodies are what the asker, resp. the answerer, says in every ping. */
  ping: 1,
  /** Here is who I am: who are you? */
  who: 2,
  /** Be a member of this ring. Answered when that is on the disk. */
  offer: 3,
  /** This is my boot nonce: which one did you know before it? */
  recall: 4,
  /** What I know of the members: a digest, rumours, and differences where digests differ. */
  gossip: 5,
  /** Probe that member for me: I can't reach it. */
  relay: 6,
  /** A ballot on the next layout: prepare or accept. */
  ballot: 7,
  /** Which layouts are active? */
  layouts: 8,
  /** Let this node in. */
  join: 9,
} as const;
