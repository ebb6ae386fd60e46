// Builds the page into dist/: index.html beside assets/ with hashed names.
// Needs the engine in ../wasm-peer/js/wasm. `cargo xtask build-web` makes that first, runs this, and then
// writes the compressed siblings. It does not know how the page is served; the relay embeds dist/ as it is.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PACKAGE = '../wasm-peer/js';
const WASM = here(`${PACKAGE}/wasm/warren_wasm_bg.wasm`);
const NAMES_WASM = here(`${PACKAGE}/wasm/warren_names_bg.wasm`);
const APPS_WASM = here(`${PACKAGE}/wasm/warren_apps_bg.wasm`);
const STORE_WASM = here(`${PACKAGE}/wasm/warren_store_bg.wasm`);
const GLUE = ['warren_wasm', 'warren_names', 'warren_apps', 'warren_store'].map((name) => here(`${PACKAGE}/wasm/${name}.js`));
const ASSETS = here('dist/assets');

for (const file of [WASM, NAMES_WASM, APPS_WASM, STORE_WASM, ...GLUE]) {
  if (existsSync(file)) continue;
  console.error(`cause: the engine ${file} does not exist\nremedy: run "cargo xtask build-web", which builds it first`);
  process.exit(1);
}

rmSync(here('dist'), { recursive: true, force: true });
mkdirSync(ASSETS, { recursive: true });
const wasm = writeAsset('warren.wasm', readFileSync(WASM));
const icon = writeAsset('icon.svg', readFileSync(here('src/icon.svg')));
// Loaded when a name, a room, a message or a file needs them, not to join.
const later = {
  APPS_WASM_URL: writeAsset('apps.wasm', readFileSync(APPS_WASM)),
  NAMES_WASM_URL: writeAsset('names.wasm', readFileSync(NAMES_WASM)),
  TALK_STYLE_URL: writeAsset('talk.css', await bundle('src/styles/talk.css')),
  STORE_WASM_URL: writeAsset('store.wasm', readFileSync(STORE_WASM)),
  FILES_WORKER_URL: writeAsset('files-worker.js', await bundle(`${PACKAGE}/src/files-worker.ts`)),
  NAMES_WORKER_URL: writeAsset('names-worker.js', await bundle(`${PACKAGE}/src/names-worker.ts`)),
};
// A service worker is asked for again under its own name, and has what is below its place for its scope.
writeFileSync(here('dist/warren-media.js'), await bundle(`${PACKAGE}/src/media-worker.ts`));
const places = Object.entries({ WASM_URL: wasm, ...later }).map(([name, url]) => [name, JSON.stringify(url)]);
const { script, preload } = await bundlePage(Object.fromEntries(places));
const style = writeAsset('main.css', await bundle('src/styles/main.css'));

writeFileSync(here('dist/index.html'), fillTemplate({ wasm, icon, script, preload, style }));

/** One file, no chunks: whoever loads it needs all of it. */
async function bundle(entry) {
  const result = await build({ ...options(), entryPoints: [here(entry)] });
  return result.outputFiles[0].contents;
}

/** The page's script, and what it loads later in files beside it. What it needs at once is preloaded. */
async function bundlePage(define) {
  const result = await build({
    ...options(),
    entryPoints: { main: here('src/main.ts') },
    outdir: ASSETS,
    splitting: true,
    entryNames: '[name].[hash]',
    chunkNames: '[name].[hash]',
    metafile: true,
    define,
  });
  for (const { path, contents } of result.outputFiles) writeFileSync(path, contents);
  const [[entry, { imports }]] = Object.entries(result.metafile.outputs).filter(([, { entryPoint }]) => entryPoint?.endsWith('main.ts'));
  const address = (path) => `/assets/${basename(path)}`;
  const shared = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
  const glue = Object.keys(result.metafile.outputs).filter((path) => basename(path).startsWith('warren_wasm.'));
  const needed = [...shared, ...glue].map(address);
  const preload = needed.map((href) => `<link rel="modulepreload" href="${href}">`).join('');
  return { script: address(entry), preload };
}

function options() {
  return {
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: ['es2022', 'chrome111', 'firefox115', 'safari16.4'],
    alias: { 'warren-p2p': here(`${PACKAGE}/src/index.ts`) },
    logLevel: 'warning',
  };
}

/** Writes `name` with its content's hash in it, so that browsers may keep it for ever. Returns its address. */
function writeAsset(name, bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const hashed = `${basename(name, extname(name))}.${hash}${extname(name)}`;
  writeFileSync(`${ASSETS}/${hashed}`, bytes);
  return `/assets/${hashed}`;
}

function fillTemplate(names) {
  const template = readFileSync(here('src/index.html'), 'utf8');
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => {
    if (!(name in names)) throw new Error(`src/index.html asks for {{${name}}}, which the build does not make`);
    return names[name];
  });
}
