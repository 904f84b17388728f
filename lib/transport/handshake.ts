/**
 * How two nodes make sure of each other before any frame is handled. Pure: bytes in, a step out.
 *
 *   dialler   hello      magic (4) | version u8 | nonce (16) | node id (20) | u8 n | name (n)
 *   acceptor  challenge  magic (4) | version u8 | 0 | nonce (16) | node id (20) | proof (32)
 *   dialler   response   0 | proof (32)
 *   acceptor  welcome    0 | token u48
 *
 *   proof = HMAC-SHA256(secret, role | version | both nonces | both ids | name)
 *
 * The name is the cluster's; the dialler's values come before the acceptor's. Both nonces make a
 * proof worthless in any other session, the role makes it worthless when it is sent back to whom it
 * came from. In place of the 0, a code of `refusals` says why there will be no link; it is all that
 * a stranger is told. Each side waits for the other's message, so bytes beyond one come from no
 * peer.
 */
import { assert } from '../base/assert.ts';
import { emptyBytes, readU48, writeU48 } from '../base/bytes.ts';
import type { Hashes } from '../runtime/ports.ts';

export const handshakeVersion = 2;
export const nonceBytes = 16;
const magic = Buffer.from('RDYN');
const idBytes = 20;
const proofBytes = 32;
export const clusterNameBytesMax = 255;

const versionAt = magic.length;
const nonceAt = versionAt + 1;
const nameLengthAt = nonceAt + nonceBytes + idBytes;
const statusAt = versionAt + 1;
const challengeBytes = statusAt + 1 + nonceBytes + idBytes + proofBytes;
const responseBytes = 1 + proofBytes;
const welcomeBytes = 1 + 6;
const goOn = 0;

/** Why there is no link. The codes are part of the wire format: append only; 0: never sent. */
export const refusals = {
  stranger: { code: 0, text: 'it does not speak the peer protocol' },
  version: { code: 1, text: 'the versions of the peer protocol differ' },
  cluster: { code: 2, text: 'the cluster-names differ' },
  secret: { code: 3, text: 'the peer-secrets differ' },
  remote: { code: 4, text: 'without peer-secret only nodes of the same machine are peers' },
} as const;

export type Refusal = keyof typeof refusals;

export interface Refused {
  readonly kind: 'refused';
  /** For the other side, before the end; may be empty. */
  readonly send: Buffer;
  readonly by: 'us' | 'peer';
  readonly refusal: Refusal;
  /** What the other side said instead, for the log. */
  readonly theirs?: string;
}

export type Step =
  | { readonly kind: 'more'; readonly send: Buffer }
  | {
      readonly kind: 'done';
      readonly send: Buffer;
      readonly peerId: Buffer;
      readonly token: number;
    }
  | Refused;

export interface Handshake {
  /** What this side says before it has heard anything. */
  opening(): Buffer;
  /** Not called again after `done` or `refused`. */
  receive(bytes: Buffer): Step;
  /** Instead of the opening, for one on another machine when there is no secret. */
  refuseRemote(): Refused;
}

export interface Party {
  readonly nodeId: Buffer;
  readonly clusterName: string;
  readonly secret: string;
  /** Random, for this session alone. */
  readonly nonce: Buffer;
  readonly hashes: Pick<Hashes, 'hmacSha256' | 'equal'>;
}

interface Session {
  readonly diallerNonce: Buffer;
  readonly acceptorNonce: Buffer;
  readonly diallerId: Buffer;
  readonly acceptorId: Buffer;
}

function proofOf(role: 'D' | 'A', party: Party, session: Session): Buffer {
  return party.hashes.hmacSha256(
    Buffer.from(party.secret),
    Buffer.from([role.charCodeAt(0), handshakeVersion]),
    session.diallerNonce,
    session.acceptorNonce,
    session.diallerId,
    session.acceptorId,
    Buffer.from(party.clusterName),
  );
}

function check(party: Party): void {
  assert(party.nodeId.length === idBytes, 'a node id has 20 bytes');
  assert(party.nonce.length === nonceBytes, 'a nonce has 16 bytes');
  assert(Buffer.byteLength(party.clusterName) <= clusterNameBytesMax, 'a cluster-name is short');
}

function refuse(refusal: Refusal, send: Buffer, theirs?: string): Refused {
  return { kind: 'refused', send, by: 'us', refusal, ...(theirs !== undefined && { theirs }) };
}

function refusedByPeer(code: number): Refused {
  const found = Object.entries(refusals).find(([, row]) => row.code === code);
  const refusal = (found?.[0] ?? 'stranger') as Refusal;
  return { kind: 'refused', send: emptyBytes, by: 'peer', refusal };
}

/** An acceptor that says no to a hello, or before it. */
function refusalBytes(refusal: Refusal): Buffer {
  return Buffer.concat([magic, Buffer.from([handshakeVersion, refusals[refusal].code])]);
}

/** Not all has come. */
const more: Step = { kind: 'more', send: emptyBytes };
const stranger = refuse('stranger', emptyBytes);

function beginsWithMagic(bytes: Buffer): boolean {
  const count = Math.min(bytes.length, magic.length);
  return bytes.compare(magic, 0, count, 0, count) === 0;
}

