// JSON commands between tabs, and between a tab and the command line.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { failure, scenario, within } from './harness.mjs';
import { BINARY } from './relay.mjs';

const run = promisify(execFile);

/** Runs `warren` with a new identity, joined through the relay; what it prints is JSON. */
async function warren(relay, args) {
  const { stdout } = await run(BINARY, [...args, '--join', relay.url, '--json']);
  return JSON.parse(stdout);
}

/** Two tabs that can reach each other; the first one serves. */
async function pair(scene) {
  const relay = await scene.relay();
  const [server, caller] = await Promise.all([scene.tab(relay), scene.tab(relay)]);
  await Promise.all([server.reserved(), caller.reserved()]);
  const id = await server.id();
  await caller.untilFound(id);
  return { relay, server, caller, id };
}

scenario('tabs call each other, and errors keep their codes', async (scene) => {
  const { relay, server, caller, id } = await pair(scene);
  await server.peer(async (peer) => {
    await peer.rpc.serve('sum', { allow: 'anyone' }, (params, { peer }) => ({ sum: params.reduce((a, b) => a + b, 0), by: peer }));
    await peer.rpc.serve('closed', { allow: {} }, () => 'never');
    await peer.rpc.serve('moody', { allow: 'anyone' }, () => {
      throw Object.assign(new Error('full moon'), { name: 'RpcError', code: 42, data: { tonight: true } });
    });
  });
  const sum = await caller.peer((peer, id) => peer.rpc.call(id, 'sum', [1, 2, 3]), id);
  assert.deepEqual(sum, { sum: 6, by: await caller.id() });
  const refusal = (method) => failure(caller.peer((peer, [id, method]) => peer.rpc.call(id, method), [id, method]));
  const closed = await refusal('closed');
  assert.deepEqual([closed.code, closed.details.rpcCode], ['REFUSED', -32001]);
  const missing = await refusal('missing');
  assert.deepEqual([missing.code, missing.details.rpcCode], ['UNSUPPORTED', -32601]);
  const moody = await refusal('moody');
  assert.deepEqual(moody.details, { rpcCode: 42, data: { tonight: true } });
  const batch = await caller.peer(async (peer, id) => {
    const answers = await peer.rpc.batch(id, [{ method: 'sum', params: [4] }, { method: 'missing' }]);
    return answers.map((answer) => (answer.ok ? answer.value.sum : answer.error.code));
  }, id);
  assert.deepEqual(batch, [4, 'UNSUPPORTED']);

  // The same from the command line.
  assert.equal((await warren(relay, ['call', id, 'sum', '[20, 22]'])).result.sum, 42);
  const { code, stderr } = await failure(run(BINARY, ['call', id, 'missing', '--join', relay.url]));
  assert.equal(code, 18);
  assert.match(stderr, /^error: .* serves no method missing\nremedy: /);

  // What was seen of it is told, to this profile only.
  const { trust, answers } = await caller.peer((peer, id) => peer.reputation(id), id);
  assert.ok(answers >= 5 && trust > 0.5, `${answers} answers, trust ${trust}`);
});

scenario('many results are read one by one, and whoever leaves ends the work', async (scene) => {
  const { server, caller, id } = await pair(scene);
  await server.peer(async (peer) => {
    window.ended = 0;
    await peer.rpc.serve('count', { allow: 'anyone' }, async function* ([end]) {
      try {
        for (let number = 0; number < end; number++) yield number;
      } finally {
        window.ended++;
      }
    });
    await peer.rpc.serve('stuck', { allow: 'anyone' }, (_, { signal }) => {
      return new Promise(() => signal.addEventListener('abort', () => (window.aborted = signal.reason.code)));
    });
  });
  const read = (end, most) =>
    caller.peer(
      async (peer, [id, end, most]) => {
        const found = [];
        for await (const number of peer.rpc.stream(id, 'count', [end])) {
          found.push(number);
          if (found.length === most) break;
        }
        return found;
      },
      [id, end, most],
    );
  assert.deepEqual(await read(5), [0, 1, 2, 3, 4]);
  assert.deepEqual(await read(1_000_000, 3), [0, 1, 2]);
  await server.page.waitForFunction(() => window.ended === 2);

  const aborted = await caller.peer(async (peer, id) => {
    const controller = new AbortController();
    const call = peer.rpc.call(id, 'stuck', [], { signal: controller.signal });
    await peer.rpc.call(id, 'warren.ping');
    controller.abort('enough');
    return call.catch((reason) => reason);
  }, id);
  assert.equal(aborted, 'enough');
  const late = await failure(caller.peer((peer, id) => peer.rpc.call(id, 'stuck', [], { timeout: 500 }), id));
  assert.equal(late.code, 'TIMED_OUT');
  await server.page.waitForFunction(() => window.aborted === 'CANCELLED');
});

scenario('a tab finds the best of those who serve, a program and another tab', async (scene) => {
  const { relay, server, caller, id } = await pair(scene);
  const program = spawn(BINARY, [
    ...['serve', 'upper', '--namespace', 'work', '--allow', 'anyone', '--listen', '127.0.0.1:0'],
    ...['--join', relay.url, '--json', '--', 'tr', 'a-z', 'A-Z'],
  ]);
  try {
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    const first = await within(30_000, '`warren serve` said nothing', lines.next());
    const serving = JSON.parse(first.value);
    assert.equal(serving.event, 'serving');
    await server.peer(async (peer) => {
      await peer.rpc.serve('upper', { allow: { namespaces: ['work'] } }, (words) => words.map((word) => word.toUpperCase()));
      await peer.provide('work');
    });
    const chosen = await caller.peer((peer) => peer.select('work'));
    assert.deepEqual(chosen.map(({ id }) => id).sort(), [id, serving.peer].sort());
    for (const { score, terms, capabilities } of chosen) {
      const points = Object.values(terms).reduce((sum, term) => sum + term.points, 0);
      assert.ok(Math.abs(points - score) < 1e-6 && score > 0 && score <= 1, `${score}`);
      assert.ok(capabilities.cores > 0);
    }
    const result = await caller.peer((peer, id) => peer.rpc.call(id, 'upper', ['hello']), serving.peer);
    assert.deepEqual(result, ['HELLO']);
    // Its rule asks for members, and the caller is none until it says so.
    const refused = await failure(caller.peer((peer, id) => peer.rpc.call(id, 'upper', ['hello']), id));
    assert.equal(refused.code, 'REFUSED');
    const answer = await warren(relay, ['call', '--namespace', 'work', '--best', 'warren.ping']);
    assert.equal(answer.result, 'pong');
    assert.ok([id, serving.peer].includes(answer.peer));
  } finally {
    program.kill();
  }
});
