// `warren share` of one file, for tabs that fetch it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { BINARY, within } from './relay.mjs';

const PATIENCE = 30_000;

/** Starts it, with further options; resolves with what it says of the file once others can fetch it. */
export async function sharing(relay, path, options = []) {
  const child = spawn(BINARY, ['share', path, ...options, '--listen', '127.0.0.1:0', '--join', relay.url, '--json']);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const event = async (wanted) => {
    for (;;) {
      const { value, done } = await within(PATIENCE, `\`warren share\` did not say "${wanted}"`, lines.next());
      assert.ok(!done, '`warren share` ended');
      const told = JSON.parse(value);
      if (told.event === wanted) return told;
    }
  };
  try {
    const { link, cid } = await event('sharing');
    await event('ready');
    return { link, cid, stop: () => child.kill() };
  } catch (error) {
    child.kill();
    throw error;
  }
}
