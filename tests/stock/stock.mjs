// Starts the node and serves the page of the stock WebRTC transports. `cargo xtask bench webrtc` builds both and says where.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { serveBundled } from '../e2e/bundled.mjs';

/** A running node: {address, pid, stop}. */
export async function startStock() {
  const node = spawn(built('WARREN_STOCK_NODE'), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(node, 'exit');
  const lines = createInterface(node.stdout);
  const line = await Promise.race([once(lines, 'line'), ended.then(([status]) => died(status))]);
  const stop = async () => {
    node.kill();
    await ended;
  };
  return { address: JSON.parse(line[0]).address, pid: node.pid, stop };
}

/** The page, as `serveBundled` serves any other. */
export function serveStock() {
  const folder = built('WARREN_STOCK_PAGE');
  return serveBundled(new URL('page.mjs', import.meta.url), {}, {
    alias: { 'stock-page': join(folder, 'stock.js') },
    files: { '/stock.wasm': join(folder, 'stock_bg.wasm') },
  });
}

function built(variable) {
  const path = process.env[variable];
  if (!path) throw new Error(`${variable} is not set: start this through \`cargo xtask bench webrtc\``);
  return path;
}

function died(status) {
  throw new Error(`stock-node ended with status ${status} before it listened`);
}
