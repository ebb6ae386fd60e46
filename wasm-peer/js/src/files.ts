// Files as an application sees them: shared from this page, fetched from everybody who has them, found by words.
// Everything else is in `file-work.ts`, which no page needs to join.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import type { WarrenError } from './errors.ts';
import type { FetchedDirectory } from './fetched-directory.ts';
import type { FetchedFile } from './fetched-file.ts';
import type { FileRange } from './file-range.ts';
import { later } from './later.ts';

/** A file of a folder that is shared. */
export interface FolderFile {
  /** Where it is in the folder: names with `/` between them, such as `photos/sea.jpg`. */
  path: string;
  file: File | Blob;
}

/**
 * What can be shared. A stream is read to its end. Of a handle of a file nothing is copied: it stays where it is, and is read there whenever
 * somebody wants some of it; only where nothing is kept over a reload (see `storage()`) it is copied, too. A folder is shared as a directory:
 * all that is below a handle of one, or the files of a list, at most 65,536.
 */
export type FileSource =
  | File
  | Blob
  | Uint8Array
  | ReadableStream<Uint8Array>
  | FileSystemFileHandle
  | FileSystemDirectoryHandle
  | readonly FolderFile[];

/**
 * How it is with a file that was shared by its handle. `readable`: it is what it was, as far as anybody has noticed. `needs-permission`: the
 * browser does not let this page read it now, as after a reload; call `allow()` when somebody clicks. `changed`: it is not any more what was
 * shared, or not where it was; share it again, or remove it. Only what is `readable` is given to others.
 */
export type FileInPlace = 'readable' | 'needs-permission' | 'changed';

/** How far a file is that is being shared. */
export interface ShareProgress {
  /** Bytes that were read and hashed. */
  bytes: number;
  /** Of how many; not known of streams. */
  size?: number;
}

export interface ShareOptions extends AbortOptions {
  /** What it is called: at most 255 bytes. Default: the name of a `File`, or of a folder's handle. Without a name it is found by its id only. */
  name?: string;
  /** Its media type. Default: that of a `File` or `Blob`. */
  media?: string;
  /** Words by which it is found beside those of its name: at most 16 of 64 bytes. */
  tags?: readonly string[];
  onProgress?: (progress: ShareProgress) => void;
}

/** A file that others can fetch, or a directory of files. */
export interface SharedFile {
  /** Its content, hashed: equal files have equal ids. A directory's begins with `bafyr4i`. */
  cid: string;
  /** How others get it, in a tab or with `warren get`. */
  link: string;
  /** In bytes; of a directory, of all its files. */
  size: number;
}

/** How far a file is that is being fetched. */
export interface FetchProgress {
  /** Verified bytes that are there. */
  bytes: number;
  size: number;
  /** Peers that send it, or could. */
  sources: number;
  /** How much is there of each part of it, in percent: at most 128 parts of about one length. Missing when all of it is there. */
  pieces?: number[];
  /** Whether it was paused. */
  paused: boolean;
}

export interface FetchOptions extends AbortOptions {
  /** Only these bytes are wanted: no more is fetched than the pieces of 256 KiB that have them. */
  range?: FileRange;
  /** How far it is; with a range, how far that is. */
  onProgress?: (progress: FetchProgress) => void;
}

export interface PinOptions extends AbortOptions {
  /** For how many days, at most 90. Default: 30. */
  days?: number;
}

/** Relays that keep a file or a directory for when this page is gone, and those that do not. */
export interface PinnedFile {
  cid: string;
  /** Peer ids of relays, and until when each keeps it. */
  kept: { relay: string; until: Date }[];
  /** Why the others do not. */
  refused: { relay: string; error: WarrenError }[];
}

/** A file or a directory that this page has, or is fetching. */
export interface FileInfo extends SharedFile, FetchProgress {
  kind: 'file' | 'directory';
  /** How many files a directory has, once its list is there. */
  files?: number;
  name?: string;
  media?: string;
  tags: string[];
  /** Whether all of it is there. */
  complete: boolean;
  /** Of a file that was shared by its handle and is not copied: how it is with it. */
  inPlace?: FileInPlace;
}

/** Where files of a page are, and how many more fit. */
export interface FileStorage {
  /** `disk`: they are there again after a reload. `memory`: they end with the page. */
  kind: 'disk' | 'memory';
  /** Bytes that they take, with their hashes; all of a file that is on its way. */
  used: number;
  /** Bytes that they may take in all, as the browser estimates it. */
  quota: number;
  /** Whether the browser has promised not to take them when it is short of space. */
  persisted: boolean;
  /** Why they are in memory. */
  reason?: string;
}

