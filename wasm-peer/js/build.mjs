// Builds the npm package: one ES module for bundlers, browsers and Node, the workers beside it, and its type declarations.
// `--pack` also insists that everything the tarball promises exists.
// It does not build the engine: `cargo xtask build-web` puts that into wasm/.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const ENGINE = ['warren_wasm', 'warren_names', 'warren_apps', 'warren_store'].flatMap((name) => [`${name}.js`, `${name}_bg.wasm`]).map((file) => `wasm/${file}`);

rmSync(here('dist'), { recursive: true, force: true });

await build({
  entryPoints: ['index', 'names-worker', 'files-worker', 'media-worker'].map((name) => here(`src/${name}.ts`)),
  outdir: here('dist'),
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  sourcemap: true,
  // The engine's glue stays a file of its own: the path is the same from src/ and from dist/.
  external: ['../wasm/*'],
  logLevel: 'warning',
});

// The compiler is started as a script of this folder, so that it needs no shell and no PATH.
execFileSync(process.execPath, [here('node_modules/typescript/bin/tsc'), '--project', here('tsconfig.json')], {
  stdio: 'inherit',
});

// The sources import './x.ts'; every TypeScript version resolves './x.js' in declarations.
for (const name of readdirSync(here('dist/types'))) {
  const path = here(`dist/types/${name}`);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
}

if (process.argv.includes('--pack')) {
  const missing = ENGINE.filter((file) => !existsSync(here(file)));
  if (missing.length > 0) {
    console.error(`cause: ${missing.join(', ')} missing\nremedy: run "cargo xtask build-web" first`);
    process.exit(1);
  }
  copyFileSync(here('../../LICENSE'), here('LICENSE'));
}
