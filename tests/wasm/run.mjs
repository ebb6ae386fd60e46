// Runs the self-tests inside the browser peer's WebAssembly, in Node: `node run.mjs FOLDER [FILTER]`.
// FOLDER holds the build with the feature `selftest`, whose export `selftest()` returns, or promises,
// an array of {name, ok, message}. The counts are printed as Node's own test runner prints them.

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [folder, filter = ''] = process.argv.slice(2);
if (!folder) {
  console.error('cause: no folder with the self-test build was given\nremedy: run "cargo xtask test --only wasm"');
  process.exit(2);
}

const { selftest } = createRequire(import.meta.url)(join(resolve(folder), 'warren_wasm.js'));
const all = await selftest();
if (!Array.isArray(all) || all.length === 0) throw new Error('selftest() returned no cases');

const cases = all.filter(({ name }) => name.includes(filter));
for (const { name, ok, message } of cases) {
  console.log(`${ok ? '✔' : '✖'} ${name}${ok ? '' : `\n  ${message}`}`);
}
const passed = cases.filter(({ ok }) => ok === true).length;
const failed = cases.length - passed;
console.log(`# tests ${cases.length}\n# pass ${passed}\n# fail ${failed}`);
process.exitCode = failed === 0 ? 0 : 1;
