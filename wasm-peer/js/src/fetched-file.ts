// A file that was fetched, or is on its way: its bytes in order, each as soon as it is there.
// Knows how they are asked for; what they are verified against, and where they come from, is the engine's affair.

import type { Calls } from './apps.ts';
import { fileLink } from './file-link.ts';
import { partsOf, within, type FileRange, type Part, type Span } from './file-range.ts';
import { later } from './later.ts';
import type { FileUrlOptions } from './media-url.ts';
import type { Bytes } from './pieces.ts';
import { saveFile, type SaveOptions, type SaveTarget } from './save.ts';

export interface BlobOptions extends FileRange {
  /** Its media type. */
  type?: string;
}

/**
 * A file whose size is proven, and whose bytes are there or on their way. It can be read any number of times, at the same time
 * and before all of it is there, until it is removed with `peer.files.remove(cid)`. Bytes that are read were verified in this page.
 * When the rest does not come, reading rejects with the error that says why. What is read comes before the rest.
 */
export class FetchedFile {
  readonly kind = 'file';
  readonly cid: string;
  /** In bytes. */
  readonly size: number;
  /** What the link calls it: a suggestion of whoever made that. */
  readonly name?: string;
  /** What was fetched of it, and can be read: all of it, if no range was asked for. */
  readonly range: { readonly start: number; readonly end: number };
  readonly #apps: Calls;
  readonly #whole: Promise<unknown>;
  #failure: { error: unknown } | undefined;

  /** @internal `whole` settles when all that is wanted of it is there. */
  constructor(apps: Calls, { cid, size, name, range }: { cid: string; size: number; name?: string; range?: Span }, whole: Promise<unknown>) {
    this.#apps = apps;
    this.#whole = whole;
    this.cid = cid;
    this.size = size;
    this.range = range ? { start: range.start, end: range.end } : { start: 0, end: size };
    if (name) this.name = name;
    whole.catch((error: unknown) => (this.#failure = { error }));
  }

  /** How others get it. */
  get link(): string {
    return fileLink(this.cid, this.name);
  }

  /** Resolves when all that was asked for is there: all of it, or its range. Rejects when the rest does not come. */
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

  /**
   * Its bytes in their order, or some of them. The next ones are asked for when the last ones were taken, and what is read comes before
   * the rest of the file. Throws `INVALID_ARGUMENT` for bytes that are not in `range`.
   */
  stream(range: FileRange = {}): ReadableStream<Bytes> {
    const stopping = new AbortController();
    const pieces = this.#pieces(within(range, this.range, this.size), stopping.signal);
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

  /** All of it once it is there, or some of it: under a media type if one is given. */
  async blob(options: string | BlobOptions = {}): Promise<Blob> {
    const { type = '', ...range } = typeof options === 'string' ? { type: options } : options;
    const parts: Blob[] = [];
    // Browsers keep the bytes of blobs outside of the page's memory when there are many.
    for await (const piece of this.#pieces(within(range, this.range, this.size))) parts.push(new Blob([piece]));
    return new Blob(parts, { type });
  }

  /** All of it, or some of it, read as UTF-8. */
  async text(range: FileRange = {}): Promise<string> {
    return (await this.blob(range)).text();
  }

  /**
   * An address under which elements of this page show it: pictures, sound and film, which play and seek while the rest comes. It is
   * answered by a service worker, for as long as this peer runs and this page, or another one that asked for the same, is open, with
   * what the player asks for and no more than 4 MiB at a time; what is not here is fetched. Under a media type that could be a page with scripts in it, it is only saved. Rejects with `UNSUPPORTED` where
   * there are no service workers, as in private windows of some browsers and on pages without TLS: then `blob()` is the way.
   */
  async url(options: FileUrlOptions = {}): Promise<string> {
    const { mediaUrl } = await later(import('./media-url.ts'), 'media');
    return mediaUrl(this.#apps, this, options);
  }

  /**
   * Writes it as it comes, no faster than it is taken: to a file, into a folder under its own name, or to a stream, which is closed at the
   * end. In a folder nothing is replaced but an empty file: what is there under its name stays if it is the same, and else rejects with
   * `INVALID_ARGUMENT`. Aborting, or a rest that does not come, leaves no half of a file; a stream is aborted.
   */
  saveTo(target: SaveTarget, options: SaveOptions = {}): Promise<void> {
    return saveFile(this, target, options);
  }

  async *#pieces(span: Span, signal?: AbortSignal): AsyncGenerator<Bytes, void, undefined> {
    for (const part of partsOf(span)) yield cut(await this.#read(part.place, signal), part);
  }

  async #read(place: number, signal: AbortSignal | undefined): Promise<Bytes> {
    try {
      return await this.#apps.request<Bytes>('files', { files: 'read', id: this.cid, place }, signal);
    } catch (error) {
      throw this.#failure?.error ?? error;
    }
  }
}

/** What of a piece belongs to what is read. */
function cut(piece: Bytes, { from, to }: Part): Bytes {
  return from === 0 && to >= piece.length ? piece : piece.slice(from, to);
}
