/**
 * Who this node is and which ring it belongs to, as its storage remembers it (DESIGN 2.1, 2.2).
 * What belongs to the layout (ring key, partitions, databases, N, the ring's name) is fixed when
 * the ring is founded: a configuration that contradicts it is refused.
 *
 *   stored form = u8 version 1 | node id (20) | ring key (32) | partitions u32 | databases u16 |
 *                 n u8 | cluster name (UTF-8)
 */
export const nodeIdBytes = 20;
export const ringKeyBytes = 32;
const identityVersion = 1;
const fixedBytes = 1 + nodeIdBytes + ringKeyBytes + 4 + 2 + 1;

/** What of a configuration belongs to the ring. Part of the wire format: append only. */
export const ringDirectives = ['cluster-name', 'partitions', 'databases', 'quorum'] as const;

export interface RingSettings {
  readonly clusterName: string;
  readonly partitions: number;
  readonly databases: number;
  /** N as configured; the members cap it. */
  readonly n: number;
}

export interface Identity extends RingSettings {
  readonly nodeId: Buffer;
  /** Keys the hashes and MACs of the ring. */
  readonly ringKey: Buffer;
}

/** The operator has to act; the message says what is wrong. */
export class IdentityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'IdentityError';
  }
}

export function encodeIdentity(identity: Identity): Buffer {
  const name = Buffer.from(identity.clusterName);
  const bytes = Buffer.alloc(fixedBytes + name.length);
  bytes[0] = identityVersion;
  let at = 1;
  at += identity.nodeId.copy(bytes, at);
  at += identity.ringKey.copy(bytes, at);
  at = bytes.writeUInt32BE(identity.partitions, at);
  at = bytes.writeUInt16BE(identity.databases, at);
  at = bytes.writeUInt8(identity.n, at);
  name.copy(bytes, at);
  return bytes;
}

export function decodeIdentity(bytes: Buffer): Identity {
  if (bytes[0] !== identityVersion || bytes.length < fixedBytes) {
    throw new IdentityError(
      `the identity of this node has format ${bytes[0] ?? 'none'}, ` +
        `this version knows ${identityVersion}`,
    );
  }
  const keyAt = 1 + nodeIdBytes;
  const restAt = keyAt + ringKeyBytes;
  return {
    nodeId: bytes.subarray(1, keyAt),
    ringKey: bytes.subarray(keyAt, restAt),
    partitions: bytes.readUInt32BE(restAt),
    databases: bytes.readUInt16BE(restAt + 4),
    n: bytes.readUInt8(restAt + 6),
    clusterName: bytes.toString('utf8', fixedBytes),
  };
}

/** Refuses a directive that was written down and says otherwise than the ring. */
export function checkAgainst(
  identity: Identity,
  settings: RingSettings,
  isGiven: (directive: string) => boolean,
): void {
  const facts = [
    ['cluster-name', identity.clusterName, settings.clusterName],
    ['partitions', identity.partitions, settings.partitions],
    ['databases', identity.databases, settings.databases],
    ['quorum', identity.n, settings.n],
  ] as const;
  for (const [directive, ring, configured] of facts) {
    if (ring !== configured && isGiven(directive)) {
      const what = directive === 'quorum' ? 'N of quorum' : directive;
      throw new IdentityError(
        `${what} is ${configured} in the configuration, but this ring was founded with ${ring}`,
      );
    }
  }
}
