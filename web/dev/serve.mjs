// Design aid, never shipped: serves the page with the fake engine, rebuilt on every request of the page.
//   npm run dev [port]    then open /?scene=joining (see fake-engine.ts)

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const EMPTY_WASM = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const CSP =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

const PLACES = {
  WASM_URL: '/warren.wasm',
  APPS_WASM_URL: '/warren.wasm',
  NAMES_WASM_URL: '/warren.wasm',
  NAMES_WORKER_URL: '/names-worker.js',
  STORE_WASM_URL: '/warren.wasm',
  FILES_WORKER_URL: '/files-worker.js',
  TALK_STYLE_URL: '/talk.css',
};

const fakeEngine = {
  name: 'fake-engine',
  setup(build) {
    build.onResolve({ filter: /wasm\/warren_(wasm|names|apps)\.js$/ }, () => ({ path: here('fake-engine.ts') }));
  },
};

async function bundle(entry) {
  const result = await build({
    entryPoints: [here(entry)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    alias: { 'warren-p2p': here('../../wasm-peer/js/src/index.ts') },
    define: Object.fromEntries(Object.entries(PLACES).map(([name, place]) => [name, JSON.stringify(place)])),
    plugins: [fakeEngine],
  });
  return result.outputFiles[0].text;
}

const FILES = {
  '/main.js': ['text/javascript', () => bundle('../src/main.ts')],
  '/main.css': ['text/css', () => bundle('../src/styles/main.css')],
  '/talk.css': ['text/css', () => bundle('../src/styles/talk.css')],
  '/icon.svg': ['image/svg+xml', () => readFileSync(here('../src/icon.svg'))],
  '/warren.wasm': ['application/wasm', () => EMPTY_WASM],
  '/.well-known/warren.json': ['application/json', () => '{}'],
  '/': ['text/html; charset=utf-8', page],
};

function page() {
  const names = { preload: '', wasm: '/warren.wasm', script: '/main.js', style: '/main.css', icon: '/icon.svg' };
  return readFileSync(here('../src/index.html'), 'utf8').replaceAll(/\{\{(\w+)\}\}/g, (_, name) => names[name]);
}

const server = createServer(async (request, response) => {
  const file = FILES[new URL(request.url, 'http://local').pathname];
  if (!file) return response.writeHead(404).end();
  try {
    const body = await file[1]();
    response.writeHead(200, { 'content-type': file[0], 'content-security-policy': CSP, 'cache-control': 'no-store' }).end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});

server.listen(Number(process.argv[2] ?? 5173), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/?scene=joined`);
});
