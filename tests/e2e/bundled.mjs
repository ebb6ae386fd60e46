// Builds a page of another implementation and serves it as well as a relay serves ours: minified, brotli, one request.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';

/** `entry` is the URL of the page's script, `task` what it reads from the element of that id. */
export async function serveBundled(entry, task = {}) {
  const script = brotli(await bundle(fileURLToPath(entry)));
  const page = brotli(html(task));
  const server = createServer((request, response) => {
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

async function bundle(entry) {
  const result = await build({
    entryPoints: [entry],
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
  return Buffer.from(`<!doctype html><html lang="en"><meta charset="utf-8"><title>js-libp2p</title>
<link rel="icon" href="data:,"><script type="application/json" id="task">${json}</script>
<script type="module" src="/page.js"></script></html>`);
}

function brotli(bytes) {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
}
