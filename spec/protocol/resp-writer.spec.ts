import { expect } from 'chai';
import fc from 'fast-check';
import RedisParser from 'redis-parser';
import {
  DoubleReply,
  ErrorReply,
  MapReply,
  noReply,
  nullArray,
  ok,
  Prepared,
  pong,
  type Reply,
  SetReply,
  SimpleString,
  Verbatim,
} from '../../lib/protocol/reply.ts';
import { OutputPages, type Protocol, ReplyWriter } from '../../lib/protocol/resp-writer.ts';

function encode(reply: Reply, protocol: Protocol): string {
  const writer = new ReplyWriter(new OutputPages());
  writer.write(reply, protocol);
  return Buffer.concat(writer.take()).toString();
}

function decode(bytes: Buffer): unknown[] {
  const replies: unknown[] = [];
  const parser = new RedisParser({
    returnReply: (reply: unknown) => replies.push(reply),
    returnError: (error: Error) => replies.push(error.message),
    returnBuffers: true,
  });
  parser.execute(bytes);
  return replies;
}

/** A reply, and what a RESP2 client sees of it (texts as bytes). */
interface Sample {
  readonly reply: Reply;
  readonly seen: unknown;
}

const line = fc.stringMatching(/^[ -~]{0,60}$/);
const leaf: fc.Arbitrary<Sample> = fc.oneof(
  fc.integer().map((reply) => ({ reply, seen: reply })),
  fc.constantFrom(0, 9, 10, 99, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e12, -1).map((reply) => ({
    reply,
    seen: reply,
  })),
  fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }).map((reply) => ({ reply, seen: Number(reply) })),
  fc.constant({ reply: null, seen: null }),
  fc.constant({ reply: nullArray, seen: null }),
  fc.uint8Array({ maxLength: 100 }).map(toBuffer),
  fc.integer({ min: 16_000, max: 17_000 }).map((length) => toBuffer(Buffer.alloc(length, length))),
  fc.string({ unit: 'grapheme' }).map((reply) => ({ reply, seen: Buffer.from(reply) })),
  line.map((text) => ({ reply: new SimpleString(text), seen: Buffer.from(text) })),
  line.map((text) => ({ reply: new Verbatim(text), seen: Buffer.from(text) })),
  fc.constant({ reply: new DoubleReply(1.5), seen: Buffer.from('1.5') }),
);
const sample: fc.Arbitrary<Sample> = fc.letrec<{ any: Sample }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('any'), { maxLength: 6 }).map((all) => ({
      reply: all.map(({ reply }) => reply),
      seen: all.map(({ seen }) => seen),
    })),
    fc.array(tie('any'), { maxLength: 6 }).map((all) => ({
      reply: new SetReply(all.map(({ reply }) => reply)),
      seen: all.map(({ seen }) => seen),
    })),
    fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 4 }).map((pairs) => ({
      reply: new MapReply(pairs.map(([key, value]) => [key.reply, value.reply])),
      seen: pairs.flatMap(([key, value]) => [key.seen, value.seen]),
    })),
  ),
})).any;

function toBuffer(bytes: Uint8Array): Sample {
  return { reply: Buffer.from(bytes), seen: Buffer.from(bytes) };
}

