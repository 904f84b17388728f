/** What operators ask of one key: who holds which version, and which hints are on their way. */
import { RedisError } from '../base/errors.ts';
import type { Later } from '../base/later.ts';
import { emptyRecord, merge, type Record } from '../causal/record.ts';
import { digest } from '../causal/record-codec.ts';
import type { Place } from '../replica/place.ts';
import type { Explanation } from './coordinator.ts';
import { readHead } from './heads.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import { decodeReadAnswer, encodeRead, versionOf } from './peer-messages.ts';
import { askAll } from './ring-scan.ts';

/** What one member knows; sent as JSON, for it is asked by people. */
export interface Knowledge {
  /** null: holds nothing. */
  readonly version: string | null;
  readonly siblings: number;
  readonly hints: readonly { readonly target: string; readonly kind: HintKind }[];
}

type HintKind = Explanation['hints'][number]['kind'];

export async function explain(parts: Parts, place: Place): Promise<Explanation> {
  const { ring } = parts;
  const answers = await askAll(parts, peerKinds.explain, requestFor(parts, place), {
    here: () => ownKnowledge(parts, place),
    decode: (body) => JSON.parse(body.toString()) as Knowledge,
  });
  const known = new Map(answers.map(({ member, answer }) => [member, answer]));
  return {
    slot: place.slot,
    partition: ring.partitionOf(place.slot),
    layout: ring.reading.version,
    owners: ring.ownersOf(place.slot).map((owner) => ({
      node: ring.nameOf(owner),
      state: ring.verdict(owner),
      version: known.get(owner)?.version ?? undefined,
      siblings: known.get(owner)?.siblings ?? 0,
    })),
    hints: answers.flatMap(({ member, answer }) =>
      answer.hints.map(({ target, kind }) => ({
        holder: ring.nameOf(member),
        target: ring.nameOf(ring.indexOf(target) ?? -1) || target,
        kind,
      })),
    ),
  };
}

export async function ownKnowledge(parts: Parts, place: Place): Promise<Knowledge> {
  const { ring, replica, hints } = parts;
  const targets = ring.members.map((_, member) => ring.idBytesOf(member));
  const held = ring.isOwner(place.slot) ? await replica.readRecord(place) : undefined;
  const listed = await hints.list(place, targets);
  return {
    version:
      held === undefined || held.vv.length === 0
        ? null
        : digest(held, parts.digest).toString('hex'),
    siblings: held?.siblings.length ?? 0,
    hints: listed.map(([target, kind]) => ({ target: target.toString('hex'), kind })),
  };
}

function requestFor(parts: Parts, place: Place): Buffer {
  return encodeRead(readHead(parts, place), 'whole', Buffer.alloc(0));
}

/** Owners that hold everything that any reachable member knows of the key, hints included. */
export async function holders(parts: Parts, place: Place): Promise<number> {
  const { ring, replica, hints, digest: hash } = parts;
  const owners = ring.ownersOf(place.slot);
  const targets = owners.map((owner) => ring.idBytesOf(owner));
  const answers = await askAll(parts, peerKinds.read, requestFor(parts, place), {
    here: (): Later<Record | undefined> =>
      ring.isOwner(place.slot) ? replica.readRecord(place) : hints.read(targets, place),
    decode: (body): Record | undefined => {
      const answer = decodeReadAnswer(body);
      return answer.kind === 'record' ? answer.record : undefined;
    },
  });
  const known = answers.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
  const held = answers.filter(({ member }) => owners.includes(member));
  if (held.length === 0) throw new RedisError('CLUSTERDOWN need 1 replica, 0 reachable');
  const newest = versionOf(known.reduce(merge, emptyRecord), hash);
  const isComplete = (record: Record): boolean => versionOf(record, hash).equals(newest);
  return held.filter(({ answer }) => answer !== undefined && isComplete(answer)).length;
}
