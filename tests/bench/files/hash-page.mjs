// BLAKE3 as the worker for files has it, in a page that has nothing else: the same module takes a file in, and what it would
// write goes nowhere. Beside it SHA-256 as the browser has it.

import start, { Taking } from 'warren-store';
import { blake3 } from '@noble/hashes/blake3.js';
import { randomPieces } from './sums.mjs';

/** As files cross to the worker. */
const PIECE = 256 * 1024;
/** Where the hash is in what the module says of a file: behind a mark of 8 bytes and what kind of id it is. */
const ROOT = [12, 44];
const NOWHERE = {
  read() {
    throw new Error('nothing was written');
  },
  write() {},
  resize() {},
  flush() {},
  size: () => 0,
};
let bytes;

window.create = async (size) => {
  await start({ module_or_path: new URL('/store.wasm', location.href) });
  bytes = new Uint8Array(await new Blob([...randomPieces(size)]).arrayBuffer());
};

/** Milliseconds, and the hash. */
window.own = () => {
  const began = performance.now();
  const taking = Taking.begin(NOWHERE, bytes.length);
  for (let at = 0; at < bytes.length; at += PIECE) taking.take(bytes.subarray(at, at + PIECE));
  const slot = taking.finish();
  const ms = performance.now() - began;
  const sum = hex(slot.map().subarray(...ROOT));
  slot.free();
  return { ms, sum };
};

/** Milliseconds. */
window.browsers = async () => {
  const began = performance.now();
  await crypto.subtle.digest('SHA-256', bytes);
  return performance.now() - began;
};

/** The same hash from an implementation of others. */
window.check = () => hex(blake3(bytes));

function hex(hash) {
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

window.ready = true;
