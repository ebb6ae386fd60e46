// A file of random bytes that is to be fetched, and what there is to compare a copy with.

import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sumOf } from './sums.mjs';

export const MIB = 1024 * 1024;

/** `{path, size, sum}`. */
export async function original(folder, name, mib) {
  const path = join(folder.path, name);
  const file = openSync(path, 'w');
  for (let left = mib; left > 0; left -= 1) writeSync(file, randomBytes(MIB));
  closeSync(file);
  return { path, size: mib * MIB, sum: await sumOfFile(path) };
}

/** Fails when a file is not what it should be. */
export async function checkCopy(path, { sum }) {
  if ((await sumOfFile(path)) !== sum) throw new Error(`a wrong byte was stored in ${path}`);
}

function sumOfFile(path) {
  return sumOf(createReadStream(path, { highWaterMark: MIB }));
}
