// Writing what was fetched to where a visitor keeps files. Nothing that is there already is lost, and what is not complete does
// not stay: browsers put a file in its place when it is closed.

import { onAbort, type AbortOptions } from './abort.ts';
import { WarrenError, invalidArgument } from './errors.ts';
import type { FetchedDirectory } from './fetched-directory.ts';
import type { FetchedFile } from './fetched-file.ts';
import { isDirectory, unreadable } from './folder-source.ts';

export type SaveOptions = AbortOptions;

/** Where a file can be written to. Into a directory it goes under its own name. */
export type SaveTarget = FileSystemFileHandle | FileSystemDirectoryHandle | WritableStream<Uint8Array>;

/** Files of a directory that are written at the same time: most of the work is waiting for the disk. */
const AT_ONCE = 8;

export async function saveFile(file: FetchedFile, target: SaveTarget, { signal }: SaveOptions): Promise<void> {
  if (target instanceof WritableStream) return pour(file, target, signal);
  if (isDirectory(target)) return saveInto(file, target, file.name ?? file.cid, file.name ?? file.cid, signal);
  if (typeof target?.createWritable === 'function') return write(file, target, signal);
  throw invalidArgument('This is no place for a file.', 'Pass a FileSystemFileHandle, a FileSystemDirectoryHandle or a WritableStream.');
}

export async function saveDirectory(directory: FetchedDirectory, folder: FileSystemDirectoryHandle, { signal }: SaveOptions): Promise<void> {
  if (!isDirectory(folder)) throw invalidArgument('This is no folder.', 'Pass a FileSystemDirectoryHandle.');
  const failing = new AbortController();
  const ended = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  const folders = new Map<string, Promise<FileSystemDirectoryHandle>>([['', Promise.resolve(folder)]]);
  const rest = directory.entries.values();
  const lane = async () => {
    for (const { path } of rest) {
      ended.throwIfAborted();
      const cut = path.lastIndexOf('/');
      const [file, place] = await Promise.all([directory.file(path, { signal: ended }), folderAt(folders, path.slice(0, Math.max(0, cut)))]);
      await saveInto(file, place, path.slice(cut + 1), path, ended);
    }
  };
  const failures: unknown[] = [];
  const lanes = Array.from({ length: AT_ONCE }, () =>
    lane().catch((error: unknown) => {
      failures.push(error);
      failing.abort(error);
    }),
  );
  // The first failure is told when the others have stopped, too, and no half of a file is left.
  await Promise.all(lanes);
  if (failures.length > 0) throw failures[0];
}

/** A folder below the first one, made once. */
function folderAt(folders: Map<string, Promise<FileSystemDirectoryHandle>>, path: string): Promise<FileSystemDirectoryHandle> {
  const known = folders.get(path);
  if (known) return known;
  const cut = path.lastIndexOf('/');
  const above = folderAt(folders, path.slice(0, Math.max(0, cut)));
  const made = above.then((folder) => folder.getDirectoryHandle(path.slice(cut + 1), { create: true }).catch((cause: unknown) => failed(path, cause)));
  folders.set(path, made);
  return made;
}

/** Under a name in a folder; what is there under it stays if it is the same. An empty file may be what is left of a page that was ended here. */
async function saveInto(file: FetchedFile, folder: FileSystemDirectoryHandle, name: string, path: string, signal: AbortSignal | undefined): Promise<void> {
  const there = await folder.getFileHandle(name).catch((cause: unknown) => ((cause as Error).name === 'NotFoundError' ? undefined : failed(path, cause)));
  if (there) {
    const other = await there.getFile().catch((cause: unknown) => unreadable(path, cause));
    if (await isSame(file, other, path, signal)) return;
    if (other.size === 0) return write(file, there, signal, path);
    throw invalidArgument(`"${path}" is there already, and is something else.`, 'Move it away, or save into another folder.');
  }
  const place = await folder.getFileHandle(name, { create: true }).catch((cause: unknown) => failed(path, cause));
  try {
    await write(file, place, signal, path);
  } catch (error) {
    await folder.removeEntry(name).catch(() => {});
    throw error;
  }
}

async function write(file: FetchedFile, place: FileSystemFileHandle, signal: AbortSignal | undefined, path = place.name): Promise<void> {
  signal?.throwIfAborted();
  const writable = await place.createWritable().catch((cause: unknown) => failed(path, cause));
  try {
    await pour(file, writable, signal);
  } catch (error) {
    if (error instanceof DOMException && error.name !== 'AbortError' && error !== signal?.reason) failed(path, error);
    throw error;
  }
}

/** Closes the target at the end; what goes wrong aborts it. */
async function pour(file: FetchedFile, target: WritableStream<Uint8Array>, signal: AbortSignal | undefined): Promise<void> {
  await file.stream().pipeTo(target, signal ? { signal } : {});
}

async function isSame(file: FetchedFile, other: File, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  if (other.size !== file.range.end - file.range.start) return false;
  signal?.throwIfAborted();
  const reader = file.stream().getReader();
  const stop = (reason?: unknown) => void reader.cancel(reason).catch(() => {});
  const forget = onAbort(signal, stop);
  try {
    let at = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const bytes = next.value;
      const theirs = new Uint8Array(await other.slice(at, at + bytes.length).arrayBuffer().catch((cause: unknown) => unreadable(path, cause)));
      if (theirs.length !== bytes.length || theirs.some((byte, index) => byte !== bytes[index])) return false;
      at += bytes.length;
    }
    // What was given up ends, too.
    if (at < other.size) signal?.throwIfAborted();
    return true;
  } finally {
    forget();
    stop();
  }
}

/** What browsers say, in the words of this package. */
function failed(path: string, cause: unknown): never {
  const { name } = cause as Error;
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    throw new WarrenError('PERMISSION_DENIED', `This page may not write "${path}".`, { remedy: 'Allow it when the browser asks, or choose another place.', cause });
  }
  if (name === 'TypeMismatchError') throw invalidArgument(`Something is in the way of "${path}".`, 'Move it away, or save into another folder.', cause);
  if (name === 'TypeError') throw invalidArgument(`The browser does not take the name "${path}".`, 'Save the files one by one, under other names.', cause);
  throw new WarrenError('STORAGE_FAILED', `"${path}" cannot be written.`, { remedy: 'Make space on this device, or choose another place.', cause });
}
