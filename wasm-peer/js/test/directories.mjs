// Directories behind a scripted engine, for tests of what an application does with them.

import { FakeEngine, LATER, load } from './support.mjs';

const { Files } = await load('files.ts');
const { RpcPort } = await load('rpc-port.ts');

export const PIECE = 256 * 1024;
export const FOLDER = 'bafyr4ifolder';
export const pattern = (size, seed = 31) => Uint8Array.from({ length: size }, (_, at) => (at * seed) % 253);
export const thrown = (code) => ({ code, message: code, remedy: 'Do something.' });

export function scripted(t, answers) {
  const engine = new FakeEngine({ files: (params, { id, engine }) => answers[params.files](params, id, engine) });
  t.after(() => engine.shut());
  const calls = () => engine.received.filter(({ method }) => method === 'files').map(({ params }) => params);
  return { engine, calls, files: new Files(new RpcPort(engine.port, () => {})) };
}

/** An engine that has a directory; its files are read as they are, unless it answers otherwise. */
export function holder(t, contents, answers = {}) {
  const entries = Object.keys(contents).map((path) => [path, `id of ${path}`, contents[path].length, path.endsWith('.jpg') ? 'image/jpeg' : '']);
  const size = Object.values(contents).reduce((sum, { length }) => sum + length, 0);
  const info = { cid: FOLDER, name: '', media: '', tags: [], size, bytes: 0, sources: 1, complete: false, paused: false, files: entries.length };
  let id;
  const told = scripted(t, {
    fetchFolder: (_, call, engine) => {
      id = call;
      engine.send({ id: call, item: { ...info, entries: JSON.stringify(entries) } });
      return LATER;
    },
    fetchMember: ({ id: cid }, call, engine) => {
      engine.send({ id: call, item: {} });
      return cid.includes('missing') ? LATER : {};
    },
    read: ({ id: cid, place }) => contents[cid.slice('id of '.length)].slice(place * PIECE, (place + 1) * PIECE),
    pause: () => null,
    resume: () => null,
    ...answers,
  });
  return {
    ...told,
    finish: () => told.engine.send({ id, ok: { ...info, bytes: size, sources: 0, complete: true } }),
    fail: (error) => told.engine.send({ id, error }),
  };
}
