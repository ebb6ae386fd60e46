// Builds a page of another implementation and serves it as well as a relay serves ours: minified, brotli, one request.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';

/**
 * `entry` is the URL of the page's script, `task` what it reads from the element of that id. `alias` says where
 * modules are that no package provides, `files` which WebAssembly is served beside the script, by URL path, `scripts` which
 * other scripts are, bundled as well: those of workers.
 */
export async function serveBundled(entry, task = {}, { alias = {}, files = {}, scripts = {} } = {}) {
  const script = brotli(await bundle(fileURLToPath(entry), alias));
  const page = brotli(html(task));
  const others = new Map(Object.entries(files).map(([path, file]) => [path, { type: 'application/wasm', bytes: readFileSync(file) }]));
  for (const [path, file] of Object.entries(scripts)) others.set(path, { type: 'text/javascript', bytes: await bundle(file, alias) });
  const server = createServer((request, response) => {
    const other = others.get(request.url);
    if (other) {
      response.writeHead(200, { 'content-type': other.type });
      response.end(other.bytes);
      return;
    }
    const isScript = request.url === '/page.js';
    response.writeHead(isScript || request.url === '/' ? 200 : 404, {
      'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8',
      'content-encoding': 'br',
    });
    response.end(isScript ? script : page);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, bytes: script.length, close };
}

async function bundle(entry, alias) {
  const result = await build({
    entryPoints: [entry],
    alias,
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2022'],
    logLevel: 'error',
  });
  return Buffer.from(result.outputFiles[0].contents);
}

function html(task) {
  const json = JSON.stringify(task).replaceAll('<', '\\u003c');
  return Buffer.from(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Another implementation</title>
<link rel="icon" href="data:,"><script type="application/json" id="task">${json}</script>
<script type="module" src="/page.js"></script></html>`);
}

function brotli(bytes) {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
}
