// Other implementations of WebRTC-direct meet ours: js-libp2p in Chromium and in Node, py-libp2p.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serveBundled } from './bundled.mjs';
import { scenario } from './harness.mjs';
import { program, within } from './relay.mjs';

const MIB = 1024 * 1024;
const PATIENCE = 60_000;
const PYTHON = process.env.WARREN_PYTHON;

let site;
before(async () => {
  site = await serveBundled(new URL('../interop/libp2p-page.mjs', import.meta.url));
});
after(() => site.close());

/** A page with js-libp2p in it. */
async function jsPage(scene, options = {}) {
  const page = await (await scene.visitor()).newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => window.start);
  await page.evaluate((options) => window.start(options), options);
  return page;
}

const dial = (page, address) => page.evaluate((address) => window.peer.dial(address), address);
const echo = (page, address, size) => page.evaluate(({ address, size }) => window.peer.echo(address, size), { address, size });

/**
 * Dials again when js-libp2p gave up by itself. Two js-libp2p pages sometimes miss each other after the relay has
 * done its part: the one that is called closes the first channel before the caller has seen it open, and the caller
 * waits for that until its time is up.
 */
async function dialAgain(page, address, times) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dial(page, address);
    } catch (error) {
      if (attempt === times || !error.message.includes('TimeoutError')) throw error;
    }
  }
}

/** The native echo peer; gone after `use`. */
async function withEchoNode(use) {
  const child = spawn(program('echo-node'), ['listen', '/ip4/127.0.0.1/udp/0/webrtc-direct'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    const [line] = await within(PATIENCE, 'the echo peer did not listen', once(createInterface(child.stdout), 'line'));
    return await use(JSON.parse(line).address);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

/** Runs a program of another implementation; what it prints is JSON. */
async function foreign(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (data) => (said.out += data));
  child.stderr.on('data', (data) => (said.err += data));
  const [status] = await within(PATIENCE, `${command} did not end`, once(child, 'close')).finally(() => child.kill('SIGKILL'));
  if (status !== 0) throw new Error(`${command} ended with ${status}:\n${said.err}`);
  return JSON.parse(said.out.trim().split('\n').at(-1));
}

scenario('js-libp2p in a page dials the relay and learns all its protocols', async (scene) => {
  const relay = await scene.relay();
  const page = await jsPage(scene);
  const told = await dial(page, relay.addresses('webrtc-direct')[0]);
  const ours = ['kad', 'record', 'rpc'].map((name) => `/warren/${relay.ready.network}/${name}/1`);
  const standard = ['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/libp2p/circuit/relay/0.2.0/hop'];
  for (const protocol of [...ours, ...standard]) {
    assert.ok(told.protocols.includes(protocol), `${protocol} is missing in ${told.protocols.join(', ')}`);
  }
  assert.match(told.agent, /^warren\//);
});

scenario('two pages with js-libp2p meet through the relay', async (scene) => {
  const relay = await scene.relay();
  const [address] = relay.addresses('webrtc-direct');
  const waiting = await jsPage(scene, { listen: [`${address}/p2p-circuit`, '/webrtc'] });
  const [reachable] = await waiting.evaluate(() => window.peer.reachable('webrtc'));
  const calling = await jsPage(scene, { listen: ['/webrtc'] });
  const told = await dialAgain(calling, reachable, 4);
  assert.ok(told.protocols.includes('/warren-test/echo/1.0.0'));
  assert.equal(await echo(calling, reachable, MIB), MIB);
});

scenario('js-libp2p in a page gets 1 MiB back from a native peer', async (scene) => {
  await withEchoNode(async (address) => {
    const page = await jsPage(scene);
    assert.ok((await dial(page, address)).protocols.includes('/warren-test/echo/1.0.0'));
    assert.equal(await echo(page, address, MIB), MIB);
  });
});

scenario('js-libp2p in Node dials a native peer and gets 1 MiB back', async () => {
  await withEchoNode(async (address) => {
    const script = fileURLToPath(new URL('../interop/libp2p-node.mjs', import.meta.url));
    const told = await foreign(process.execPath, [script, address, String(MIB)]);
    assert.equal(told.echoed, MIB);
    assert.ok(told.protocols.includes('/warren-test/echo/1.0.0'));
  });
});

for (const version of [1, 2]) {
  scenario(
    `py-libp2p dials a native peer by version ${version} and gets 1 MiB back`,
    async () => {
      await withEchoNode(async (address) => {
        const script = fileURLToPath(new URL('../interop/py-libp2p.py', import.meta.url));
        const told = await foreign(PYTHON, [script, String(version), address, String(MIB)]);
        assert.equal(told.echoed, MIB);
        assert.ok(told.protocols.includes('/warren-test/echo/1.0.0'));
      });
    },
    { skip: PYTHON ? undefined : 'WARREN_PYTHON names no Python with py-libp2p: `cargo xtask test --long` sets one up' },
  );
}
