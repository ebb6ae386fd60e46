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
  openDoor(apps, container, FILE);
  const postMessage = (data, ports) => container.dispatchEvent(new MessageEvent('message', { data, ports }));
  const calls = (kind) => engine.received.filter(({ method, params }) => method === 'files' && params.files === kind).map(({ params }) => params);
  return { id, postMessage, engine, calls, openDoor: (file) => openDoor(apps, container, file) };
}

const get = (headers = {}, options = {}) => new Request('http://site/warren/f/x', { headers, ...options });
const answer = (pages, request = get(), own = '', file = FILE) => serve(request, file, Promise.resolve(pages), own);
/** What is under way has been said and heard. */
const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setImmediate(next));
};
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
  const told = ['content-range', 'content-length', 'accept-ranges'].map((name) => headers.get(name));
  assert.deepEqual([status, told, await (await head.response).text()], [200, [null, String(PIECE), 'bytes'], '']);
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

test('the page that wants it is asked first; one that does not say that it is there is not waited for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const bytes = pattern(9);
  const frozen = { id: 'frozen', postMessage() {} };
  const [other, own] = [page(t, 'other', bytes), page(t, 'own', bytes)];
  assert.ok((await bytesOf(await answer([other, frozen, own], get(), 'own').response)).equals(bytes));
  assert.deepEqual([other.calls('fetch').length, own.calls('fetch').length], [0, 2]);

  const { response } = answer([frozen, other], get(), 'frozen');
  await settled();
  assert.equal(other.calls('fetch').length, 0, 'the page that wants it has a moment');
  t.mock.timers.tick(200);
  assert.ok((await bytesOf(await response)).equals(bytes));

  const silent = answer([frozen], get(), 'frozen');
  await settled();
  t.mock.timers.tick(200);
  await settled();
  t.mock.timers.tick(5_000);
  assert.equal((await silent.response).status, 503);
  await silent.done;
  const none = await answer([]).response;
  assert.deepEqual([none.status, none.headers.get('content-type')], [503, 'text/plain; charset=utf-8']);
});

test('only addresses that this page gave out are answered: nothing else is asked of its peer', async (t) => {
  const one = page(t, 'one', pattern(9));
  for (const other of [{ ...FILE, cid: 'bafkr4iother' }, { ...FILE, name: 'Update.exe' }, { ...FILE, type: '' }]) {
    const response = await answer([one], get(), '', other).response;
    assert.deepEqual([response.status, await response.text()], [404, 'This page gave out no such address.\n']);
  }
  assert.deepEqual(one.engine.received.filter(({ method }) => method === 'files'), []);
  const failing = page(t, 'failing', new Uint8Array(), () => {
    throw thrown('NO_RELAY');
  });
  const knows = { ...FILE, name: 'another' };
  failing.openDoor(knows);
  const response = await answer([failing, one], get(), '', knows).response;
  assert.deepEqual([response.status, await response.text()], [503, 'it is NO_RELAY\n'], 'why it does not come is what the page says that knows it');
});

