/**
 * What R answers to a read amount to (Dynamo 4.5, 5.2). An answer is a record, or only which
 * version of it the node holds; unequal versions are fetched before the read is answered. Answers
 * are merged, and whoever held less than the whole is stale. Only distinct nodes count; a node that
 * is no owner and holds no hint does not count at all, so too few answers are never "not found".
 */
import { emptyBytes } from '../base/bytes.ts';
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
    return this.#answers.filter((answer) => this.#isHere(answer)).length;
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
    const unknown = this.#answers.filter((answer) => !this.#isHere(answer));
    if (unknown.length > 0) return { kind: 'fetch', members: unknown.map(({ member }) => member) };
    const record = this.whole();
    if (record === undefined) return { kind: 'waiting' };
    const [{ version } = { version: emptyBytes }, ...others] = this.#answers;
    if (others.every((answer) => answer.version.equals(version))) {
      return { kind: 'reached', record, stale: [] };
    }
    const newest = this.#versionOf(record);
    const stale = this.#answers.filter((answer) => !answer.version.equals(newest));
    return { kind: 'reached', record, stale: stale.map(({ member }) => member) };
  }

  #isHere(answer: Answer): boolean {
    return this.#answers.some(
      ({ record, version }) => record !== undefined && version.equals(answer.version),
    );
  }

  /** All the records that are here, merged; undefined: none is. */
  whole(): Record | undefined {
    let whole: Record | undefined;
    for (const { record } of this.#answers) {
      if (record !== undefined) whole = whole === undefined ? record : merge(whole, record);
    }
    return whole;
  }

  #add(answer: Answer): void {
    const at = this.#answers.findIndex(({ member }) => member === answer.member);
    if (at < 0) this.#answers.push(answer);
    else this.#answers[at] = answer;
  }
}