/** A file that was found, as somebody describes it: whether it is that, only the file shows. */
export interface FoundFile extends SharedFile {
  kind: 'file' | 'directory';
  name: string;
  media?: string;
  tags: string[];
  /** How many of the words it has. */
  words: number;
  /** How many authors list it, among those who had answered. */
  authors: number;
  /** Peers that say they have it, among those who had answered. */
  holders: string[];
}

/**
 * Files. Reached as `peer.files`. What is shared and fetched is kept on disk by the browser, until it is removed: after a reload it is there
 * again, and others can fetch it from this page as soon as it has joined. Of what was shared by its handle only that is kept: see `FileInfo.inPlace`. Where that is not possible, it is in memory, 256 MiB in
 * all, until the page goes away; `storage()` says which, and why.
 */
export class Files {
  readonly #apps: Calls;

  /** @internal */
  constructor(apps: Calls) {
    this.#apps = apps;
  }

  /**
   * Shares a file, or a folder as a directory, until it is removed. Resolves when others can find it. A path that is not a file everywhere, or
   * two that are one where case does not count, reject with `INVALID_ARGUMENT` before anything is read. Rejects with `TOO_LARGE` when there is not so much room at all,
   * `STORAGE_FAILED` when it does not fit beside the others, `NO_RELAY` when nobody can be told. Aborting leaves nothing behind.
   */
  async share(source: FileSource, options: ShareOptions = {}): Promise<SharedFile> {
    return (await work()).share(this.#apps, source, options);
  }

  /**
   * Asks the visitor to let this page read a file that was shared by its handle, and shares it again. To be called when somebody clicks: browsers
   * ask at no other time. Rejects with `PERMISSION_DENIED` when the answer is no, `NOT_FOUND` when it has changed.
   */
  async allow(what: string, options: AbortOptions = {}): Promise<FileInfo> {
    return (await work()).allow(this.#apps, what, options);
  }

  /**
   * Fetches a file from everybody who has it, by its id or a link. Resolves when its size is proven; the bytes come meanwhile, and stay until
   * the file is removed. Rejects, as reading does later, with `NOT_FOUND` when nothing has come for a minute. Aborting gives up what is not
   * complete, unless it is fetched elsewhere in this page, too. What has come stays on disk, and is not fetched again when the file is
   * fetched another time, in this page or after a reload; in memory it is forgotten. With a range, that is all that is fetched, and it
   * stays as a whole file does; who fetches more later goes on from there. Rejects with `INVALID_ARGUMENT` when the file is shorter.
   */
  async fetch(what: string, options: FetchOptions = {}): Promise<FetchedFile> {
    return (await work()).fetchFile(this.#apps, what, options);
  }

  /**
   * The same for a directory. Resolves when its list is there and proven; the files come meanwhile, many small ones at a time. A list that
   * would write outside of its place, or twice to one place, is refused. Rejects with `UNSUPPORTED` when it is a file.
   */
  async fetchDirectory(what: string, options: FetchOptions = {}): Promise<FetchedDirectory> {
    return (await work()).fetchDirectory(this.#apps, what, options);
  }

  /**
   * Asks the connected relays to keep a file or a directory that is here, for when this page is gone. Resolves when they have all of it, with
   * those that keep it. Rejects when none does, with why: `UNSUPPORTED` when they keep nothing, `TOO_LARGE`, `OVERLOADED`, `REFUSED`.
   */
  async pin(what: string, options: PinOptions = {}): Promise<PinnedFile> {
    return (await work()).pin(this.#apps, what, options);
  }

  /** What this page has, or is fetching, or has fetched some of. */
  async list(options: AbortOptions = {}): Promise<FileInfo[]> {
    return (await work()).list(this.#apps, options);
  }

  /** Where files are kept, and how many more fit. */
  async storage(options: AbortOptions = {}): Promise<FileStorage> {
    return (await work()).storage(this.#apps, options);
  }

  /** Shares a file or a directory no longer, and forgets it; of a file that was shared by its handle, the handle. Resolves with whether it was there. */
  async remove(what: string, options: AbortOptions = {}): Promise<boolean> {
    return (await work()).remove(this.#apps, what, options);
  }

  /**
   * Finds files of others by words of their names and tags. Each comes once, as soon as somebody has named it, the best of an answer first.
   * Every `for await` is a search of its own; leaving the loop ends it.
   */
  search(query: string, options: AbortOptions = {}): AsyncIterable<FoundFile> {
    return { [Symbol.asyncIterator]: () => found(this.#apps, query, options) };
  }
}

async function* found(apps: Calls, query: string, options: AbortOptions): AsyncGenerator<FoundFile, void, undefined> {
  yield* (await work()).search(apps, query, options);
}

function work(): Promise<typeof import('./file-work.ts')> {
  return later(import('./file-work.ts'), 'files');
}