describe('reply writer', () => {
  const rows: readonly [name: string, reply: Reply, resp2: string, resp3?: string][] = [
    ['+OK', ok, '+OK\r\n'],
    ['a simple string', pong, '+PONG\r\n'],
    ['an error', new ErrorReply('ERR no'), '-ERR no\r\n'],
    ['CR and LF in an error as spaces', new ErrorReply('ERR a\r\nb\nc'), '-ERR a  b c\r\n'],
    ['CR and LF in a simple string as spaces', new SimpleString('a\rb\n'), '+a b \r\n'],
    ['zero', 0, ':0\r\n'],
    ['a negative integer', -12, ':-12\r\n'],
    ['a safe integer', 2 ** 53 - 1, ':9007199254740991\r\n'],
    ['a 64-bit integer', -(2n ** 63n), ':-9223372036854775808\r\n'],
    ['a bulk', Buffer.from('a\r\nb'), '$4\r\na\r\nb\r\n'],
    ['an empty bulk', Buffer.alloc(0), '$0\r\n\r\n'],
    ['a string as UTF-8', 'né', '$3\r\nné\r\n'],
    ['null', null, '$-1\r\n', '_\r\n'],
    ['a null array', nullArray, '*-1\r\n', '_\r\n'],
    ['an array', [1, 'a', null], '*3\r\n:1\r\n$1\r\na\r\n$-1\r\n', '*3\r\n:1\r\n$1\r\na\r\n_\r\n'],
    ['an empty array', [], '*0\r\n'],
    ['an error in an array', [new ErrorReply('ERR x')], '*1\r\n-ERR x\r\n'],
    ['a map', new MapReply([['a', 1]]), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
    ['a set', new SetReply([1, 2]), '*2\r\n:1\r\n:2\r\n', '~2\r\n:1\r\n:2\r\n'],
    ['a verbatim text', new Verbatim('hi'), '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
    ['a double', new DoubleReply(-0.25), '$5\r\n-0.25\r\n', ',-0.25\r\n'],
    ['infinity', new DoubleReply(Infinity), '$3\r\ninf\r\n', ',inf\r\n'],
    ['minus infinity', new DoubleReply(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['no number', new DoubleReply(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
    ['nothing for no reply', noReply, ''],
  ];
  for (const [name, reply, resp2, resp3] of rows) {
    it(`writes ${name}`, () => {
      expect(encode(reply, 2)).to.equal(resp2);
      expect(encode(reply, 3)).to.equal(resp3 ?? resp2);
    });
  }

  it('writes what a RESP2 client reads back', () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 30 }), (samples) => {
        const writer = new ReplyWriter(new OutputPages());
        for (const { reply } of samples) writer.write(reply, 2);
        const bytes = writer.bytes;
        const output = Buffer.concat(writer.take());
        expect(output.length).to.equal(bytes);
        expect(decode(output)).to.deep.equal(samples.map(({ seen }) => seen));
        expect(writer.bytes).to.equal(0);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the outputs of writers that share pages apart', () => {
    const steps = fc.array(
      fc.record({ writer: fc.nat(2), bytes: fc.nat(30_000), take: fc.boolean() }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const pages = new OutputPages();
        const writers = [0, 1, 2].map(() => new ReplyWriter(pages));
        const taken: Buffer[][] = [[], [], []];
        const expected: string[] = ['', '', ''];
        all.forEach(({ writer, bytes, take }, index) => {
          const text = String.fromCharCode(97 + (index % 26)).repeat(bytes);
          writers[writer]?.write(text, 2);
          expected[writer] += `$${bytes}\r\n${text}\r\n`;
          if (take) taken[writer]?.push(...(writers[writer]?.take() ?? []));
        });
        writers.forEach((writer, index) => {
          const output = Buffer.concat([...(taken[index] ?? []), ...writer.take()]).toString();
          expect(output === expected[index]).to.equal(true);
        });
      }),
      { numRuns: 100 },
    );
  });

  it('has consumed the bytes of a reply when write returns', () => {
    for (const length of [3, 100, 5000, 100_000]) {
      const writer = new ReplyWriter(new OutputPages());
      const view = Buffer.alloc(length, 'a');
      writer.write(view, 2);
      view.fill('b');
      expect(Buffer.concat(writer.take()).includes('b')).to.equal(false);
    }
  });

  it('puts the replies of one turn into one chunk', () => {
    const writer = new ReplyWriter(new OutputPages());
    for (let count = 0; count < 100; count += 1) writer.write([ok, null, 'value'], 3);
    expect(writer.take()).to.have.length(1);
  });

  it('writes what is prepared as if it were not, however long, wherever it stands', () => {
    for (const length of [3, 1000, 20_000, 100_000]) {
      const inner = [new MapReply([['k', 'x'.repeat(length)]]), null];
      const prepared = new Prepared(inner);
      for (const protocol of [2, 3, 2] as const) {
        const plain = encode(['before', inner, 'after', inner], protocol);
        expect(encode(['before', prepared, 'after', prepared], protocol) === plain).to.equal(true);
      }
    }
  });

  it('writes a text that is longer than a page', () => {
    const text = 'e'.repeat(200_000);
    expect(encode(new ErrorReply(text), 2) === `-${text}\r\n`).to.equal(true);
  });
});
