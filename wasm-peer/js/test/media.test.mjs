// Files for players: what the service worker answers, with the page's end of it and a scripted engine behind that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, LATER, load } from './support.mjs';

const { addressed, rangeOf, guarded, safeType, MOST } = await load('media-answer.ts');
const { serve } = await load('media-serving.ts');
const { openDoor } = await load('media-door.ts');
const { mediaUrl } = await load('media-url.ts');
const { RpcPort } = await load('rpc-port.ts');

const PIECE = 256 * 1024;
const CID = 'bafkr4icid';
const FILE = { cid: CID, type: 'video/webm', name: 'Red sea.film' };
const INFO = { cid: CID, name: '', media: '', tags: [], bytes: 0, sources: 1, complete: false, paused: false };
const pattern = (size) => Uint8Array.from({ length: size }, (_, at) => (at * 31) % 253);

/** A page whose peer has these bytes: what a worker sees of it, and what its engine was asked for. */
function page(t, id, bytes, answer = () => undefined) {
  const engine = new FakeEngine({
    files: (params, call) => {
      const scripted = answer(params, call);
      if (scripted !== undefined) return scripted;
      if (params.files === 'read') return bytes.slice(params.place * PIECE, (params.place + 1) * PIECE);
      const range = { start: params.place, end: Math.min(params.limit, bytes.length), bytes: 0 };
      call.engine.send({ id: call.id, item: { ...INFO, size: bytes.length, range } });
      return { ...INFO, size: bytes.length, range };
    },
  });
  t.after(() => engine.shut());
  const container = Object.assign(new EventTarget(), { startMessages() {} });
  const apps = new RpcPort(engine.port, () => {});
  openDoor(apps, container);
  const postMessage = (data, ports) => container.dispatchEvent(new MessageEvent('message', { data, ports }));
  const calls = (kind) => engine.received.filter(({ method, params }) => method === 'files' && params.files === kind).map(({ params }) => params);
  return { id, postMessage, engine, calls };
}

const get = (headers = {}, options = {}) => new Request('http://site/warren/f/x', { headers, ...options });
const answer = (pages, request = get(), own = '') => serve(request, FILE, Promise.resolve(pages), own);
const bytesOf = async (response) => Buffer.from(await response.arrayBuffer());
/** The status of an answer that nobody reads. */
const statusOf = async ({ response }) => {
  const { status, body } = await response;
  await body?.cancel();
  return status;
};
const thrown = (code) => ({ code, message: `it is ${code}` });

test('a range is what was asked for, as far as the file has it and no more than is answered at a time', () => {
  const size = 10 * MOST;
  for (const [header, found] of [
    [null, 'all'],
    ['bytes=0-', { start: 0, end: MOST }],
    ['bytes=5-9', { start: 5, end: 10 }],
    [' BYTES=5-5 ', { start: 5, end: 6 }],
    [`bytes=${size - 7}-`, { start: size - 7, end: size }],
    [`bytes=${size - 7}-${size + 100}`, { start: size - 7, end: size }],
    ['bytes=-7', { start: size - 7, end: size }],
    [`bytes=-${size}`, { start: 0, end: MOST }],
    [`bytes=-${size + 5}`, { start: 0, end: MOST }],
    [`bytes=${size}-`, 'none'],
    ['bytes=-0', 'none'],
    // What is not understood counts as none.
    ['bytes=9-5', 'all'],
    ['bytes=-', 'all'],
    ['bytes=0-1,5-6', 'all'],
    ['pieces=0-1', 'all'],
  ]) {
    assert.deepEqual(rangeOf(header, size), found, String(header));
  }
  assert.equal(rangeOf('bytes=0-', 0), 'none');
});

