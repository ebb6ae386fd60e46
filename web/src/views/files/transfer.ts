// One file on its way into this tab: how far it is, and what a visitor may do about it.

import type { FetchedDirectory, FetchedFile, FetchProgress, Peer } from 'warren-p2p';
import { namesDirectory } from './links.ts';
import { Rate } from './rate.ts';

/** `looking` until its size is proven. */
export type TransferState = 'looking' | 'coming' | 'done' | 'failed';

/** What is known of a file before any of it is there. */
export interface Wanted {
  /** An id, or a link. */
  what: string;
  name?: string | undefined;
  media?: string | undefined;
}

export class Transfer {
  readonly wanted: Wanted;
  readonly rate = new Rate();
  state: TransferState = 'looking';
  progress: FetchProgress | undefined;
  error: unknown;
  readonly #changed: () => void;
  readonly #ending = new AbortController();
  #file: FetchedFile | FetchedDirectory | undefined;

  constructor(wanted: Wanted, changed: () => void) {
    this.wanted = wanted;
    this.#changed = changed;
  }

  get name(): string | undefined {
    return this.#file?.name ?? this.wanted.name;
  }

  /** The file, as soon as its size is proven. */
  get file(): FetchedFile | undefined {
    return this.#file?.kind === 'file' ? this.#file : undefined;
  }

  /** The directory, once its list is there. */
  get directory(): FetchedDirectory | undefined {
    return this.#file?.kind === 'directory' ? this.#file : undefined;
  }

  /** Resolves with its id when its size is proven. */
  async begin(peer: Peer): Promise<string> {
    const options = { signal: this.#ending.signal, onProgress: (progress: FetchProgress) => this.#told(progress) };
    const { what } = this.wanted;
    const file = (this.#file = await (namesDirectory(what) ? peer.files.fetchDirectory(what, options) : peer.files.fetch(what, options)));
    this.state = 'coming';
    void this.#follow(file);
    return file.cid;
  }

  async turnPause(): Promise<void> {
    const paused = this.progress?.paused !== true;
    await (paused ? this.#file?.pause() : this.#file?.resume());
    if (this.progress) this.#told({ ...this.progress, paused });
  }

  /** Nothing more of it is wanted. */
  cancel(): void {
    this.#ending.abort();
  }

  /** It does not come, unless nobody wants it any more. */
  fail(error: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.state = 'failed';
    this.error = error;
    this.#changed();
  }

  async #follow(file: FetchedFile | FetchedDirectory): Promise<void> {
    try {
      await file.complete();
      this.state = 'done';
      this.#changed();
    } catch (error) {
      this.fail(error);
    }
  }

  #told(progress: FetchProgress): void {
    this.progress = progress;
    if (progress.paused) this.rate.forget();
    else this.rate.take(progress.bytes, performance.now());
    this.#changed();
  }
}
