/**
 * One line of a node's log, as pino writes it for machines, turned into one that people read:
 *
 *   12:34:56.789 notice  n1  ready to accept connections port=7001 version=0.1.0
 *
 * A line that is no JSON (Node's own warnings, a stack) is shown as it is.
 */
const levelWidth = 'verbose'.length;
/** Said by the prefix, or in front. */
const placed: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'msg']);

export function readableLine(node: string, line: string): string {
  const entry = parsed(line);
  if (entry === undefined) return `${' '.repeat(13)}${' '.repeat(levelWidth)} ${node}  ${line}`;
  const fields = Object.entries(entry)
    .filter(([name]) => !placed.has(name))
    .map(([name, value]) => ` ${name}=${shown(value)}`);
  const level = text(entry['level']).padEnd(levelWidth);
  const time = text(entry['time']).slice(11, 23).padEnd(12);
  return `${time} ${level} ${node}  ${text(entry['msg'])}${fields.join('')}`;
}

function parsed(line: string): { readonly [name: string]: unknown } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Words as they are; whatever could be taken for several fields, in quotes. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value) ?? 'undefined';
}

/** Puts lines together from chunks that break anywhere. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  take(chunk: string): void {
    const lines = `${this.#rest}${chunk}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }

  /** The last line had no end. */
  finish(): void {
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}
