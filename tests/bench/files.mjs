// node tests/bench/files.mjs [--json] [--only PART,PART] [--rounds N] [--mib N] [--size N] [--tab N]
// Files, ours against others, in parts that each take turns with their rivals (bench/files/):
// - capped: what a download gets from eight slow sources, of `--mib` MiB, and with bad ones among them. Needs root, `ip`, `tc`.
// - native: `warren share` to `warren get`, `--size` MiB, beside a raw stream of libp2p and plain TCP.
// - from-native: a tab fetches `--tab` MiB from a relay and from `warren share`, beside WebTorrent and helia.
// - from-tab: a tab fetches `--tab` MiB from another tab, beside WebTorrent, helia and a bare data channel.
// - hashing: BLAKE3 in WebAssembly beside the browser's SHA-256.
// - memory: by how much a tab grows while it fetches `--size` MiB.
// - search: round trips until a search has its first result.
// What came is compared with the original everywhere: one wrong byte ends the measurement. Rates are those from the moment
// when the other end was found.

import { namespacesMissing } from '../e2e/namespace.mjs';
import { temporaryFolder } from '../e2e/relay.mjs';
import { print } from './figures.mjs';
import { capped } from './files/capped.mjs';
import { fromNative } from './files/from-native.mjs';
import { fromTab } from './files/from-tab.mjs';
import { hashing } from './files/hashing.mjs';
import { memory } from './files/memory.mjs';
import { native } from './files/native.mjs';
import { search } from './files/search.mjs';
import { readOptions } from './options.mjs';

const PARTS = { capped, native, 'from-native': fromNative, 'from-tab': fromTab, hashing, memory, search };
/** The measurement of a libp2p stream ends there. */
const MOST = 1024;

const { only, ...options } = readOptions({ rounds: 3, mib: 48, size: MOST, tab: 256 }, ['only']);
const { json, say } = options;
const chosen = only?.split(',') ?? Object.keys(PARTS);
checkAsked();

const folder = temporaryFolder();
const rows = [];
try {
  for (const name of chosen) {
    say(`--- ${name}`);
    rows.push(...(await PARTS[name]({ ...options, folder })));
  }
} finally {
  // What was measured before something failed is not lost.
  if (rows.length > 0) print(rows, json);
  folder.remove();
}

function checkAsked() {
  const unknown = chosen.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) refuse(`"${unknown}" is no part of this benchmark`, `name some of these: ${Object.keys(PARTS).join(',')}`);
  if (options.size > MOST) refuse(`--size ${options.size} is too much`, `give at most ${MOST}`);
  const missing = chosen.includes('capped') && namespacesMissing();
  if (!missing) return;
  const others = Object.keys(PARTS).filter((name) => name !== 'capped');
  refuse(missing, `run this benchmark as root on Linux, with iproute2, or without that part: --only ${others.join(',')}`);
}

function refuse(cause, remedy) {
  console.error(`cause: ${cause}\nremedy: ${remedy}`);
  process.exit(2);
}
