// A tab and a peer of the command line come to a direct connection: neither can be dialled by the other.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { isDirect, serving, untilReachable, upper } from './serving.mjs';

const isGone = (snapshot, id) => !snapshot.connections.some(({ peer }) => peer === id);

scenario('a tab and `warren serve` connect directly and need no relay then', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.tab(relay);
  await tab.reserved();
  const program = await serving(relay);
  try {
    await untilReachable(tab, program.id);
    await tab.record('connection');
    assert.deepEqual(await upper(tab, program.id, 'hello'), ['HELLO']);
    await tab.until(isDirect, program.id);
    const opened = (await tab.events('connection')).filter(({ detail }) => detail.peer === program.id && detail.change === 'open');
    assert.deepEqual(opened.map(({ detail }) => detail.transport), ['circuit', 'webrtc']);
    await relay.kill();
    await tab.state('lost');
    assert.deepEqual(await upper(tab, program.id, 'again'), ['AGAIN']);
    const words = Array.from({ length: 8 }, (_, at) => `${at}x`.repeat(10_000));
    const answers = await Promise.all(words.map((word) => upper(tab, program.id, word)));
    assert.deepEqual(answers, words.map((word) => [word.toUpperCase()]));
    await program.stop();
    await tab.until(isGone, program.id);
  } finally {
    await program.stop();
  }
});
