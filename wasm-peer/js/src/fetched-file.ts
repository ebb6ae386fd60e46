// A file that was fetched, or is on its way: its bytes in order, each as soon as it is there.
// Knows how they are asked for; what they are verified against, and where they come from, is the engine's affair.

import type { Calls } from './apps.ts';
import { fileLink } from './file-link.ts';
import { PIECE, type Bytes } from './pieces.ts';
import { saveFile, type SaveOptions, type SaveTarget } from './save.ts';

/**
 * A file whose size is proven, and whose bytes are there or on their way. It can be read any number of times, at the same time
 * and before all of it is there, until it is removed with `peer.files.remove(cid)`. Bytes that are read were verified in this page.
 * When the rest does not come, reading rejects with the error that says why.
 */
export class FetchedFile {
  readonly kind = 'file';
  readonly cid: string;
  /** In bytes. */
  readonly size: number;
  /** What the link calls it: a suggestion of whoever made that. */
  readonly name?: string;
  readonly #apps: Calls;
  readonly #whole: Promise<unknown>;
  #failure: { error: unknown } | undefined;

  /** @internal `whole` settles when all of it is there. */
  constructor(apps: Calls, { cid, size, name }: { cid: string; size: number; name?: string }, whole: Promise<unknown>) {
    this.#apps = apps;
    this.#whole = whole;
    this.cid = cid;
    this.size = size;
    if (name) this.name = name;
    whole.catch((error: unknown) => (this.#failure = { error }));
  }

  /** How others get it. */
  get link(): string {
    return fileLink(this.cid, this.name);
  }

  /** Resolves when all of it is there. Rejects when the rest does not come. */
  async complete(): Promise<void> {
    await this.#whole;
  }

  /**
   * Asks nobody for more of it, whoever fetches it in this page. What has come stays, and what was asked for is taken. Whoever reads
   * waits, until `resume()`, or until it is fetched anew.
   */
  pause(): Promise<void> {
    return this.#apps.request('files', { files: 'pause', id: this.cid });
  }

  /** Goes on after `pause()`. */
  resume(): Promise<void> {
    return this.#apps.request('files', { files: 'resume', id: this.cid });
  }

  /** Its bytes from the beginning. The next ones are asked for when the last ones were taken. */
  stream(): ReadableStream<Bytes> {
    const stopping = new AbortController();
    const pieces = this.#pieces(stopping.signal);
    return new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          const { value, done } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => stopping.abort(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** All of it, once it is there, under a media type if one is given. */
  async blob(type = ''): Promise<Blob> {
    const parts: Blob[] = [];
    // Browsers keep the bytes of blobs outside of the page's memory when there are many.
    for await (const piece of this.#pieces()) parts.push(new Blob([piece]));
    return new Blob(parts, { type });
  }

  /** All of it, read as UTF-8. */
  async text(): Promise<string> {
    return (await this.blob()).text();
  }

  /**
   * Writes it as it comes, no faster than it is taken: to a file, into a folder under its own name, or to a stream, which is closed at the
   * end. In a folder nothing is replaced: what is there under its name stays if it is the same, and else rejects with `INVALID_ARGUMENT`.
   * Aborting, or a rest that does not come, leaves no half of a file; a stream is aborted.
   */
  saveTo(target: SaveTarget, options: SaveOptions = {}): Promise<void> {
    return saveFile(this, target, options);
  }

  async *#pieces(signal?: AbortSignal): AsyncGenerator<Bytes, void, undefined> {
    for (let place = 0; place * PIECE < this.size; place += 1) yield await this.#read(place, signal);
  }

  async #read(place: number, signal: AbortSignal | undefined): Promise<Bytes> {
    try {
      return await this.#apps.request<Bytes>('files', { files: 'read', id: this.cid, place }, signal);
    } catch (error) {
      throw this.#failure?.error ?? error;
    }
  }
}
