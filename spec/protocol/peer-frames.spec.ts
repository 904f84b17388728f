import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Frame,
  FrameReader,
  FrameWriter,
  frameHeaderBytes,
} from '../../lib/protocol/peer-frames.ts';

const mega = 1024 * 1024;

const frames = fc.array(
  fc.record({
    kind: fc.integer({ min: 0, max: 255 }),
    requestId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    token: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    body: fc
      .oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
        { weight: 1, arbitrary: fc.integer({ min: 2040, max: 2060 }) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
      )
      .map((bytes) => Buffer.alloc(bytes, bytes)),
  }),
  { maxLength: 30 },
);

function bytesOf(list: readonly Frame[]): Buffer {
  const writer = new FrameWriter();
  for (const { kind, requestId, token, body } of list) writer.write(kind, requestId, token, body);
  return Buffer.concat(writer.take());
}

function copyOf(frame: Frame): Frame {
  return { ...frame, body: Buffer.from(frame.body) };
}

/** Each chunk is overwritten once its turn is over, as sockets may do. */
function readAll(reader: FrameReader, chunks: readonly Buffer[]): Frame[] {
  const read: Frame[] = [];
  for (const chunk of chunks) {
    const borrowed = Buffer.from(chunk);
    reader.push(borrowed);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      read.push(copyOf(frame));
    }
    borrowed.fill(0xdd);
  }
  return read;
}

function split(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

const splits = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9000 })),
  {
    minLength: 1,
    maxLength: 10,
  },
);

describe('peer frames', () => {
  it('come out as they went in, however their bytes are split', () => {
    fc.assert(
      fc.property(frames, splits, (list, lengths) => {
        const reader = new FrameReader(mega);
        expect(readAll(reader, split(bytesOf(list), lengths))).to.deep.equal(list);
        expect(reader.fault).to.equal(undefined);
      }),
      { numRuns: 200 },
    );
  });

  it('of one turn leave as one part, long bodies as parts of their own, not copied', () => {
    const writer = new FrameWriter();
    const long = Buffer.alloc(5000, 1);
    for (let id = 0; id < 10; id += 1) writer.write(7, id, 0, Buffer.from('short'));
    expect(writer.take()).to.have.length(1);
    writer.write(7, 1, 0, long);
    writer.write(7, 2, 0, Buffer.from('short'));
    const bytes = 2 * frameHeaderBytes + long.length + 5;
    expect(writer.bytes).to.equal(bytes);
    const parts = writer.take();
    expect(parts).to.have.length(3);
    expect(parts[1]).to.equal(long);
    expect(writer.bytes).to.equal(0);
  });

  it('give bodies as views of the chunk when they lie in it', () => {
    const chunk = bytesOf([{ kind: 1, requestId: 2, token: 3, body: Buffer.from('body') }]);
    const reader = new FrameReader(mega);
    reader.push(chunk);
    const frame = reader.next();
    chunk.write('ab', frameHeaderBytes);
    expect(String(frame?.body)).to.equal('abdy');
  });

  it('end the reading where one is longer than allowed, before its body comes', () => {
    const chunk = bytesOf([{ kind: 1, requestId: 2, token: 3, body: Buffer.alloc(100) }]);
    const reader = new FrameReader(100 + frameHeaderBytes - 1);
    expect(readAll(reader, [chunk.subarray(0, frameHeaderBytes)])).to.deep.equal([]);
    expect(reader.fault).to.equal('a frame is too long');
    const exact = new FrameReader(100 + frameHeaderBytes);
    expect(readAll(exact, [chunk])).to.have.length(1);
  });

  it('end the reading where one is shorter than its header', () => {
    const reader = new FrameReader(mega);
    const whole = bytesOf([{ kind: 1, requestId: 2, token: 3, body: Buffer.alloc(0) }]);
    whole.writeUInt32BE(10, 0);
    expect(readAll(reader, split(whole, [5]))).to.deep.equal([]);
    expect(reader.fault).to.equal('a frame is too short');
  });

  it('take memory for bytes that came, not for a length that was announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers: FrameReader[] = [];
    for (let count = 0; count < 100; count += 1) {
      const head = Buffer.alloc(frameHeaderBytes + 1);
      head.writeUInt32BE(400 * mega, 0);
      const reader = new FrameReader(512 * mega);
      readAll(reader, split(head, [3]));
      readers.push(reader);
    }
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(mega);
    expect(readers).to.have.length(100);
  });

  it('never make the reader throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), splits, (bytes, lengths) => {
        readAll(new FrameReader(1000), split(Buffer.from(bytes), lengths));
      }),
    );
  });
});
