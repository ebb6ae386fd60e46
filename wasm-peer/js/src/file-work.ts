// What is done with files: the calls of the engine, and what they mean to an application.
// Hashing, verifying, whom to ask and where files are kept is decided there.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import { FetchedFile } from './fetched-file.ts';
import { fileLink, kindOf, readFileLink } from './file-link.ts';
import { progressOf, tell, type WireRange } from './file-progress.ts';
import { asked } from './file-range.ts';
import * as handles from './handle-work.ts';
import { piecesOfFolder, readFolder } from './folder-source.ts';
import type { FetchOptions, FetchProgress, FileInfo, FileSource, FileStorage, FoundFile, SharedFile, ShareOptions } from './files.ts';
import { piecesOf } from './pieces.ts';

export { fetchDirectory, pin } from './folder-work.ts';

interface WireFile {
  cid: string;
  name: string;
  media: string;
  tags: string[];
  size: number;
}

type WireInfo = WireFile & FetchProgress & Pick<FileInfo, 'complete' | 'files' | 'inPlace'> & { range?: WireRange };
interface WireRoom {
  durable: boolean;
  used: number;
  most: number;
  reason: string;
}

type WireFound = WireFile & { words: number; authors: number; holders: string[] };

export async function share(apps: Calls, source: FileSource, options: ShareOptions): Promise<SharedFile> {
  if (!handles.isFileHandle(source)) return shareCopy(apps, source, options);
  const file = await handles.fileOf(source);
  if (!(await handles.staysInPlace(apps, options.signal))) return shareCopy(apps, file, options);
  return sharedAs(await handles.shareInPlace<WireInfo>(apps, source, file, options));
}

export async function allow(apps: Calls, what: string, options: AbortOptions): Promise<FileInfo> {
  return infoOf(await handles.allow<WireInfo>(apps, what, options));
}

async function shareCopy(apps: Calls, source: Exclude<FileSource, FileSystemFileHandle>, options: ShareOptions): Promise<SharedFile> {
  const { tags = [], signal, onProgress } = options;
  const handing = new AbortController();
  const ended = signal ? AbortSignal.any([signal, handing.signal]) : handing.signal;
  const folder = await readFolder(source, ended);
  const { name = folder?.name ?? (source instanceof File ? source.name : ''), media = source instanceof Blob ? source.type : '' } = options;
  const pieces = folder ? piecesOfFolder(folder.files) : piecesOf(source, ended);
  const size = folder ? folder.size : source instanceof Blob ? source.size : source instanceof Uint8Array ? source.length : undefined;
  const progress = (bytes: number) => tell(onProgress, size === undefined ? { bytes } : { bytes, size });
  const hear = (item: unknown) => {
    const { call } = item as { call: number };
    // Whatever is wrong with the source is the error of the whole.
    hand(apps, call, pieces, ended, progress).catch((error: unknown) => handing.abort(error));
  };
  const files = folder?.files.map(({ path, file }) => [path, file.size]);
  const about = { files: folder ? 'shareFolder' : 'share', text: JSON.stringify({ name, media, tags, files }) };
  const params = { ...about, ...(size === undefined ? {} : { place: size }) };
  try {
    return sharedAs(await apps.request<WireInfo>('files', params, ended, hear));
  } finally {
    handing.abort();
    // Nobody has begun to read it, or somebody has read it to its end.
    if (source instanceof ReadableStream && !source.locked) source.cancel(ended.reason).catch(() => {});
  }
}

function sharedAs({ cid, name, size }: WireInfo): SharedFile {
  return { cid, link: fileLink(cid, name), size };
}

/** Each piece crosses when the last one was taken. */
async function hand(
  apps: Calls,
  call: number,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<void> {
  let bytes = 0;
  for await (const piece of pieces) {
    await apps.request('files', { files: 'take', call, value: { bytes: piece } }, signal);
    bytes += piece.length;
    progress(bytes);
  }
  await apps.request('files', { files: 'end', call }, signal);
}

export function fetchFile(apps: Calls, what: string, { signal, onProgress, range }: FetchOptions): Promise<FetchedFile> {
  const { cid, name } = readFileLink(what);
  const span = range && asked(range);
  return new Promise((resolve, reject) => {
    let begun = false;
    const hear = (item: unknown) => {
      const info = item as WireInfo;
      if (!begun) {
        begun = true;
        resolve(new FetchedFile(apps, { cid, size: info.size, name: name ?? info.name, ...(info.range ? { range: info.range } : {}) }, whole));
      }
      tell(onProgress, progressOf(info));
    };
    const params = { files: 'fetch', id: cid, text: JSON.stringify({ name }), ...(span ? { place: span.start, limit: span.end } : {}) };
    const whole = apps.request<WireInfo>('files', params, signal, hear);
    // What goes wrong later is told to those who read.
    whole.then((info) => tell(onProgress, progressOf(info)), reject);
  });
}

export async function list(apps: Calls, { signal }: AbortOptions): Promise<FileInfo[]> {
  const all = await apps.request<WireInfo[]>('files', { files: 'list' }, signal);
  return all.map(infoOf);
}

function infoOf(info: WireInfo): FileInfo {
  const { complete, files, inPlace } = info;
  return { ...described(info), ...progressOf(info), complete, ...(files === undefined ? {} : { files }), ...(inPlace === undefined ? {} : { inPlace }) };
}

export async function storage(apps: Calls, { signal }: AbortOptions): Promise<FileStorage> {
  const { durable, used, most, reason } = await apps.request<WireRoom>('files', { files: 'storage' }, signal);
  const persisted = durable && ((await navigator.storage.persisted?.()) ?? false);
  return { kind: durable ? 'disk' : 'memory', used, quota: most, persisted, ...(reason === '' ? {} : { reason }) };
}

export async function remove(apps: Calls, what: string, { signal }: AbortOptions): Promise<boolean> {
  return apps.request<boolean>('files', { files: 'remove', id: readFileLink(what).cid }, signal);
}

export async function* search(apps: Calls, text: string, { signal }: AbortOptions): AsyncGenerator<FoundFile, void, undefined> {
  for await (const answer of apps.stream<WireFound[]>('files', { files: 'search', text }, signal)) {
    for (const { words, authors, holders, ...file } of answer) {
      yield { ...described(file), name: file.name, words, authors, holders };
    }
  }
}

/** What is not known crosses as empty text. */
function described({ cid, name, media, size, tags }: WireFile): SharedFile & { kind: 'file' | 'directory'; name?: string; media?: string; tags: string[] } {
  return { kind: kindOf(cid), cid, link: fileLink(cid, name), size, tags, ...(name === '' ? {} : { name }), ...(media === '' ? {} : { media }) };
}
