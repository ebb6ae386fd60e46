// Names from browser JavaScript: claimed in one tab, resolved in another and on the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { LONG, failure, scenario, temporaryFolder } from './harness.mjs';
import { BINARY } from './relay.mjs';

const run = promisify(execFile);
const PATIENCE = { timeout: 150_000 };
/** How many names two tabs race for. */
const RACES = LONG ? 100 : 2;

/** Claims a name; with `progress`, what was said on the way. */
const claim = (tab, name) =>
  tab.peer(async (peer, name) => {
    const progress = [];
    const held = await peer.names.claim(name, { onProgress: (step) => progress.push(step) });
    return { ...held, progress };
  }, name);
const resolve = (tab, name) => tab.peer((peer, name) => peer.names.resolve(name, { fresh: true }), name);
const publish = (tab, name, text) =>
  tab.peer(
    (peer, [name, text]) => peer.names.update(name, { entries: [{ sub: '', resources: [{ type: 'text', text }] }] }),
    [name, text],
  );
const owner = (tab) => tab.peer((peer) => peer.names.owner());
const mine = (tab) => tab.peer(async (peer) => (await peer.names.mine()).map(({ name }) => name));
const says = (text) => [{ type: 'text', text }];

/** Runs `warren` with a new identity, joined through the relay; what it prints is JSON. */
async function warren(relay, args) {
  const { stdout } = await run(BINARY, [...args, '--join', relay.url, '--json']);
  return JSON.parse(stdout);
}

/** Three relays that witness together: the first names the others, which then join it. */
async function quorum(scene) {
  const others = await Promise.all([scene.relay(), scene.relay()]);
  const first = await scene.relay({ args: others.flatMap(({ id }) => ['--witness', id]) });
  for (const relay of others) await relay.becomes(['--join', first.url]);
  return [first, ...others];
}

scenario(
  'a name claimed in one tab is resolved in another and on the command line, also after a restart of the relay',
  async (scene) => {
    const [relay, second, third] = await quorum(scene);
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(second)]);
    assert.equal((await failure(resolve(b, 'alice-in-town.p2p'))).code, 'NAME_NOT_FOUND');
    const held = await claim(a, 'Alice-in-Town');
    assert.deepEqual([held.name, held.generation], ['alice-in-town.p2p', 1]);
    const stages = held.progress.map(({ stage }) => stage);
    assert.deepEqual([...new Set(stages)], ['asking', 'working', 'reserving', 'signing', 'confirming']);
    assert.equal(held.progress.find(({ expected }) => expected)?.expected, 2 ** 20);
    await publish(a, 'alice-in-town.p2p', 'hello');
    const found = await resolve(b, 'alice-in-town.p2p');
    assert.deepEqual(found.resources, says('hello'));
    const [proof] = found.proofs;
    assert.deepEqual([proof.owner, proof.of, proof.quorum], [await owner(a), 3, 2]);
    assert.deepEqual((await warren(relay, ['resolve', 'alice-in-town.p2p'])).resources, found.resources);
    await relay.kill();
    await relay.restart();
    await Promise.all([a, b].map((tab) => tab.joined()));
    assert.deepEqual((await resolve(b, 'alice-in-town.p2p')).resources, found.resources);
    // One witness is not needed, two are.
    await third.kill();
    await publish(a, 'alice-in-town.p2p', 'still here');
    assert.deepEqual((await resolve(b, 'alice-in-town.p2p')).resources, says('still here'));
    await second.kill();
    await a.joined();
    const { code, details } = await failure(resolve(a, 'never-seen-before.p2p'));
    assert.equal(code, 'NO_QUORUM');
    assert.deepEqual([details.answered, details.wanted], [[relay.id], 2]);
  },
  PATIENCE,
);

scenario(
  'whoever watches a name sees its updates',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await claim(a, 'town-crier.p2p');
    await publish(a, 'town-crier.p2p', 'old');
    for (const tab of [a, b]) {
      await tab.peer((peer) => {
        window.seen = [];
        window.stop = new AbortController();
        window.watching = (async () => {
          const options = { signal: window.stop.signal };
          for await (const found of peer.names.watch('town-crier.p2p', options)) window.seen.push(found?.resources[0].text);
        })().catch((error) => error.name);
      });
      await tab.page.waitForFunction(() => window.seen.includes('old'));
    }
    await publish(a, 'town-crier.p2p', 'new');
    // Its own change it knows without asking again; the other one when it asks.
    await a.page.waitForFunction(() => window.seen.at(-1) === 'new');
    assert.deepEqual(await a.page.evaluate(() => window.seen), ['old', 'new']);
    await resolve(b, 'town-crier.p2p');
    await b.page.waitForFunction(() => window.seen.at(-1) === 'new');
    const ended = await b.page.evaluate(() => (window.stop.abort(), window.watching));
    assert.equal(ended, 'AbortError');
    const cached = await b.peer((peer) => peer.names.cache.list());
    assert.deepEqual(
      cached.map(({ proof, entries }) => [proof.name, entries]),
      [['town-crier.p2p', 1]],
    );
    await b.peer((peer) => peer.names.cache.flush());
    assert.deepEqual(await b.peer((peer) => peer.names.cache.list()), []);
  },
  PATIENCE,
);

