// Names from browser JavaScript: claimed in one tab, resolved in another and on the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { failure, scenario, temporaryFolder } from './harness.mjs';
import { binary } from './relay.mjs';

const run = promisify(execFile);
const PATIENCE = { timeout: 120_000 };

const claim = (tab, name) => tab.peer((peer, name) => peer.names.claim(name), name);
const resolve = (tab, name) => tab.peer((peer, name) => peer.names.resolve(name, { fresh: true }), name);
const publish = (tab, name, text) =>
  tab.peer(
    (peer, [name, text]) =>
      peer.names.update(name, { entries: [{ sub: '', resources: [{ type: 'text', text }] }] }),
    [name, text],
  );

/** Runs `warren` with a new identity, joined through the relay; what it prints is JSON. */
async function warren(relay, args) {
  const { stdout } = await run(binary(), [...args, '--join', relay.url, '--json']);
  return JSON.parse(stdout);
}

scenario(
  'a name claimed in one tab is resolved in another and on the command line, also after a restart of the relay',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    const missing = await failure(resolve(b, 'alice-in-town.p2p'));
    assert.equal(missing.code, 'NAME_NOT_FOUND');
    const held = await claim(a, 'alice-in-town.p2p');
    assert.equal(held.generation, 1);
    await publish(a, 'alice-in-town.p2p', 'hello');
    const found = await resolve(b, 'alice-in-town.p2p');
    assert.deepEqual(found.resources, [{ type: 'text', text: 'hello' }]);
    const [proof] = found.proofs;
    assert.equal(proof.ownerName, await a.peer((peer) => peer.names.owner()));
    assert.equal(proof.witnesses.length, 1);
    const taken = await failure(claim(b, 'alice-in-town.p2p'));
    assert.equal(taken.code, 'NAME_TAKEN');
    assert.deepEqual((await warren(relay, ['resolve', 'alice-in-town.p2p'])).resources, found.resources);
    await relay.kill();
    await relay.restart();
    await b.joined();
    assert.deepEqual((await resolve(b, 'alice-in-town.p2p')).resources, found.resources);
  },
  PATIENCE,
);

scenario(
  'a name goes from one profile to another, and what was seen of it survives a reload',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await claim(a, 'house-of-cards.p2p');
    await publish(a, 'house-of-cards.p2p', 'old');
    const handover = await a.peer(
      (peer, to) => peer.names.transfer('house-of-cards.p2p', to),
      await b.peer((peer) => peer.names.owner()),
    );
    assert.equal((await b.peer((peer, handover) => peer.names.accept(handover), handover)).generation, 2);
    await publish(b, 'house-of-cards.p2p', 'new');
    assert.deepEqual((await resolve(a, 'house-of-cards.p2p')).resources, [{ type: 'text', text: 'new' }]);
    await b.page.reload();
    await b.joined();
    assert.deepEqual(
      (await b.peer((peer) => peer.names.mine())).map(({ name }) => name),
      ['house-of-cards.p2p'],
    );
  },
  PATIENCE,
);

scenario('what is no name is refused with the character that is wrong', async (scene) => {
  const tab = await scene.joinedTab(await scene.relay());
  for (const name of ['bad_name.p2p', '-a.p2p', 'аррӏе.p2p', '']) {
    assert.equal((await failure(resolve(tab, name))).code, 'NAME_INVALID', name);
  }
  assert.match((await failure(resolve(tab, 'bad_name.p2p'))).message, /_/);
});

scenario('a proof stands for itself: the command line checks it without the network', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  await claim(tab, 'proof-of-concept.p2p');
  await publish(tab, 'proof-of-concept.p2p', 'believe me');
  const proof = JSON.stringify(await tab.peer((peer) => peer.names.proof('proof-of-concept.p2p')));
  const folder = temporaryFolder();
  try {
    const file = `${folder.path}/proof.json`;
    writeFileSync(file, proof);
    const { stdout } = await run(binary(), ['verify', file, '--json']);
    assert.deepEqual(JSON.parse(stdout).resolution.resources, [{ type: 'text', text: 'believe me' }]);
    writeFileSync(file, proof.replace(/"zone":"(.{40})./, (_, head) => `"zone":"${head}A`));
    await assert.rejects(run(binary(), ['verify', file, '--json']));
  } finally {
    folder.remove();
  }
}, PATIENCE);
