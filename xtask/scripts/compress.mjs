// Writes the .br and .gz siblings of every compressible file below a folder: `node compress.mjs FOLDER [--quick]`.
// Best effort is for what users download; --quick is for a developer who waits.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const COMPRESSIBLE = new Set(['.css', '.html', '.ico', '.js', '.json', '.mjs', '.svg', '.txt', '.wasm', '.webmanifest']);
const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);

/** Which of them is best depends on the file; they differ by some hundred bytes. */
const SETTINGS = [{}, { [zlib.constants.BROTLI_PARAM_NDIRECT]: 4 }, { [zlib.constants.BROTLI_PARAM_MODE]: zlib.constants.BROTLI_MODE_FONT }];

const [folder, effort] = process.argv.slice(2);
const quick = effort === '--quick';

const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
const files = entries
  .filter((entry) => entry.isFile() && COMPRESSIBLE.has(extname(entry.name)))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
await Promise.all(files.map(siblings));

async function siblings(file) {
  const bytes = readFileSync(file);
  const [br, gz] = await Promise.all([smallest(bytes), gzip(bytes, { level: quick ? 1 : 9 })]);
  writeFileSync(`${file}.br`, br);
  writeFileSync(`${file}.gz`, gz);
}

/** The smallest of what several settings give. */
async function smallest(bytes) {
  const params = {
    [zlib.constants.BROTLI_PARAM_QUALITY]: quick ? 4 : zlib.constants.BROTLI_MAX_QUALITY,
    [zlib.constants.BROTLI_PARAM_LGWIN]: zlib.constants.BROTLI_MAX_WINDOW_BITS,
    [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const tries = quick ? [{}] : SETTINGS;
  const made = await Promise.all(tries.map((setting) => brotli(bytes, { params: { ...params, ...setting } })));
  return made.reduce((best, next) => (next.length < best.length ? next : best));
}
