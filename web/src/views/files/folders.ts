// Folders that a visitor drops or picks: which files are in them. Nothing of these is read yet.

import type { FolderFile } from 'warren-p2p';

/** More than a directory can have: nobody waits for the rest. */
const MOST = 65_537;

/** A folder that is to be shared as a directory. */
export interface ChosenFolder {
  name: string;
  files: readonly FolderFile[];
  size: number;
}

export type Choice = File | ChosenFolder;

/** What `<input webkitdirectory>` has: each path begins with the name of the folder. */
export function pickedFolders(files: readonly File[]): ChosenFolder[] {
  const folders = new Map<string, FolderFile[]>();
  for (const file of files) {
    const [name = '', ...path] = file.webkitRelativePath.split('/');
    const folder = folders.get(name) ?? [];
    folders.set(name, folder);
    folder.push({ path: path.join('/'), file });
  }
  return [...folders].map(([name, files]) => folderOf(name, files));
}

export async function droppedFolder(entry: FileSystemDirectoryEntry): Promise<ChosenFolder> {
  const files: FolderFile[] = [];
  await walk(entry, '', files);
  return folderOf(entry.name, files);
}

async function walk(folder: FileSystemDirectoryEntry, path: string, found: FolderFile[]): Promise<void> {
  const reader = folder.createReader();
  // It gives some at a time, and none at the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0 || found.length >= MOST) return;
    for (const entry of entries) {
      const place = `${path}${entry.name}`;
      if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, `${place}/`, found);
      else found.push({ path: place, file: await fileOf(entry as FileSystemFileEntry) });
    }
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

function folderOf(name: string, files: readonly FolderFile[]): ChosenFolder {
  return { name, files, size: files.reduce((sum, { file }) => sum + file.size, 0) };
}