test('a page that goes away in the middle of an answer ends it; one that only takes long does not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const bytes = pattern(2 * PIECE);
  const silence = async (times) => {
    for (let time = 0; time < times; time += 1) {
      await settled();
      t.mock.timers.tick(5_000);
    }
    await settled();
  };
  // Says its size and one piece, and is gone when more is wanted.
  const leaves = {
    id: 'leaves',
    postMessage(_, [port]) {
      let given = false;
      port.onmessage = ({ data }) => {
        if (data.open) port.postMessage({ size: bytes.length });
        if (data.more && given) port.close();
        else if (data.more) port.postMessage({ bytes: bytes.slice(0, PIECE) });
        given ||= data.more === true;
      };
      port.postMessage({ here: true });
    },
  };
  const broken = answer([leaves]);
  const reading = (await broken.response).arrayBuffer().then(
    () => 'all of it',
    ({ message }) => message,
  );
  await silence(3);
  assert.match(await reading, /gone/);
  await broken.done;

  const slow = page(t, 'slow', bytes, ({ files, place }) => (files === 'read' && place === 1 ? LATER : undefined));
  const late = answer([slow]);
  const whole = bytesOf(await late.response);
  await silence(6);
  const { id } = await slow.engine.saw(({ params }) => params?.files === 'read' && params.place === 1);
  slow.engine.send({ id, ok: bytes.slice(PIECE) });
  assert.ok((await whole).equals(bytes));
  await late.done;
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

/** A browser's service workers, and a page under `https://site/app/`. */
function browser(t) {
  const container = Object.assign(new EventTarget(), { startMessages() {}, controller: null, registrations: [], found: undefined });
  /** One that answers, and has the page as soon as it claims it, or later. */
  const registration = (scriptURL, { answers = true, later = false } = {}) => {
    const claim = () => {
      container.controller = active;
      container.dispatchEvent(new Event('controllerchange'));
    };
    const active = {
      scriptURL,
      claims: [],
      claim,
      postMessage(said, [port]) {
        active.claims.push(said);
        if (!answers) return port.close();
        port.postMessage(true);
        if (!later) claim();
      },
    };
    return { active, scope: 'https://site/app/' };
  };
  container.getRegistration = async () => container.found;
  container.register = async (script) => {
    if (script === 'bad.js') throw new Error('no such script');
    container.registrations.push(script);
    return (container.found ??= registration('https://site/warren-media.js'));
  };
  for (const [name, value] of Object.entries({ navigator: { serviceWorker: container }, document: { baseURI: 'https://site/app/' } })) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
  return { container, registration };
}

test('the address of a file is given when a worker that has the handler controls the page', async (t) => {
  const apps = {};
  const file = { cid: CID, name: 'a & b.webm' };
  await assert.rejects(mediaUrl(apps, file, {}), { code: 'UNSUPPORTED', remedy: /blob/ });
  const { container } = browser(t);
  await assert.rejects(mediaUrl(apps, file, {}), { code: 'INVALID_ARGUMENT', remedy: /worker/ });
  await assert.rejects(mediaUrl(apps, file, { worker: 'bad.js' }), { code: 'UNSUPPORTED' });
  const url = await mediaUrl(apps, file, { worker: '/warren-media.js', type: 'video/webm' });
  assert.equal(url, `https://site/app/warren/f/${CID}?type=video%2Fwebm&name=a+%26+b.webm`);
  assert.equal(await mediaUrl(apps, { cid: CID }, {}), `https://site/app/warren/f/${CID}`);
  await mediaUrl(apps, file, { worker: '/warren-media.js' });
  const { claims } = container.found.active;
  assert.deepEqual([container.registrations, claims], [['/warren-media.js', '/warren-media.js'], Array(3).fill({ warren: 'claim' })]);
});

test('the service worker of an application is used where it has the handler, and never replaced', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { container, registration } = browser(t);
  const file = { cid: CID };
  container.found = registration('https://site/app/own.js');
  assert.equal(await mediaUrl({}, file, { worker: '/warren-media.js' }), `https://site/app/warren/f/${CID}`);
  container.found = registration('https://site/app/other.js', { answers: false });
  const refused = mediaUrl({}, file, { worker: '/warren-media.js' });
  refused.catch(() => {});
  await settled();
  t.mock.timers.tick(15_000);
  await assert.rejects(refused, { code: 'INVALID_ARGUMENT', message: /app\/other\.js/, remedy: /import 'warren-p2p\/media-worker'/ });
  assert.deepEqual(container.registrations, []);
});

test('another controller of the page is not enough for an address', async (t) => {
  const { container, registration } = browser(t);
  container.controller = registration('https://site/app/before.js').active;
  container.found = registration('https://site/app/own.js', { later: true });
  let given = false;
  const url = mediaUrl({}, { cid: CID }, {}).then((url) => ((given = true), url));
  await settled();
  assert.equal(given, false);
  container.found.active.claim();
  assert.equal(await url, `https://site/app/warren/f/${CID}`);
});
