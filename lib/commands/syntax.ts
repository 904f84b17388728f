/**
 * The grammar of a command row, read into the argument tree that COMMAND DOCS answers and redis-cli
 * makes its hints of. One notation serves the README, DYN.HELP and this:
 *
 *   key [key ...]      one or more        [NX | XX]      optional, one of
 *   <ON | OFF>         one of             EX seconds     a token and its value
 */

export interface SyntaxArgument {
  readonly name: string;
  readonly type: 'key' | 'string' | 'integer' | 'pattern' | 'pure-token' | 'oneof' | 'block';
  /** The word that goes before the value, or is it. */
  readonly token?: string;
  readonly optional?: boolean;
  readonly multiple?: boolean;
  readonly parts?: readonly SyntaxArgument[];
}

const closers: { readonly [opener: string]: string } = { '[': ']', '<': '>' };
const isToken = /^[A-Z][A-Z0-9_-]*$/;
const keyNames = /^(key\d?|newkey|source|destination)$/;
const integerNames = new RegExp(
  '^(seconds|milliseconds|unix-time.*|index|offset|start|end|count|increment|decrement|timeout|n|' +
    'db|bit|cursor|len|.*-id|numreplicas|protover|destination-db|weight)$',
);

export function parseSyntax(syntax: string): readonly SyntaxArgument[] {
  const words = syntax.match(/\.\.\.|[[\]<>|]|[^\s[\]<>|]+/g) ?? [];
  return new Reader(words).whole();
}

class Reader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  whole(): readonly SyntaxArgument[] {
    const [first = [], ...others] = this.#choices();
    return others.length === 0 ? first : [grouped([first, ...others])];
  }

  /** Up to the end, a closing bracket, `|` or `...`. */
  #sequence(): readonly SyntaxArgument[] {
    const found: SyntaxArgument[] = [];
    for (let word = this.#peek(); word !== undefined; word = this.#peek()) {
      if (word === ']' || word === '>' || word === '|' || word === '...') break;
      if (word === '[') this.#optional(found);
      else found.push(this.#single());
    }
    return found;
  }

  #peek(): string | undefined {
    return this.#words[this.#at];
  }

  #skip(word: string): boolean {
    if (this.#peek() !== word) return false;
    this.#at += 1;
    return true;
  }

  /** `[...]`: a new optional argument, or the repetition of what stands before it. */
  #optional(before: SyntaxArgument[]): void {
    const { choices, repeats } = this.#bracket();
    const [only = []] = choices;
    const repeated = before.slice(-only.length);
    const again =
      repeats && only.length > 0 && only.every(({ name }, at) => name === repeated[at]?.name);
    if (again) before.splice(-only.length, only.length, { ...grouped([only]), multiple: true });
    else before.push({ ...grouped(choices), optional: true, ...(repeats && { multiple: true }) });
  }

  #bracket(): { choices: readonly (readonly SyntaxArgument[])[]; repeats: boolean } {
    const closer = closers[this.#peek() ?? ''] ?? ']';
    this.#at += 1;
    const choices = this.#choices();
    const repeats = this.#skip('...');
    this.#skip(closer);
    return { choices, repeats };
  }

  #choices(): readonly (readonly SyntaxArgument[])[] {
    const choices = [this.#sequence()];
    while (this.#skip('|')) choices.push(this.#sequence());
    return choices;
  }

  /** A placeholder, a token, a token with its value, or `<a | b>`. */
  #single(): SyntaxArgument {
    const word = this.#peek() ?? '';
    if (word === '<') return grouped(this.#bracket().choices);
    this.#at += 1;
    if (!isToken.test(word)) return placeholder(word);
    const next = this.#peek();
    if (next === '<') return { ...grouped(this.#bracket().choices), token: word };
    if (next !== undefined && /^[a-z]/.test(next)) {
      this.#at += 1;
      return { ...placeholder(next), token: word };
    }
    return { name: word.toLowerCase(), type: 'pure-token', token: word };
  }
}

function placeholder(name: string): SyntaxArgument {
  if (keyNames.test(name)) return { name, type: 'key' };
  if (integerNames.test(name)) return { name, type: 'integer' };
  return { name, type: name === 'pattern' ? 'pattern' : 'string' };
}

/** One argument out of alternatives, each of which is a sequence. */
function grouped(choices: readonly (readonly SyntaxArgument[])[]): SyntaxArgument {
  const alternatives = choices.map(blockOf);
  const [first] = alternatives;
  if (first !== undefined && alternatives.length === 1) return first;
  return { name: joined(alternatives), type: 'oneof', parts: alternatives };
}

function blockOf(sequence: readonly SyntaxArgument[]): SyntaxArgument {
  const [first] = sequence;
  if (first !== undefined && sequence.length === 1) return first;
  return { name: joined(sequence), type: 'block', parts: sequence };
}

function joined(parts: readonly SyntaxArgument[]): string {
  return parts.map(({ name }) => name).join('_');
}
