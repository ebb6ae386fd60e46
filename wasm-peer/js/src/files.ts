// Files as an application sees them: shared from this page, fetched from everybody who has them, found by words.
// Everything else is in `file-work.ts`, which no page needs to join.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import type { FetchedFile } from './fetched-file.ts';
import type { FileRange } from './file-range.ts';
import { later } from './later.ts';

/** What can be shared. A stream is read to its end. */
export type FileSource = File | Blob | Uint8Array | ReadableStream<Uint8Array>;

/** How far a file is that is being shared. */
export interface ShareProgress {
  /** Bytes that were read and hashed. */
  bytes: number;
  /** Of how many; not known of streams. */
  size?: number;
}

export interface ShareOptions extends AbortOptions {
  /** What it is called: at most 255 bytes. Default: the name of a `File`. Without a name it is found by its id only. */
  name?: string;
  /** Its media type. Default: that of a `File` or `Blob`. */
  media?: string;
  /** Words by which it is found beside those of its name: at most 16 of 64 bytes. */
  tags?: readonly string[];
  onProgress?: (progress: ShareProgress) => void;
}

/** A file that others can fetch. */
export interface SharedFile {
  /** Its content, hashed: equal files have equal ids. */
  cid: string;
  /** How others get it, in a tab or with `warren get`. */
  link: string;
  /** In bytes. */
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

/** A file that this page has, or is fetching. */
export interface FileInfo extends SharedFile, FetchProgress {
  name?: string;
  media?: string;
  tags: string[];
  /** Whether all of it is there. */
  complete: boolean;
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
 * again, and others can fetch it from this page as soon as it has joined. Where that is not possible, it is in memory, 256 MiB in
 * all, until the page goes away; `storage()` says which, and why.
 */
export class Files {
  readonly #apps: Calls;

  /** @internal */
  constructor(apps: Calls) {
    this.#apps = apps;
  }

  /**
   * Shares a file until it is removed. Resolves when others can find it. Rejects with `TOO_LARGE` when there is not so much room at all,
   * `STORAGE_FAILED` when it does not fit beside the others, `NO_RELAY` when nobody can be told. Aborting leaves nothing behind.
   */
  async share(source: FileSource, options: ShareOptions = {}): Promise<SharedFile> {
    return (await work()).share(this.#apps, source, options);
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

  /** What this page has, or is fetching, or has fetched some of. */
  async list(options: AbortOptions = {}): Promise<FileInfo[]> {
    return (await work()).list(this.#apps, options);
  }

  /** Where files are kept, and how many more fit. */
  async storage(options: AbortOptions = {}): Promise<FileStorage> {
    return (await work()).storage(this.#apps, options);
  }

  /** Shares a file no longer, and forgets it. Resolves with whether it was there. */
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
