// Files that are shared where they are: a visitor's files as handles, where the browser gives these.

import type { Choice } from './folders.ts';

/** What is smaller is copied: then it is there again after a reload, and nobody is asked. */
const LARGE = 64 * 1024 * 1024;

type Picker = { showOpenFilePicker?: (options: { multiple: true }) => Promise<FileSystemFileHandle[]> };
type Dropped = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

const handles = new WeakMap<File, Promise<FileSystemHandle | null>>();

/** What is shared of something that was chosen: a large file stays where it is, if there is a way. */
export async function sourceOf(chosen: Choice): Promise<File | FileSystemFileHandle | Exclude<Choice, File>['files']> {
  if ('files' in chosen) return chosen.files;
  if (chosen.size < LARGE) return chosen;
  const handle = await handles.get(chosen);
  return handle?.kind === 'file' ? (handle as FileSystemFileHandle) : chosen;
}

/** To be called while the browser still knows what was dropped. */
export function droppedFile(item: DataTransferItem): File | null {
  const file = item.getAsFile();
  const handle = file && (item as Dropped).getAsFileSystemHandle?.();
  // Without a handle it is copied.
  if (handle) handles.set(file, handle.catch(() => null));
  return file;
}

/** Whether the browser has a picker that gives handles. */
export function canPick(): boolean {
  return typeof (window as unknown as Picker).showOpenFilePicker === 'function';
}

/** None when the visitor has closed the picker. */
export async function pickFiles(): Promise<File[]> {
  const picked = await (window as unknown as Picker).showOpenFilePicker?.({ multiple: true }).catch((error: unknown) => {
    if ((error as Error).name === 'AbortError') return [];
    throw error;
  });
  const files = (picked ?? []).map(async (handle) => {
    const file = await handle.getFile();
    handles.set(file, Promise.resolve(handle));
    return file;
  });
  return Promise.all(files);
}
