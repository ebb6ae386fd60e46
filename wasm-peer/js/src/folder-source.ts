// A folder of this device, as a browser gives it to a page: which files are in it, and their bytes one after the other.

import { WarrenError, invalidArgument } from './errors.ts';
import type { FolderFile } from './files.ts';
import { PIECE, type Bytes } from './pieces.ts';

/** As many as a directory has at most. */
const MOST = 65_536;
/** Small files that are read before it is their turn: each is a question to the browser. */
const AHEAD = 16;

interface Walkable {
  entries(): AsyncIterable<[string, FileSystemHandle]>;
}

/** A folder whose files are known, and not read yet. */
export interface FolderSource {
  /** What it is called, where the browser says so. */
  name: string;
  files: readonly FolderFile[];
  size: number;
}

/** What is to be shared, if that is a folder. */
export async function readFolder(source: unknown, signal: AbortSignal): Promise<FolderSource | undefined> {
  if (Array.isArray(source)) return folderOf('', source.map(checked));
  if (!isDirectory(source)) return undefined;
  const files: FolderFile[] = [];
  await walk(source, '', files, signal);
  return folderOf(source.name, files);
}

export function isDirectory(value: unknown): value is FileSystemDirectoryHandle {
  return typeof value === 'object' && value !== null && (value as FileSystemHandle).kind === 'directory';
}

function folderOf(name: string, files: readonly FolderFile[]): FolderSource {
  if (files.length > MOST) throw tooMany();
  return { name, files, size: files.reduce((sum, { file }) => sum + file.size, 0) };
}

function checked(one: unknown): FolderFile {
  const { path, file } = (one ?? {}) as Partial<FolderFile>;
  if (typeof path === 'string' && file instanceof Blob) return { path, file };
  throw invalidArgument('This is no list of files.', 'Pass {path, file} for each: its path in the folder, and the File or Blob.');
}

async function walk(folder: FileSystemDirectoryHandle, path: string, found: FolderFile[], signal: AbortSignal): Promise<void> {
  for await (const [name, handle] of entriesOf(folder, path)) {
    signal.throwIfAborted();
    const place = `${path}${name}`;
    if (isDirectory(handle)) {
      await walk(handle, `${place}/`, found, signal);
      continue;
    }
    const file = await (handle as FileSystemFileHandle).getFile().catch((cause: unknown) => unreadable(place, cause));
    found.push({ path: place, file });
    if (found.length > MOST) throw tooMany();
  }
}

async function* entriesOf(folder: FileSystemDirectoryHandle, path: string): AsyncGenerator<[string, FileSystemHandle], void, undefined> {
  try {
    yield* (folder as unknown as Walkable).entries();
  } catch (cause) {
    unreadable(path === '' ? folder.name : path.slice(0, -1), cause);
  }
}

/** The bytes of all files, in the pieces in which they cross. */
export async function* piecesOfFolder(files: readonly FolderFile[]): AsyncGenerator<Bytes, void, undefined> {
  let piece = new Uint8Array(PIECE);
  let filled = 0;
  for await (const bytes of contents(files)) {
    for (let at = 0; at < bytes.length; ) {
      const now = bytes.subarray(at, at + PIECE - filled);
      piece.set(now, filled);
      at += now.length;
      filled += now.length;
      if (filled < PIECE) continue;
      yield piece;
      // It crossed with its memory.
      piece = new Uint8Array(PIECE);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.slice(0, filled);
}

async function* contents(files: readonly FolderFile[]): AsyncGenerator<Bytes, void, undefined> {
  const begun: Promise<Bytes>[] = [];
  for (const [at, { path, file }] of files.entries()) {
    for (let next = begun.length; next < files.length && next < at + AHEAD; next += 1) begun.push(small(files[next]));
    yield await (begun[at] as Promise<Bytes>);
    // One that is waited for no longer is not kept.
    delete begun[at];
    for (let from = file.size > PIECE ? 0 : file.size; from < file.size; from += PIECE) yield read(path, file, from, from + PIECE);
  }
}

/** All of a file, or nothing of one that is read in parts. */
function small(one: FolderFile | undefined): Promise<Bytes> {
  if (!one || one.file.size > PIECE) return Promise.resolve(new Uint8Array());
  const reading = read(one.path, one.file, 0, one.file.size);
  // Whoever gets to it is told.
  reading.catch(() => {});
  return reading;
}

async function read(path: string, file: Blob, from: number, to: number): Promise<Bytes> {
  const bytes = await file.slice(from, to).arrayBuffer().catch((cause: unknown) => unreadable(path, cause));
  if (bytes.byteLength !== Math.min(to, file.size) - from) unreadable(path, undefined);
  return new Uint8Array(bytes);
}

/** What browsers say about something that they do not let be read. */
export function unreadable(path: string, cause: unknown): never {
  const { name } = (cause ?? {}) as { name?: string };
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    throw new WarrenError('PERMISSION_DENIED', `This page may not read "${path}".`, { remedy: 'Allow it when the browser asks, or choose it again.', cause });
  }
  throw new WarrenError('STORAGE_FAILED', `"${path}" cannot be read.`, {
    remedy: 'Choose it again: it may have changed or vanished.',
    cause,
  });
}

function tooMany(): WarrenError {
  return new WarrenError('TOO_LARGE', `A directory has at most ${MOST} files.`, { remedy: 'Share its parts, or pack it into one file.' });
}
