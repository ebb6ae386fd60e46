// Design aid, never shipped: files of the fake engine. A link with `slow` in its name never ends, `lost` breaks off, `nobody`
// is found nowhere, whatever else comes within seconds. A search for `nothing` finds nothing; sharing `large` fails.

const PIECE = 256 * 1024;
const TICK_MS = 200;

type Say = (result: unknown) => void;
type Fail = (code: string, message: string, remedy: string) => void;

interface FakeFile {
  cid: string;
  name: string;
  media: string;
  tags: string[];
  size: number;
  bytes: number;
  complete: boolean;
  sources: number;
  paused: boolean;
  pieces?: number[];
}

const files = new Map<string, FakeFile>();
let sharing: { about: { name: string; media: string; tags: string[] }; size: number; ok: Say } | undefined;

export async function onFiles(port: MessagePort, id: number, params: Record<string, unknown>, ok: Say, fail: Fail): Promise<void> {
  const cid = String(params['id']);
  const text = String(params['text'] ?? '');
  const item = (item: unknown) => port.postMessage({ id, item });
  const file = files.get(cid);
  switch (params['files']) {
    case 'share':
      sharing = { about: JSON.parse(text), size: Number(params['place']), ok };
      if (text.includes('large')) return fail('TOO_LARGE', 'Files in memory may take 256 MiB, and this one is larger.', 'Use `warren share` and `warren get` for it: they keep files on disk.');
      return item({ call: 1 });
    case 'end':
      ok(null);
      return sharing?.ok(put({ ...sharing.about, size: sharing.size, bytes: sharing.size, complete: true }));
    case 'fetch':
      return text.includes('nobody')
        ? fail('NOT_FOUND', 'Nobody was found who has it.', 'Check that somebody shares it in this network, then fetch it again.')
        : fetch(cid, JSON.parse(text).name ?? 'picture.png', item, ok, fail);
    case 'read':
      return ok(await bytesOf(file, Number(params['place'])));
    case 'pause':
    case 'resume':
      if (file) file.paused = params['files'] === 'pause';
      return ok(null);
    case 'list':
      return ok([...files.values()]);
    case 'storage':
      return ok({ durable: true, used: [...files.values()].reduce((sum, { size }) => sum + size, 0), most: 4.2e9, reason: '' });
    case 'remove':
      return ok(files.delete(cid));
    case 'search':
      if (text !== 'nothing') item(['slow film of the meadow.webm', 'picture.png', 'a text.txt'].map((name, at) => ({ ...put({ name, size: 3_000_000 * 9 ** at, tags: ['holiday', '2024'].slice(at) }, false), words: 1, authors: 1 + at, holders: ['a', 'b'].slice(0, at + 1) })));
      return ok(null);
    default:
      return ok(null);
  }
}

function put(about: Partial<FakeFile> & { name: string }, keep = true): FakeFile {
  const cid = `bafkr4i${[...about.name].map((char) => (char.charCodeAt(0) % 26 + 10).toString(36)).join('').padEnd(52, 'q').slice(0, 52)}`;
  const file = { cid, media: '', tags: [], size: 0, bytes: 0, complete: false, sources: 0, paused: false, ...about };
  if (keep) files.set(file.cid, file);
  return file;
}

function fetch(cid: string, name: string, item: Say, ok: Say, fail: Fail): void {
  const known = files.get(cid);
  if (known?.complete) return item(known), ok(known);
  const all = name.includes('slow') ? 100 : 22;
  const file = put({ ...known, cid, name, size: all * PIECE - 1234, sources: 3, pieces: Array<number>(all).fill(0) });
  item(file);
  const timer = setInterval(() => {
    if (file.paused) return item({ ...file });
    const missing = file.pieces?.flatMap((share, at) => (share < 100 ? [at] : [])) ?? [];
    const next = missing[(missing.length * 7) % 5] ?? missing[0];
    if (next === undefined || (name.includes('slow') && missing.length < 40)) return item({ ...file });
    for (const at of [next, ...missing.slice(-2)]) if (file.pieces) file.pieces[at] = Math.min(100, (file.pieces[at] ?? 0) + (at % 3 === 0 ? 60 : 100));
    file.bytes = Math.min(file.size, Math.round(((file.pieces ?? []).reduce((sum, share) => sum + share, 0) / 100) * PIECE));
    file.complete = file.bytes === file.size;
    if (name.includes('lost') && missing.length < all / 2) return clearInterval(timer), fail('NOT_FOUND', 'Nobody who had it can be reached: 12 of 22 pieces are there.', 'Check that somebody shares it in this network, then fetch it again.');
    if (!file.complete) return item({ ...file });
    delete file.pieces;
    clearInterval(timer);
    ok({ ...file });
  }, TICK_MS);
}

async function bytesOf(file: FakeFile | undefined, place: number): Promise<Uint8Array> {
  if (file?.name.endsWith('.png') && place === 0) return picture();
  return file?.name.endsWith('.txt') ? new TextEncoder().encode('Hello <b>burrow</b>.\nNothing of this is HTML.\n') : new Uint8Array();
}

async function picture(): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(640, 360);
  const context = canvas.getContext('2d');
  if (context) {
    const sky = context.createLinearGradient(0, 0, 0, 360);
    sky.addColorStop(0, '#88b7cc');
    sky.addColorStop(1, '#e9d9a9');
    context.fillStyle = sky;
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = '#4d7d52';
    context.beginPath();
    context.ellipse(320, 420, 520, 200, 0, 0, Math.PI * 2);
    context.fill();
  }
  return new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
}
