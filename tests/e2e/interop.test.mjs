// Other implementations of WebRTC-direct meet ours: js-libp2p in Chromium and in Node, py-libp2p.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serveBundled } from './bundled.mjs';
import { failure, scenario } from './harness.mjs';
import { program, within } from './relay.mjs';
import { serving, untilReachable } from './serving.mjs';

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

/** A program that says where it listens; gone after `use`. */
async function withListener(command, args, use) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    const [line] = await within(PATIENCE, `${command} did not listen`, once(createInterface(child.stdout), 'line'));
    return await use(JSON.parse(line).address);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

/** The native echo peer. */
const withEchoNode = (use) => withListener(program('echo-node'), ['listen', '/ip4/127.0.0.1/udp/0/webrtc-direct'], use);

/** js-libp2p's own relay. */
const withJsRelay = (use) => withListener(process.execPath, [fileURLToPath(new URL('../interop/libp2p-relay.mjs', import.meta.url))], use);

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

/** A peer of our page that answers measurements, besides the one of the page. */
async function measurable(tab) {
  const id = await tab.page.evaluate(async () => {
    window.measured = await window.warren.another({ measurable: true });
    await window.measured.joined();
    return window.measured.id;
  });
  await tab.page.waitForFunction(() => window.measured.relays.some(({ reserved }) => reserved));
  return id;
}

/** What every tab speaks once it has done without a relay: the module of apps is there then. */
function spoken(network) {
  const ours = ['rpc', 'direct', 'history', 'file'].map((name) => `/warren/${network}/${name}/1`);
  const standard = ['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0', '/ipfs/ping/1.0.0', '/libp2p/circuit/relay/0.2.0/stop'];
  return [...ours, ...standard, '/meshsub/1.1.0', '/perf/1.0.0', '/webrtc-signaling/0.0.1'];
}

/** A page with js-libp2p dials ours at `address`, learns all its protocols, and sends and receives a mebibyte without a relay. */
async function theyDial(page, address, network) {
  const told = await dialAgain(page, address, 4);
  assert.match(told.agent, /^warren\//);
  assert.equal(told.limited, false);
  assert.ok(told.address.includes('/webrtc'), told.address);
  assert.ok((await page.evaluate((address) => window.peer.ping(address), address)) >= 0);
  assert.equal(await page.evaluate(({ address, size }) => window.peer.measure(address, size), { address, size: MIB }), MIB);
  await page.evaluate(({ id, wanted }) => window.peer.speaks(id, wanted), { id: address.split('/').at(-1), wanted: spoken(network) });
}

/** Our tab dials a page with js-libp2p at `address`, and sends and receives a mebibyte without a relay. */
async function weDial(tab, address) {
  const { id } = await tab.peer((peer, address) => peer.connect(address), address);
  const identified = ({ connections }, id) =>
    connections.some(({ peer, transport, rttMs, agent }) => peer === id && transport === 'webrtc' && rttMs >= 0 && agent?.startsWith('js-libp2p'));
  await tab.until(identified, id);
  const measured = await tab.peer((peer, id) => peer.measure(id, { upload: 1024 * 1024, download: 1024 * 1024 }), id);
  assert.equal(measured.sent, MIB);
  assert.equal(measured.received, MIB);
}

/** A page with js-libp2p that waits for others at a relay, and where. */
async function waiting(scene, relay) {
  const page = await jsPage(scene, { listen: [`${relay}/p2p-circuit`, '/webrtc'] });
  return (await page.evaluate(() => window.peer.reachable('webrtc')))[0];
}

scenario('a page with js-libp2p dials our tab, and our tab a page with js-libp2p, directly', async (scene) => {
  const relay = await scene.relay();
  const [address] = relay.addresses('webrtc-direct');
  const tab = await (await scene.tab(relay)).reserved();
  const own = await measurable(tab);
  await theyDial(await jsPage(scene, { listen: ['/webrtc'] }), `${address}/p2p-circuit/webrtc/p2p/${own}`, relay.ready.network);
  await weDial(tab, await waiting(scene, address));
});

scenario('our tab dials a page with js-libp2p through a relay of js-libp2p', async (scene) => {
  const tab = await scene.tab(await scene.relay());
  await withJsRelay(async (relay) => weDial(tab, await waiting(scene, relay)));
});

scenario('a page with js-libp2p dials our tab through a relay of js-libp2p, as long as the tab wants that', async (scene) => {
  const ours = await scene.relay();
  const tab = await scene.tab(ours);
  await withJsRelay(async (relay) => {
    const own = await measurable(tab);
    const address = await tab.page.evaluate(async (relay) => {
      window.place = await window.measured.reserve(relay);
      return window.place.address;
    }, relay);
    assert.equal(address, `${relay}/p2p-circuit/p2p/${own}`);
    await tab.page.waitForFunction((address) => window.measured.addresses.includes(address), address);
    const calling = await jsPage(scene, { listen: ['/webrtc'] });
    await theyDial(calling, address.replace('/p2p-circuit/', '/p2p-circuit/webrtc/'), ours.ready.network);
    const circuit = await dial(await jsPage(scene), address);
    assert.equal(circuit.limited, true, 'without /webrtc it is the circuit');
    await tab.page.evaluate(() => window.place.release());
    await tab.page.waitForFunction((address) => !window.measured.addresses.includes(address), address);
    const refused = await failure(dial(await jsPage(scene), address));
    assert.match(refused.message, /NO_RESERVATION/);
  });
});

scenario('a page with js-libp2p dials a peer of the command line directly', async (scene) => {
  const relay = await scene.relay();
  const [address] = relay.addresses('webrtc-direct');
  const peer = await serving(relay);
  try {
    await untilReachable(await scene.tab(relay), peer.id);
    const page = await jsPage(scene, { listen: ['/webrtc'] });
    const ours = `${address}/p2p-circuit/webrtc/p2p/${peer.id}`;
    const told = await dialAgain(page, ours, 4);
    assert.match(told.agent, /^warren\//);
    assert.equal(told.limited, false);
    assert.ok(told.address.includes('/webrtc'), told.address);
    assert.ok((await page.evaluate((address) => window.peer.ping(address), ours)) >= 0);
  } finally {
    await peer.stop();
  }
});
