// What is done with handles of files: such a file is read where it is, and stays there.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import { readFileLink } from './file-link.ts';
import { tell } from './file-progress.ts';
import type { ShareOptions } from './files.ts';
import { unreadable } from './folder-source.ts';
import { lend, takeBack } from './lent-handles.ts';

export function isFileHandle(value: unknown): value is FileSystemFileHandle {
  return typeof value === 'object' && value !== null && (value as FileSystemHandle).kind === 'file';
}

/** The file as it is now; says what is wrong when this page may not read it. */
export function fileOf(handle: FileSystemFileHandle): Promise<File> {
  return handle.getFile().catch((cause: unknown) => unreadable(handle.name, cause));
}

/** Whether files can be read in their places: where nothing is kept over a reload, they are copied. */
export async function staysInPlace(apps: Calls, signal: AbortSignal | undefined): Promise<boolean> {
  return (await apps.request<{ durable: boolean }>('files', { files: 'storage' }, signal)).durable;
}

export async function shareInPlace<T>(apps: Calls, handle: FileSystemFileHandle, file: File, options: ShareOptions): Promise<T> {
  const { name = file.name, media = file.type, tags = [], signal, onProgress } = options;
  const call = lend(handle);
  const hear = (item: unknown) => tell(onProgress, { bytes: (item as { bytes: number }).bytes, size: file.size });
  try {
    return await apps.request<T>('files', { files: 'shareInPlace', call, text: JSON.stringify({ name, media, tags }) }, signal, hear);
  } finally {
    takeBack(call);
  }
}

/** What is asked of the visitor is asked by the page's end of the worker. */
export async function allow<T>(apps: Calls, what: string, { signal }: AbortOptions): Promise<T> {
  return apps.request<T>('files', { files: 'allow', id: readFileLink(what).cid }, signal);
}