scenario(
  'a name goes from one profile to another, and both know so after a reload',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await claim(a, 'house-of-cards.p2p');
    await publish(a, 'house-of-cards.p2p', 'old');
    const handover = await a.peer((peer, to) => peer.names.transfer('house-of-cards.p2p', to), await owner(b));
    const accepted = await b.peer((peer, handover) => peer.names.accept(handover), handover);
    assert.equal(accepted.generation, 2);
    assert.deepEqual(await mine(a), []);
    await publish(b, 'house-of-cards.p2p', 'new');
    assert.deepEqual((await resolve(a, 'house-of-cards.p2p')).resources, says('new'));
    await b.page.reload();
    await b.joined();
    assert.deepEqual(await mine(b), ['house-of-cards.p2p']);
    const lost = await failure(publish(a, 'house-of-cards.p2p', 'mine again'));
    assert.match(lost.code, /^(NAME_TAKEN|PERMISSION_DENIED|REFUSED)$/);
    await b.peer((peer) => peer.names.release('house-of-cards.p2p'));
    assert.deepEqual(await mine(b), []);
  },
  PATIENCE,
);

scenario(
  'errors say who holds a name, and which character is wrong',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await claim(a, 'first-come.p2p');
    const taken = await failure(claim(b, 'first-come.p2p'));
    assert.equal(taken.code, 'NAME_TAKEN');
    assert.equal(taken.details.holder, await owner(a));
    assert.ok(taken.details.until > new Date());
    const wrong = [
      ['bad_name.p2p', '_', 4],
      ['-a.p2p', '-', 1],
      ['pay\u{440}al.p2p', '\u{440}', 4],
      ['\u{430}\u{440}\u{440}\u{4cf}\u{435}.p2p', '\u{430}', 1],
      ['xn--80ak6aa92e.p2p', undefined, 1],
      ['', undefined, 1],
    ];
    for (const [name, character, position] of wrong) {
      const { code, details } = await failure(resolve(b, name));
      assert.equal(code, 'NAME_INVALID', name);
      assert.equal(details.position, position, name);
      if (character) assert.equal(details.character, character, name);
    }
  },
  PATIENCE,
);

scenario(
  'a name beyond ASCII is typed, claimed and resolved as people read it',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    assert.equal((await claim(a, 'Bücher-Stube.p2p')).name, 'xn--bcher-stube-thb.p2p');
    const zone = { entries: [{ sub: 'Käse', resources: says('Emmentaler') }, { sub: 'x', resources: [{ type: 'alias', name: 'käse.bücher-stube' }] }] };
    await a.peer((peer, zone) => peer.names.update('bücher-stube', zone), zone);
    assert.deepEqual((await resolve(b, 'KÄSE.bücher-stube.p2p')).resources, says('Emmentaler'));
    const aliased = await resolve(b, 'x.xn--bcher-stube-thb');
    assert.deepEqual([aliased.resources, aliased.via.length], [says('Emmentaler'), 1]);
    assert.deepEqual((await warren(relay, ['resolve', 'käse.bücher-stube.p2p'])).resources, says('Emmentaler'));
  },
  PATIENCE,
);

scenario(
  'of two tabs that want one name of three witnesses exactly one has it',
  async (scene) => {
    const [first, second] = await quorum(scene);
    const tabs = await Promise.all([scene.joinedTab(first), scene.joinedTab(second)]);
    for (let race = 1; race <= RACES; race++) {
      const name = `tug-of-war-${race}.p2p`;
      const outcomes = await Promise.allSettled(tabs.map((tab) => claim(tab, name)));
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], name);
      assert.equal(outcomes.find(({ reason }) => reason).reason.code, 'NAME_TAKEN');
      const winner = tabs[outcomes.findIndex(({ status }) => status === 'fulfilled')];
      await publish(winner, name, 'mine');
      const owners = await Promise.all(tabs.map(async (tab) => (await resolve(tab, name)).proofs[0].owner));
      assert.deepEqual(owners, [await owner(winner), await owner(winner)]);
    }
  },
  { timeout: LONG ? 1_500_000 : PATIENCE.timeout },
);