test('an address leads to a file below the scope of the worker only', () => {
  const scope = 'http://site/app/';
  const found = addressed(`${scope}warren/f/${CID}?type=image%2Fpng&name=a%20b`, scope);
  assert.deepEqual(found, { cid: CID, type: 'image/png', name: 'a b' });
  assert.deepEqual(addressed(`${scope}warren/f/${CID}`, scope), { cid: CID, type: '', name: '' });
  for (const other of [`http://site/warren/f/${CID}`, `http://else/app/warren/f/${CID}`, `${scope}warren/f/`, `${scope}warren/f/a/b`, `${scope}warren/f/%2e%2e`, scope]) {
    assert.equal(addressed(other, scope), undefined, other);
  }
});

test('nothing of a stranger is a page', () => {
  for (const type of ['image/png', 'video/webm', 'audio/wav', 'Video/MP4; codecs=x']) {
    assert.equal(safeType(type), type.split(';')[0].toLowerCase());
    assert.equal(guarded(type, 'n')['content-disposition'], undefined);
  }
  for (const type of ['text/html', 'image/svg+xml', 'IMAGE/SVG+XML', 'image/x+xml', 'application/pdf', 'text/javascript', 'image/', 'image/png\r\nx: y', '']) {
    const headers = guarded(type, "it's \ud800(a) file.html");
    assert.equal(headers['content-type'], 'application/octet-stream', type);
    assert.equal(headers['content-disposition'], "attachment; filename*=UTF-8''it%27s%20%28a%29%20file.html");
    assert.equal(headers['content-security-policy'], "default-src 'none'; sandbox");
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});

test('a player gets the bytes it asked for, and no other piece is asked for', async (t) => {
  const bytes = pattern(MOST + 3 * PIECE + 5);
  const one = page(t, 'one', bytes);
  const { response, done } = answer([one], get({ range: `bytes=${PIECE + 7}-${2 * PIECE}` }));
  const { status, headers } = await response;
  assert.deepEqual([status, headers.get('content-range'), headers.get('content-length')], [206, `bytes ${PIECE + 7}-${2 * PIECE}/${bytes.length}`, String(PIECE - 6)]);
  assert.deepEqual([headers.get('content-type'), headers.get('accept-ranges'), headers.get('etag')], ['video/webm', 'bytes', `"${CID}"`]);
  assert.ok((await bytesOf(await response)).equals(bytes.subarray(PIECE + 7, 2 * PIECE + 1)));
  await done;
  assert.deepEqual(one.calls('read').map(({ place }) => place), [1, 2]);
  assert.deepEqual(one.calls('fetch').map(({ place, limit }) => [place, limit]), [[0, 0], [PIECE + 7, 2 * PIECE + 1]]);
});

test('an open end is answered with 4 MiB, and what is asked for without a range with everything, 4 MiB after 4 MiB', async (t) => {
  const bytes = pattern(MOST + PIECE + 5);
  const one = page(t, 'one', bytes);
  const part = await answer([one], get({ range: 'bytes=0-' })).response;
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes 0-${MOST - 1}/${bytes.length}`]);
  assert.ok((await bytesOf(part)).equals(bytes.subarray(0, MOST)));

  const two = page(t, 'two', bytes);
  const whole = answer([two]);
  const response = await whole.response;
  assert.deepEqual([response.status, response.headers.get('content-length'), response.headers.get('content-range')], [200, String(bytes.length), null]);
  assert.ok((await bytesOf(response)).equals(bytes));
  await whole.done;
  assert.deepEqual(two.calls('fetch').map(({ place, limit }) => [place, limit]), [[0, 0], [0, MOST], [MOST, bytes.length]]);
});

test('without bytes to give there is an answer all the same', async (t) => {
  const one = page(t, 'one', pattern(PIECE));
  const head = answer([one], get({ range: 'bytes=5-9' }, { method: 'HEAD' }));
  const { status, headers } = await head.response;
  assert.deepEqual([status, headers.get('content-range'), await (await head.response).text()], [206, `bytes 5-9/${PIECE}`, '']);
  await head.done;
  const beyond = await answer([one], get({ range: `bytes=${PIECE}-` })).response;
  assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, `bytes */${PIECE}`]);
  // What has changed is sent as a whole; under one id nothing ever has.
  const same = await statusOf(answer([one], get({ range: 'bytes=0-0', 'if-range': `"${CID}"` })));
  const other = await statusOf(answer([one], get({ range: 'bytes=0-0', 'if-range': '"other"' })));
  assert.deepEqual([same, other], [206, 200]);
  const empty = page(t, 'empty', new Uint8Array());
  assert.deepEqual([await statusOf(answer([empty])), await (await answer([empty]).response).text()], [200, '']);
});

test('pages are asked one after the other, the one that wants it first; one that is frozen is left out', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const bytes = pattern(9);
  let posted = () => {};
  const asked = new Promise((resolve) => (posted = resolve));
  const frozen = { id: 'frozen', postMessage: () => posted() };
  const other = page(t, 'other', bytes);
  const { response } = answer([other, frozen], get(), 'frozen');
  await asked;
  // The other one has long said that it is there.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setImmediate(next));
  t.mock.timers.tick(5_000);
  assert.ok((await bytesOf(await response)).equals(bytes));

  const none = await answer([]).response;
  assert.deepEqual([none.status, none.headers.get('content-type')], [503, 'text/plain; charset=utf-8']);
});

test('what does not come is said, and what nobody wants is not asked for any more', async (t) => {
  const nobody = page(t, 'nobody', new Uint8Array(), () => {
    throw thrown('NOT_FOUND');
  });
  const lost = await answer([nobody]).response;
  assert.deepEqual([lost.status, await lost.text()], [404, 'it is NOT_FOUND\n']);
  const has = page(t, 'has', pattern(9));
  assert.equal(await statusOf(answer([nobody, has])), 200, 'another page may have it');

  const bytes = pattern(2 * PIECE);
  const breaks = page(t, 'breaks', bytes, ({ files, place }) => {
    if (files === 'read' && place === 1) throw thrown('NOT_FOUND');
    return undefined;
  });
  const broken = answer([breaks]);
  await assert.rejects((await broken.response).arrayBuffer());
  await broken.done;

  const slow = page(t, 'slow', bytes, ({ files }) => (files === 'read' ? LATER : undefined));
  const left = answer([slow]);
  const reader = (await left.response).body.getReader();
  const reading = reader.read();
  await slow.engine.saw(({ params }) => params?.files === 'read');
  await reader.cancel();
  await left.done;
  assert.equal((await reading).done, true);
  await slow.engine.saw(({ cancel }) => cancel !== undefined);
});

test('the address of a file is given when a worker that has the handler controls the page', async (t) => {
  const apps = {};
  const file = { cid: CID, name: 'a & b.webm' };
  await assert.rejects(mediaUrl(apps, file, {}), { code: 'UNSUPPORTED', remedy: /blob/ });

  const claims = [];
  const active = { postMessage: (said, [port]) => (claims.push(said), (container.controller = active), port.postMessage(true)) };
  const registration = { active, scope: 'https://site/app/' };
  const container = Object.assign(new EventTarget(), {
    startMessages() {},
    controller: null,
    registrations: [],
    register: async (script) => (script === 'bad.js' ? Promise.reject(new Error('no such script')) : (container.registrations.push(script), registration)),
    getRegistration: async () => (container.registrations.length > 0 ? registration : undefined),
  });
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { serviceWorker: container }, configurable: true });
  t.after(() => (before ? Object.defineProperty(globalThis, 'navigator', before) : delete globalThis.navigator));
  await assert.rejects(mediaUrl(apps, file, {}), { code: 'INVALID_ARGUMENT', remedy: /worker/ });
  await assert.rejects(mediaUrl(apps, file, { worker: 'bad.js' }), { code: 'UNSUPPORTED' });
  const url = await mediaUrl(apps, file, { worker: '/warren-media.js', type: 'video/webm' });
  assert.equal(url, `https://site/app/warren/f/${CID}?type=video%2Fwebm&name=a+%26+b.webm`);
  assert.equal(await mediaUrl(apps, { cid: CID }, {}), `https://site/app/warren/f/${CID}`);
  assert.deepEqual([container.registrations, claims], [['/warren-media.js'], [{ warren: 'claim' }, { warren: 'claim' }]]);
});
