// The worker's end of what it says to one page: who is there, how large a file is, and its bytes one after the other.
// Knows the messages, not what they are for. A page that is gone says nothing: one that is waited for is asked whether it still is there.

import type { Span } from './file-range.ts';
import type { Bytes } from './pieces.ts';

/** How long a page may be silent before it is asked whether it is there, and how often it is asked: then it is gone. */
const SILENT_MS = 5_000;
const MOST_SILENCES = 3;

/** What a worker says first, with a port for the rest. */
export interface Call {
  warren: 'file';
}

/** What a worker says on that port. */
export type Said =
  /** The file that this is about, under which address. A page that gave this address out answers with the file's size. */
  | { open: string; type: string; name: string }
  /** Some bytes of it, at most `MOST`. */
  | { read: Span }
  /** The next of these. */
  | { more: true }
  /** Whoever is still there says so at once. */
  | { still: true }
  /** Nothing more is wanted. */
  | { stop: true };

/** What a page answers. */
export type Answer = { size: number } | { bytes: Bytes } | { end: true } | { failed: { code: string; message: string } };

/** What a page says. */
export type Told = { here: true } | Answer;

/** A page, as a worker sees it. */
export interface Page {
  readonly id: string;
  postMessage(message: Call, transfer: Transferable[]): void;
}

export class Line {
  /** Resolves when the page says that it is there. */
  readonly here: Promise<void>;
  readonly #port: MessagePort;
  readonly #heard: Answer[] = [];
  #wake = () => {};
  #closed = false;

  /** Asks whether a peer is there. */
  constructor(page: Page) {
    const { port1, port2 } = new MessageChannel();
    let greet = () => {};
    this.here = new Promise((resolve) => (greet = resolve));
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<Told>) => {
      if ('here' in data) greet();
      else this.#heard.push(data);
      this.#wake();
    };
    page.postMessage({ warren: 'file' }, [port2]);
  }

  say(said: Said): void {
    this.#port.postMessage(said);
  }

  /** What the page answers next. Rejects when the page is gone, or this was closed. */
  async next(): Promise<Answer> {
    for (let silences = 0; ; ) {
      const told = this.#heard.shift();
      if (told) return told;
      if (this.#closed) throw new Error('Nobody waits for this file any more.');
      if (await this.#sound()) silences = 0;
      else if (++silences === MOST_SILENCES) throw new Error('The page that gave this file away is gone.');
      else this.say({ still: true });
    }
  }

  /** Nothing more is wanted of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.say({ stop: true });
    this.#port.close();
    this.#wake();
  }

  /** Whether anything is heard before long. */
  #sound(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), SILENT_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
