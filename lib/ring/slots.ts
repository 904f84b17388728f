/**
 * Where a key lies on the ring. The hash space is Redis Cluster's: CRC16/XMODEM of the key, or of
 * its hash tag (the text between the first `{` and the next `}`, if not empty), modulo 16384. Keys
 * that share a tag share a slot. A partition is a run of 16384/Q slots (Dynamo 6.2, strategy 3).
 */
import { assert } from '../base/assert.ts';

export const slotCount = 16384;

const openBrace = 0x7b;
const closeBrace = 0x7d;

const crcTable = new Uint16Array(256).map((_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export function slotOf(key: Buffer): number {
  const open = indexOf(key, openBrace, 0);
  if (open >= 0) {
    const close = indexOf(key, closeBrace, open + 1);
    if (close > open + 1) return crc16(key, open + 1, close) % slotCount;
  }
  return crc16(key, 0, key.length) % slotCount;
}

/** Buffer's own search costs more than the checksum of a usual key. */
function indexOf(key: Buffer, byte: number, from: number): number {
  for (let at = from; at < key.length; at += 1) if (key[at] === byte) return at;
  return -1;
}

export function partitionOf(slot: number, partitions: number): number {
  assert(slot >= 0 && slot < slotCount, 'a slot is 0..16383');
  return Math.floor((slot * partitions) / slotCount);
}

function crc16(bytes: Buffer, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    crc = ((crc << 8) & 0xffff) ^ (crcTable[(crc >> 8) ^ byte] as number);
  }
  return crc;
}
