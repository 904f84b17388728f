/**
 * What members say to each other to agree on a layout, and what an acceptor keeps of it.
 *
 *   proposal  id (8) | varint length, layout | facts of each of its members, in its order
 *   ballot    varint round | node id (20)
 *   request   u8 1 | prepare: u8 1 | varint version | ballot
 *                    accept:  u8 2 | varint version | ballot | proposal
 *                    decided: u8 3 | varint version | proposal
 *   answer    u8 1 | u8 0 yes | u8 accepted, if 1: ballot | proposal
 *                    u8 1 no: varint round of what was promised instead
 *                    u8 2 the answerer knows newer layouts     u8 3 it lacks the asker's
 *   kept row  u8 1 | varint version | ballot promised | u8 accepted, if 1: ballot | proposal
 */
import { assert } from '../base/assert.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { own } from '../base/bytes.ts';
import { decodeLayout, encodeLayout, type Layout } from '../ring/layout.ts';
import type { Acceptor, Ballot, Vote } from './ballot-core.ts';
import { nodeIdBytes } from './identity.ts';
import type { Member } from './member.ts';
import { readFacts, writeFacts } from './member-facts.ts';

export const proposalIdBytes = 8;

/** A layout that somebody wants to be the next. */
export interface Proposal {
  /** Random: whose it is. */
  readonly id: Buffer;
  readonly layout: Layout;
  /** members[i].id === layout.members[i] */
  readonly members: readonly Member[];
}

/** `version`: of the layout that is to be agreed. */
export type BallotRequest =
  | { readonly kind: 'prepare'; readonly version: number; readonly ballot: Ballot }
  | { readonly kind: 'accept'; readonly version: number; readonly vote: Vote<Proposal> }
  | { readonly kind: 'decided'; readonly version: number; readonly proposal: Proposal };

export type BallotAnswer =
  | { readonly kind: 'yes'; readonly accepted: Vote<Proposal> | undefined }
  | { readonly kind: 'no'; readonly round: number }
  | { readonly kind: 'newer' }
  | { readonly kind: 'older' };

/** What an acceptor must not forget. */
export interface BallotState extends Acceptor<Proposal> {
  readonly version: number;
}

const format = 1;
/** Part of the wire format: append only. */
const requestKinds = { prepare: 1, accept: 2, decided: 3 } as const;
const answerKinds = { yes: 0, no: 1, newer: 2, older: 3 } as const;

export function encodeRequest(request: BallotRequest): Buffer {
  const writer = new ByteWriter(64)
    .byte(format)
    .byte(requestKinds[request.kind])
    .varint(request.version);
  if (request.kind === 'prepare') writeBallot(writer, request.ballot);
  else if (request.kind === 'accept') writeVote(writer, request.vote);
  else writeProposal(writer, request.proposal);
  return writer.done();
}

/** Throws a CodecError, as do all that read. Shares no memory with the bytes, as all. */
export function decodeRequest(bytes: Buffer): BallotRequest {
  const reader = readerOf('the request of a ballot', bytes);
  const kind = reader.byte();
  const version = reader.varint();
  const request = readRequest(reader, kind, version);
  reader.finish();
  return request;
}

function readRequest(reader: ByteReader, kind: number, version: number): BallotRequest {
  if (kind === requestKinds.prepare)
    return { kind: 'prepare', version, ballot: readBallot(reader) };
  if (kind === requestKinds.accept) {
    const vote = readVote(reader);
    checkVersion(reader, vote.value, version);
    return { kind: 'accept', version, vote };
  }
  if (kind !== requestKinds.decided) throw reader.error(`of kind ${kind} is not known`);
  const proposal = readProposal(reader);
  checkVersion(reader, proposal, version);
  return { kind: 'decided', version, proposal };
}

export function encodeAnswer(answer: BallotAnswer): Buffer {
  const writer = new ByteWriter(64).byte(format).byte(answerKinds[answer.kind]);
  if (answer.kind === 'yes') writeOptionalVote(writer, answer.accepted);
  else if (answer.kind === 'no') writer.varint(answer.round);
  return writer.done();
}

export function decodeAnswer(bytes: Buffer): BallotAnswer {
  const reader = readerOf('the answer in a ballot', bytes);
  const answer = readAnswer(reader, reader.byte());
  reader.finish();
  return answer;
}

function readAnswer(reader: ByteReader, kind: number): BallotAnswer {
  if (kind === answerKinds.yes) return { kind: 'yes', accepted: readOptionalVote(reader) };
  if (kind === answerKinds.no) return { kind: 'no', round: reader.varint() };
  if (kind === answerKinds.newer) return { kind: 'newer' };
  if (kind === answerKinds.older) return { kind: 'older' };
  throw reader.error(`of kind ${kind} is not known`);
}

export function encodeState({ version, promised, accepted }: BallotState): Buffer {
  const writer = new ByteWriter(64).byte(format).varint(version);
  writeBallot(writer, promised);
  writeOptionalVote(writer, accepted);
  return writer.done();
}

export function decodeState(bytes: Buffer): BallotState {
  const reader = readerOf('a ballot', bytes);
  const version = reader.varint();
  const state = { version, promised: readBallot(reader), accepted: readOptionalVote(reader) };
  reader.finish();
  return state;
}

function readerOf(noun: string, bytes: Buffer): ByteReader {
  const reader = new ByteReader(noun, bytes, 0, bytes.length);
  const found = reader.byte();
  if (found !== format) throw reader.error(`of format ${found} is not known`);
  return reader;
}

function checkVersion(reader: ByteReader, { layout }: Proposal, version: number): void {
  if (layout.version !== version) throw reader.error('is about another version');
}

function writeBallot(writer: ByteWriter, { round, node }: Ballot): void {
  writer.varint(round).bytes(Buffer.from(node, 'hex'));
}

function readBallot(reader: ByteReader): Ballot {
  return { round: reader.varint(), node: reader.bytes(nodeIdBytes).toString('hex') };
}

function writeVote(writer: ByteWriter, { ballot, value }: Vote<Proposal>): void {
  writeBallot(writer, ballot);
  writeProposal(writer, value);
}

function readVote(reader: ByteReader): Vote<Proposal> {
  return { ballot: readBallot(reader), value: readProposal(reader) };
}

function writeOptionalVote(writer: ByteWriter, vote: Vote<Proposal> | undefined): void {
  writer.byte(vote === undefined ? 0 : 1);
  if (vote !== undefined) writeVote(writer, vote);
}

function readOptionalVote(reader: ByteReader): Vote<Proposal> | undefined {
  const isThere = reader.byte();
  if (isThere > 1) throw reader.notCanonical();
  return isThere === 1 ? readVote(reader) : undefined;
}

function writeProposal(writer: ByteWriter, { id, layout, members }: Proposal): void {
  assert(id.length === proposalIdBytes, 'a proposal has an id');
  assert(members.length === layout.members.length, 'a proposal knows its members');
  writer.bytes(id).text(encodeLayout(layout));
  for (const [index, member] of members.entries()) {
    assert(member.id === layout.members[index], 'members lie in the order of the layout');
    writeFacts(writer, member);
  }
}

function readProposal(reader: ByteReader): Proposal {
  const id = own(reader.bytes(proposalIdBytes));
  const layout = decodeLayout(reader.bytes(reader.varint()));
  const members = layout.members.map((member) => ({ id: member, ...readFacts(reader) }));
  return { id, layout, members };
}
