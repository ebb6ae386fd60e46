// A directory that was fetched, or is on its way: its list, and its files.
// Knows how they are asked for; whether the list may be trusted, and in which order files come, is the engine's affair.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import { invalidArgument, WarrenError } from './errors.ts';
import { FetchedFile } from './fetched-file.ts';
import { fileLink } from './file-link.ts';
import { saveDirectory, type SaveOptions } from './save.ts';

/** A file of a directory. */
export interface DirectoryEntry {
  /** Where it is, with `/` between names: safe on every system, and different from all others also where case does not count. */
  path: string;
  cid: string;
  /** In bytes. */
  size: number;
  /** Its media type, if whoever made the directory has said it. */
  media?: string;
}

/** What the engine says first. */
export interface DirectoryBegun {
  cid: string;
  name?: string | undefined;
  size: number;
  /** As JSON: `[[path, id, size, media], …]`. */
  entries: string;
}

/**
 * A directory whose list is there and proven, and whose files are there or on their way. They can be read before all of them are
 * there, until the directory is removed with `peer.files.remove(cid)`. What was verified in this page is all that is given out.
 */
export class FetchedDirectory {
  readonly kind = 'directory';
  readonly cid: string;
  /** Bytes of all its files. */
  readonly size: number;
  /** What the link calls it: a suggestion of whoever made that. */
  readonly name?: string;
  /** Its files, in the order of their paths. */
  readonly entries: readonly DirectoryEntry[];
  readonly #apps: Calls;
  readonly #whole: Promise<unknown>;
  readonly #byPath: ReadonlyMap<string, DirectoryEntry>;
  #failure: { error: unknown } | undefined;

  /** @internal `whole` settles when all of it is there. */
  constructor(apps: Calls, { cid, name, size, entries }: DirectoryBegun, whole: Promise<unknown>) {
    this.#apps = apps;
    this.#whole = whole;
    this.cid = cid;
    this.size = size;
    if (name) this.name = name;
    this.entries = (JSON.parse(entries) as [string, string, number, string][]).map(entryOf);
    this.#byPath = new Map(this.entries.map((entry) => [entry.path, entry]));
    whole.catch((error: unknown) => (this.#failure = { error }));
  }

  /** How others get it. */
  get link(): string {
    return fileLink(this.cid, this.name);
  }

  /** Resolves when all of its files are there. Rejects when the rest does not come. */
  async complete(): Promise<void> {
    await this.#whole;
  }

  /** Asks nobody for more of it. What has come stays. */
  pause(): Promise<void> {
    return this.#apps.request('files', { files: 'pause', id: this.cid });
  }

  /** Goes on after `pause()`. */
  resume(): Promise<void> {
    return this.#apps.request('files', { files: 'resume', id: this.cid });
  }

  /**
   * One of its files, which comes before the others from now on. Resolves when it has begun to come, or is there if it is small. Rejects
   * with `NOT_FOUND` when the directory has no such path, and with the reason when the directory does not come.
   */
  async file(path: string, { signal }: AbortOptions = {}): Promise<FetchedFile> {
    const entry = this.#find(path);
    const name = path.slice(path.lastIndexOf('/') + 1);
    return new Promise((resolve, reject) => {
      let begun = false;
      const begin = () => {
        if (begun) return;
        begun = true;
        resolve(new FetchedFile(this.#apps, { cid: entry.cid, size: entry.size, name }, whole));
      };
      const params = { files: 'fetchMember', id: entry.cid, text: this.cid };
      const asked = this.#apps.request('files', params, signal, begin);
      const whole = asked.catch((error: unknown) => {
        throw this.#failure?.error ?? error;
      });
      whole.then(begin, reject);
    });
  }

  /**
   * Writes its files into a folder, each as soon as it is there, and makes the folders that they need. Files that are there already and
   * the same stay; one that is something else, and not empty, rejects with `INVALID_ARGUMENT`, and nothing is lost. Aborting, or a file
   * that does not come, leaves those that are complete, and no half of one.
   */
  saveTo(folder: FileSystemDirectoryHandle, options: SaveOptions = {}): Promise<void> {
    return saveDirectory(this, folder, options);
  }

  #find(path: string): DirectoryEntry {
    if (typeof path !== 'string') throw invalidArgument('The path is not a string.', 'Pass the path of one of the entries.');
    const found = this.#byPath.get(path);
    if (found) return found;
    throw new WarrenError('NOT_FOUND', `The directory has no file "${path}".`, { remedy: 'Look at its entries for what it has.' });
  }
}

function entryOf([path, cid, size, media]: [string, string, number, string]): DirectoryEntry {
  return { path, cid, size, ...(media === '' ? {} : { media }) };
}
