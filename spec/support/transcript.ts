/**
 * Plays a written dialogue against a server and writes down what it answered, byte by byte: the same
 * dialogue with two servers gives the same text where they agree.
 *
 *   SET a "x\r\n\x00"     one request; words in double quotes take the escapes of redis-cli
 *   b: GET a              on another connection, named b; requests to one connection in a row are
 *                         sent in one packet, a change of connection waits for all replies
 *   ~CLIENT REPLY OFF     a request that gets no reply
 *   ?PTTL a               numbers in the reply may differ
 *   @KEYS *               the order of the items in the reply may differ
 *   sleep 20              waits so many milliseconds
 */
import { setTimeout as delay } from 'node:timers/promises';
import { splitInline } from '../../lib/protocol/inline.ts';
import { encodeRequest, RawClient } from './raw-client.ts';
import { splitFrames } from './resp-frames.ts';

export type Protocol = 2 | 3;

interface Line {
  readonly text: string;
  readonly connection: string;
  readonly mark: string;
  readonly words: readonly Buffer[];
}

const replyTimeoutMs = 5000;

/** One entry for each line of the dialogue: what was sent, and what came back. */
export async function transcribe(
  port: number,
  protocol: Protocol,
  dialogue: string,
): Promise<string[]> {
  const connections = new Map<string, RawClient>();
  const entries: string[] = [];
  try {
    for (const lines of segments(parse(dialogue))) {
      const [first] = lines;
      if (first?.text.startsWith('sleep ')) await delay(Number(first.text.slice(6)));
      else entries.push(...(await play(await connectionOf(first?.connection ?? ''), lines)));
    }
  } finally {
    for (const connection of connections.values()) await connection.close();
  }
  return entries;

  async function connectionOf(name: string): Promise<RawClient> {
    const known = connections.get(name);
    if (known !== undefined) return known;
    const made = await RawClient.connect(port, { undecoded: true });
    connections.set(name, made);
    if (protocol === 3) {
      made.send(encodeRequest('HELLO', 3));
      await repliesOf(made, 1);
    }
    return made;
  }
}

async function play(connection: RawClient, lines: readonly Line[]): Promise<string[]> {
  connection.send(Buffer.concat(lines.map(({ words }) => encodeRequest(...words))));
  const answered = lines.filter(({ mark }) => mark !== '~');
  const replies = await repliesOf(connection, answered.length);
  const entries = answered.map((line, index) => `${line.text} -> ${shown(line, replies[index])}`);
  const surplus = replies.slice(answered.length).map((reply) => `surplus: ${escaped(reply)}`);
  return [...entries, ...surplus];
}

/** So many replies; fewer if the server closes or falls silent. */
async function repliesOf(connection: RawClient, count: number): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  let bytes: Buffer = Buffer.alloc(0);
  const deadline = setTimeout(() => connection.socket.destroy(), replyTimeoutMs);
  while (frames.length < count && !connection.socket.destroyed) {
    const more = await connection.receive(Math.max(1, connection.received.length)).catch(nothing);
    const { frames: found, rest } = splitFrames(Buffer.concat([bytes, more]));
    frames.push(...found);
    bytes = rest;
  }
  clearTimeout(deadline);
  return frames;
}

function nothing(): Buffer {
  return Buffer.alloc(0);
}

function segments(lines: readonly Line[]): Line[][] {
  const found: Line[][] = [];
  for (const line of lines) {
    const last = found.at(-1);
    const joins = last?.[0]?.connection === line.connection && !line.text.startsWith('sleep ');
    if (joins && !last?.[0]?.text.startsWith('sleep ')) last?.push(line);
    else found.push([line]);
  }
  return found;
}

function parse(dialogue: string): Line[] {
  return dialogue
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((text) => {
      const [, connection = '', mark = '', request = ''] =
        /^(?:([a-z]): )?([~?@]?)(.*)$/s.exec(text) ?? [];
      return { text, connection, mark, words: splitInline(Buffer.from(request)) ?? [] };
    });
}

/** A reply as text, in the light of the mark of its line. */
function shown({ mark }: Line, reply: Buffer | undefined): string {
  if (reply === undefined) return 'no reply, connection closed';
  const text = escaped(reply);
  if (mark === '?') return text.replaceAll(/\d+/g, 'N');
  if (mark === '@') return text.split('\\r\\n').sort().join(' ');
  return text;
}

function escaped(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1')).slice(1, -1);
}
