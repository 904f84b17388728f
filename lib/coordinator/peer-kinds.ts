/**
 * What coordinators ask of other nodes. The numbers are part of the wire format: append only.
 * 1..9 belong to `membership/`.
 */
export const peerKinds = {
  /** Merge this record into what you hold of its key. */
  replicate: 10,
  /** Keep this record for another node. */
  hint: 11,
  /** What do you hold of this key? */
  read: 12,
  /** Coordinate this write. */
  forward: 13,
  /** The next records of a database. */
  scan: 14,
  /** How many records you hold of a database. */
  count: 15,
  randomKey: 16,
  /** The highest stamp you know. */
  clock: 17,
  flush: 18,
  /** What do you know of this key and of hints for it? */
  explain: 19,
  /** Run these commands of a client. */
  delegate: 20,
  /** The next records of some slots that you own. */
  transfer: 21,
} as const;