scenario(
  'what was seen of a name is not forgotten over a reload: an older version is refused',
  async (scene) => {
    const relay = await scene.relay();
    const tab = await scene.joinedTab(relay);
    const reader = await scene.joinedTab(relay);
    const folder = temporaryFolder();
    try {
      await claim(tab, 'no-way-back.p2p');
      await publish(tab, 'no-way-back.p2p', 'one');
      await relay.kill();
      relay.backup(folder.path);
      await tab.state('lost');
      await relay.restart();
      await tab.joined();
      await publish(tab, 'no-way-back.p2p', 'two');
      await tab.page.close();
      await reader.joined();
      assert.deepEqual((await resolve(reader, 'no-way-back.p2p')).resources, says('two'));
      await relay.kill();
      relay.restore(folder.path);
      await relay.restart();
      await reader.page.reload();
      await reader.joined();
      assert.equal((await failure(resolve(reader, 'no-way-back.p2p'))).code, 'OLDER');
    } finally {
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'a claim that is given up stops, and the page stays alive while others work',
  async (scene) => {
    const tab = await scene.joinedTab(await scene.relay());
    const worker = tab.page.waitForEvent('worker');
    const ended = worker.then((worker) => worker.waitForEvent('close'));
    const outcome = await tab.peer(async (peer) => {
      const stop = new AbortController();
      const working = Promise.withResolvers();
      const onProgress = ({ tried }) => tried > 200_000 && working.resolve();
      const claim = peer.names.claim('q.p2p', { signal: stop.signal, onProgress });
      await working.promise;
      const start = performance.now();
      await new Promise((frame) => requestAnimationFrame(frame));
      const frame = performance.now() - start;
      stop.abort();
      return { frame, name: await claim.catch((error) => error.name) };
    });
    assert.equal(outcome.name, 'AbortError');
    assert.ok(outcome.frame < 500, `a frame took ${outcome.frame} ms`);
    assert.match((await worker).url(), /names-worker/);
    await ended;
  },
  PATIENCE,
);

scenario(
  'where no worker can be made, the page works for a name itself, a little at a time',
  async (scene) => {
    const context = await scene.visitor();
    await context.addInitScript(() => delete globalThis.Worker);
    const tab = await scene.joinedTab(await scene.relay(), { context });
    // Nobody finds the number for one letter before progress is told; for many letters luck may.
    const outcome = await tab.peer((peer) => {
      const stop = new AbortController();
      const onProgress = ({ stage, tried }) => stage === 'working' && tried > 0 && stop.abort();
      return peer.names.claim('q.p2p', { signal: stop.signal, onProgress }).catch((error) => error.name);
    });
    assert.equal(outcome, 'AbortError');
    await claim(tab, 'handmade-of-oak.p2p');
    assert.deepEqual(await mine(tab), ['handmade-of-oak.p2p']);
  },
  PATIENCE,
);

scenario(
  'a proof stands for itself: the page and the command line check it without the network',
  async (scene) => {
    const relay = await scene.relay();
    const tab = await scene.joinedTab(relay);
    await claim(tab, 'proof-of-concept.p2p');
    await publish(tab, 'proof-of-concept.p2p', 'believe me');
    const proof = JSON.stringify(await tab.peer((peer) => peer.names.proof('proof-of-concept.p2p')));
    const forged = proof.replace(/"zone":"(.{60})./, (_, head) => `"zone":"${head}${head.endsWith('A') ? 'B' : 'A'}`);
    const verify = (proof, trusted) =>
      tab.peer((_, [proof, options]) => window.warren.verifyName(proof, options), [proof, trusted ? { trusted } : {}]);
    const document = await (await fetch(`${relay.url}/.well-known/warren.json`)).json();
    const verified = await verify(proof, document);
    assert.deepEqual([verified.resolution.resources, verified.pinned], [says('believe me'), true]);
    assert.equal((await verify(proof)).pinned, false);
    const answer = await (await fetch(`${relay.url}/names/proof-of-concept.p2p`)).json();
    const answered = await verify(answer, document);
    assert.deepEqual([answered.resolution.resources, answered.pinned], [says('believe me'), true]);
    await failure(verify(forged));
    const stranger = await (await fetch(`${(await scene.relay()).url}/.well-known/warren.json`)).json();
    assert.equal((await failure(verify(proof, stranger))).code, 'WRONG_NETWORK');
    const folder = temporaryFolder();
    try {
      const file = `${folder.path}/proof.json`;
      writeFileSync(file, proof);
      const { stdout } = await run(BINARY, ['verify', file, '--json']);
      assert.deepEqual(JSON.parse(stdout).resolution.resources, says('believe me'));
      writeFileSync(file, forged);
      await assert.rejects(run(BINARY, ['verify', file, '--json']));
    } finally {
      folder.remove();
    }
  },
  PATIENCE,
);
