// Where there is no WebRTC, such as in a worker, the engine runs all the same.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scenario } from './harness.mjs';

const PACKAGE = fileURLToPath(new URL('../../wasm-peer/js', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const OWN = {
  '/': ['text/html', '<!doctype html><title>worker</title>'],
  '/worker.js': ['text/javascript', `(${worker})();`],
};

/** Runs in the worker: starts a peer as it is told, and says what became of it. */
function worker() {
  addEventListener('message', async ({ data }) => {
    const outcome = {};
    try {
      const { createPeer } = await import('/dist/index.js');
      const peer = await createPeer({ identity: 'memory', ...data });
      await peer.joined({ timeoutMs: 20_000 });
      const { connections } = await peer.snapshot();
      outcome.transports = [...new Set(connections.map(({ transport }) => transport))];
      await peer.close();
    } catch ({ name, code, message }) {
      outcome.error = { name, code, message };
    }
    postMessage(outcome);
  });
}

/** The npm package as a site would serve it. */
async function packageServer() {
  const server = createServer(async ({ url }, response) => {
    const [type, body] = OWN[url] ?? [TYPES[extname(url)], await readFile(PACKAGE + url).catch(() => undefined)];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type ?? 'text/plain' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

function inWorker(page, options) {
  return page.evaluate(
    (options) =>
      new Promise((resolve, reject) => {
        const worker = new Worker('/worker.js');
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage(options);
      }),
    options,
  );
}

scenario('a worker has no WebRTC: it joins by WebSocket, and says so when it may not', async (scene) => {
  const relay = await scene.relay();
  const site = await packageServer();
  try {
    const page = await (await scene.visitor()).newPage();
    await page.goto(site.url);
    assert.deepEqual(await inWorker(page, { join: relay.url }), { transports: ['websocket'] });
    const { error } = await inWorker(page, { join: relay.url, transports: ['webrtc-direct'] });
    assert.match(error?.message ?? '', /none of the allowed transports exists/);
  } finally {
    site.close();
  }
});
