/**
 * What R answers to a read amount to (Dynamo 4.5, 5.2). An answer is a record, or only which
 * version of it the node holds; unequal versions are fetched before the read is answered. Answers
 * are merged, and whoever held less than the whole is stale. Only distinct nodes count; a node that
 * is no owner and holds no hint does not count at all, so too few answers are never "not found".
 */
import { merge, type Record } from '../causal/record.ts';

export interface Answer {
  readonly member: number;
  readonly version: Buffer;
  readonly record: Record | undefined;
}

export type GetState =
  | { readonly kind: 'waiting' }
  /** These members' records are needed too. */
  | { readonly kind: 'fetch'; readonly members: readonly number[] }
  | { readonly kind: 'reached'; readonly record: Record; readonly stale: readonly number[] };

export class GetCore {
  readonly needed: number;
  readonly #answers: Answer[] = [];
  readonly #versionOf: (record: Record) => Buffer;

  constructor(needed: number, versionOf: (record: Record) => Buffer) {
    this.needed = needed;
    this.#versionOf = versionOf;
  }

  /** Nodes whose answer counts. */
  get answered(): number {
    return this.#answers.length;
  }

  /** Nodes whose answer counts and whose record is here. */
  get complete(): number {
    const isHere = (answer: Answer): boolean =>
      this.#answers.some(
        ({ record, version }) => record !== undefined && version.equals(answer.version),
      );
    return this.#answers.filter(isHere).length;
  }

  /** The version that most likely is everybody's; undefined before the first answer. */
  get version(): Buffer | undefined {
    return this.#answers[0]?.version;
  }

  record(member: number, record: Record): void {
    this.#add({ member, version: this.#versionOf(record), record });
  }

  heldVersion(member: number, version: Buffer): void {
    this.#add({ member, version, record: undefined });
  }

  /** What was counted on did not come: the record behind a version. */
  drop(member: number): void {
    const at = this.#answers.findIndex((answer) => answer.member === member);
    if (at >= 0) this.#answers.splice(at, 1);
  }

  state(): GetState {
    if (this.#answers.length < this.needed) return { kind: 'waiting' };
    const known = this.#answers.filter((answer) => answer.record !== undefined);
    const unknown = this.#answers.filter(
      (answer) => !known.some(({ version }) => version.equals(answer.version)),
    );
    if (unknown.length > 0) return { kind: 'fetch', members: unknown.map(({ member }) => member) };
    return this.#merged(known);
  }

  #merged(known: readonly Answer[]): GetState {
    let whole: Record | undefined;
    let version: Buffer | undefined;
    for (const { record, version: held } of known) {
      if (record === undefined || version?.equals(held) === true) continue;
      if (whole === undefined) [whole, version] = [record, held];
      else {
        whole = merge(whole, record);
        version = undefined;
      }
    }
    if (whole === undefined) return { kind: 'waiting' };
    const newest = version ?? this.#versionOf(whole);
    const stale = this.#answers.filter((answer) => !answer.version.equals(newest));
    return { kind: 'reached', record: whole, stale: stale.map(({ member }) => member) };
  }

  #add(answer: Answer): void {
    const at = this.#answers.findIndex(({ member }) => member === answer.member);
    if (at < 0) this.#answers.push(answer);
    else this.#answers[at] = answer;
  }
}