export class DiallerHandshake implements Handshake {
  readonly #party: Party;
  #heard = emptyBytes;
  /** Known once its proof was right. */
  #peerId: Buffer | undefined;

  constructor(party: Party) {
    check(party);
    this.#party = party;
  }

  opening(): Buffer {
    const { nonce, nodeId, clusterName } = this.#party;
    const name = Buffer.from(clusterName);
    const version = Buffer.from([handshakeVersion]);
    return Buffer.concat([magic, version, nonce, nodeId, Buffer.from([name.length]), name]);
  }

  refuseRemote(): Refused {
    return refuse('remote', emptyBytes);
  }

  receive(bytes: Buffer): Step {
    this.#heard = Buffer.concat([this.#heard, bytes]);
    return this.#peerId === undefined ? this.#challenged() : this.#welcomed(this.#peerId);
  }

  #challenged(): Step {
    const heard = this.#heard;
    if (!beginsWithMagic(heard)) return stranger;
    if (heard.length <= statusAt) return more;
    const status = heard[statusAt] as number;
    if (heard[versionAt] !== handshakeVersion) {
      return refuse('version', emptyBytes, String(heard[versionAt]));
    }
    if (status !== goOn) return refusedByPeer(status);
    if (heard.length < challengeBytes) return more;
    if (heard.length > challengeBytes) return stranger;
    const idAt = statusAt + 1 + nonceBytes;
    const session = {
      diallerNonce: this.#party.nonce,
      acceptorNonce: heard.subarray(statusAt + 1, idAt),
      diallerId: this.#party.nodeId,
      acceptorId: heard.subarray(idAt, idAt + idBytes),
    };
    const proof = heard.subarray(idAt + idBytes);
    if (!this.#party.hashes.equal(proof, proofOf('A', this.#party, session))) {
      return refuse('secret', Buffer.from([refusals.secret.code]));
    }
    this.#peerId = session.acceptorId;
    this.#heard = emptyBytes;
    const answer = proofOf('D', this.#party, session);
    return { kind: 'more', send: Buffer.concat([Buffer.from([goOn]), answer]) };
  }

  #welcomed(peerId: Buffer): Step {
    const heard = this.#heard;
    const status = heard[0];
    if (status !== undefined && status !== goOn) return refusedByPeer(status);
    if (heard.length < welcomeBytes) return more;
    if (heard.length > welcomeBytes) return stranger;
    return { kind: 'done', send: emptyBytes, peerId, token: readU48(heard, 1) };
  }
}

export class AcceptorHandshake implements Handshake {
  readonly #party: Party;
  readonly #token: () => number;
  #heard = emptyBytes;
  #session: Session | undefined;

  /** `token`: the first one that the dialler is given. */
  constructor(party: Party, token: () => number) {
    check(party);
    this.#party = party;
    this.#token = token;
  }

  opening(): Buffer {
    return emptyBytes;
  }

  refuseRemote(): Refused {
    return refuse('remote', refusalBytes('remote'));
  }

  receive(bytes: Buffer): Step {
    this.#heard = Buffer.concat([this.#heard, bytes]);
    return this.#session === undefined ? this.#greeted() : this.#answered(this.#session);
  }

  #greeted(): Step {
    const heard = this.#heard;
    const { clusterName, nodeId, nonce } = this.#party;
    if (!beginsWithMagic(heard)) return stranger;
    const version = heard[versionAt];
    if (version === undefined) return more;
    if (version !== handshakeVersion) {
      return refuse('version', refusalBytes('version'), String(version));
    }
    const nameLength = heard[nameLengthAt];
    if (nameLength === undefined) return more;
    const helloBytes = nameLengthAt + 1 + nameLength;
    if (heard.length < helloBytes) return more;
    if (heard.length > helloBytes) return stranger;
    const name = heard.toString('utf8', nameLengthAt + 1);
    if (name !== clusterName) return refuse('cluster', refusalBytes('cluster'), name);
    const idAt = nonceAt + nonceBytes;
    this.#session = {
      diallerNonce: heard.subarray(nonceAt, idAt),
      acceptorNonce: nonce,
      diallerId: heard.subarray(idAt, nameLengthAt),
      acceptorId: nodeId,
    };
    this.#heard = emptyBytes;
    const head = Buffer.concat([magic, Buffer.from([handshakeVersion, goOn]), nonce, nodeId]);
    return {
      kind: 'more',
      send: Buffer.concat([head, proofOf('A', this.#party, this.#session)]),
    };
  }

  #answered(session: Session): Step {
    const heard = this.#heard;
    const status = heard[0];
    if (status !== undefined && status !== goOn) return refusedByPeer(status);
    if (heard.length < responseBytes) return more;
    if (heard.length > responseBytes) return stranger;
    if (!this.#party.hashes.equal(heard.subarray(1), proofOf('D', this.#party, session))) {
      return refuse('secret', Buffer.from([refusals.secret.code]));
    }
    const welcome = Buffer.alloc(welcomeBytes);
    welcome[0] = goOn;
    const token = this.#token();
    writeU48(welcome, token, 1);
    return { kind: 'done', send: welcome, peerId: session.diallerId, token };
  }
}
