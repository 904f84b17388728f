import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError, RequestReader } from '../../lib/protocol/resp-reader.ts';
import { encodeRequest } from '../support/raw-client.ts';

const bulkBytesMax = 1024 * 1024;

interface Outcome {
  readonly requests: string[][];
  readonly error: string | undefined;
}

/** Pushes the chunks one by one and reads all that can be read after each. */
function read(chunks: readonly Buffer[], reader = new RequestReader(bulkBytesMax)): Outcome {
  const requests: string[][] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let request = reader.next(); request !== undefined; request = reader.next()) {
      if (request instanceof ProtocolError) return { requests, error: request.text };
      requests.push(request.map((argument) => argument.toString('latin1')));
    }
  }
  return { requests, error: undefined };
}

function readText(text: string, reader?: RequestReader): Outcome {
  return read([Buffer.from(text, 'latin1')], reader);
}

function stranger(): RequestReader {
  const reader = new RequestReader(bulkBytesMax);
  reader.authenticated = false;
  return reader;
}

/** Cuts `bytes` at the given places. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => Buffer.from(bytes.subarray(from, places[index])));
}

const argument = fc
  .oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 20 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 200, maxLength: 3000 }) },
  )
  .map((bytes) => Buffer.from(bytes));
const word = fc.stringMatching(/^[a-zA-Z0-9]{1,12}$/);
const piece = fc.oneof(
  fc.array(argument, { minLength: 1, maxLength: 12 }).map((args) => ({
    bytes: encodeRequest(...args),
    request: [args.map((arg) => arg.toString('latin1'))],
  })),
  fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => ({
    bytes: Buffer.from(`${words.join(' ')}\r\n`),
    request: [words],
  })),
  fc.constantFrom('*0\r\n', '*-3\r\n', '\r\n', '\n', '  \r\n').map((text) => ({
    bytes: Buffer.from(text),
    request: [],
  })),
);
const cuts = fc.array(fc.nat(), { maxLength: 40 });

describe('request reader', () => {
  it('gives the same requests however the input is split', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), cuts, (pieces, places) => {
        const bytes = Buffer.concat(pieces.map((one) => one.bytes));
        const expected = { requests: pieces.flatMap((one) => one.request), error: undefined };
        expect(read(split(bytes, places))).to.deep.equal(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same requests when every byte comes alone', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const bytes = Buffer.concat(pieces.map((one) => one.bytes));
        const alone = [...bytes].map((byte) => Buffer.of(byte));
        expect(read(alone).requests).to.deep.equal(pieces.flatMap((one) => one.request));
      }),
      { numRuns: 50 },
    );
  });

  it('gives the same verdict on noise however it is split, and never throws', () => {
    const noise = fc.array(
      fc.oneof(
        fc.constantFrom('*', '$', '\r\n', '\n', '-', '0', '1', '2', '12', '"', "'", ' ', 'a', '\\'),
        fc.constantFrom('*1\r\n', '*2\r\n', '$1\r\na\r\n', '$0\r\n\r\n', '\x00', '\xff'),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(noise, cuts, (parts, places) => {
        const bytes = Buffer.from(parts.join(''), 'latin1');
        expect(read(split(bytes, places))).to.deep.equal(read([bytes]));
      }),
      { numRuns: 1000 },
    );
  });

  it('never overwrites an argument it has handed out', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), cuts, (pieces, places) => {
        const reader = new RequestReader(bulkBytesMax);
        const handedOut: Buffer[] = [];
        for (const chunk of split(Buffer.concat(pieces.map((one) => one.bytes)), places)) {
          reader.push(chunk);
          for (let request = reader.next(); request !== undefined; request = reader.next()) {
            if (!(request instanceof ProtocolError)) handedOut.push(...request);
          }
        }
        const expected = pieces.flatMap((one) => one.request.flat());
        expect(handedOut.map((bytes) => bytes.toString('latin1'))).to.deep.equal(expected);
      }),
    );
  });

  const long = '1'.repeat(64 * 1024);
  const refusals: readonly [input: string, reason: string][] = [
    ['*abc\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*-0\r\n', 'invalid multibulk length'],
    ['* 1\r\n', 'invalid multibulk length'],
    ['*1x\r\n', 'invalid multibulk length'],
    ['*2147483648\r\n', 'invalid multibulk length'],
    ['*99999999999999999999\r\n', 'invalid multibulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$abc\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$03\r\nabc\r\n', 'invalid bulk length'],
    ['*1\r\n$1048577\r\n', 'invalid bulk length'],
    ['*1\r\n:3\r\n', "expected '$', got ':'"],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*2\r\n$3\r\nGET\r\n*1\r\n', "expected '$', got '*'"],
    [`*${long}`, 'too big mbulk count string'],
    [`*1\r\n$${long}`, 'too big bulk count string'],
    [`x${long}`, 'too big inline request'],
    ['SET "a\r\n', 'unbalanced quotes in request'],
    ["SET 'a\r\n", 'unbalanced quotes in request'],
    ['SET "a"b\r\n', 'unbalanced quotes in request'],
  ];
  for (const [input, reason] of refusals) {
    const shown = input.length > 40 ? `${input.slice(0, 12)}...` : input;
    it(`refuses ${JSON.stringify(shown)}: ${reason}`, () => {
      expect(readText(input)).to.deep.equal({ requests: [], error: `Protocol error: ${reason}` });
    });
  }

  it('reads nothing behind a protocol error, and goes on reporting it', () => {
    const reader = new RequestReader(bulkBytesMax);
    const { requests, error } = readText('PING\r\n*x\r\nPING\r\n', reader);
    expect(requests).to.deep.equal([['PING']]);
    expect(readText('PING\r\n', reader)).to.deep.equal({ requests: [], error });
    expect(reader.heldBytes).to.be.at.most('PING\r\n'.length);
  });

  it('ends an inline command at LF alone, but a header not', () => {
    expect(readText('PING\nECHO x\r\n').requests).to.deep.equal([['PING'], ['ECHO', 'x']]);
    expect(readText('*1\n$4\nPING\n').requests).to.deep.equal([]);
  });

  it('lets a stranger send 10 arguments of 16384 bytes, and no more', () => {
    const allowed = encodeRequest(...new Array(10).fill(Buffer.alloc(16384)));
    expect(read([allowed], stranger()).requests).to.have.length(1);
    expect(readText('*11\r\n', stranger()).error).to.equal(
      'Protocol error: unauthenticated multibulk length',
    );
    expect(readText('*1\r\n$16385\r\n', stranger()).error).to.equal(
      'Protocol error: unauthenticated bulk length',
    );
  });

  it('takes a new limit for bulks at once', () => {
    const reader = new RequestReader(10);
    reader.bulkBytesMax = 12;
    expect(readText('*1\r\n$12\r\nabcdefghijkl\r\n', reader).requests).to.have.length(1);
  });

  it('takes claims of 512 MB and of 2147483647 arguments without allocating for them', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => new RequestReader(512 * 1024 * 1024));
    for (const reader of readers) {
      expect(readText('*2147483647\r\n$536870912\r\nab', reader).error).to.equal(undefined);
      expect(readText('c', reader).error).to.equal(undefined);
      expect(reader.heldBytes).to.equal(3);
      expect(reader.announcedBytes).to.equal(536870912 + 2 - 3);
    }
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(1024 * 1024);
  });

  it('counts the memory of arguments whose request is not whole', () => {
    const reader = new RequestReader(bulkBytesMax);
    readText(`*100000\r\n${'$0\r\n\r\n'.repeat(10_000)}`, reader);
    expect(reader.heldBytes).to.be.above(10_000 * 64);
    expect(reader.announcedBytes).to.equal(0);
  });

  it('holds nothing once everything has become a request', () => {
    const reader = new RequestReader(bulkBytesMax);
    readText('PING\r\n*1\r\n$4\r\nPING\r\n', reader);
    expect(reader.heldBytes).to.equal(0);
  });

  it('moves each byte of a big bulk a bounded number of times, however small the chunks', () => {
    const bulkBytes = 500_000;
    const chunkBytes = 10;
    const moved = countingMovedBytes(() => {
      const reader = new RequestReader(bulkBytesMax);
      readText(`*1\r\n$${bulkBytes}\r\n`, reader);
      const chunk = Buffer.alloc(chunkBytes, 'x');
      for (let sent = 0; sent < bulkBytes; sent += chunkBytes) {
        expect(reader.next()).to.equal(undefined);
        reader.push(chunk);
      }
      expect(readText('\r\n', reader).requests[0]?.[0]).to.have.length(bulkBytes);
    });
    expect(moved).to.be.below(4 * bulkBytes);
  });
});

/** Bytes that go through the two ways in which a buffer is filled from another. */
function countingMovedBytes(work: () => void): number {
  const { copy } = Buffer.prototype;
  const { set } = Uint8Array.prototype;
  let moved = 0;
  Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<typeof copy>): number {
    const count = copy.apply(this, args);
    moved += count;
    return count;
  };
  Uint8Array.prototype.set = function (source, offset) {
    moved += source.length;
    set.call(this, source, offset);
  };
  try {
    work();
  } finally {
    Buffer.prototype.copy = copy;
    Uint8Array.prototype.set = set;
  }
  return moved;
}
