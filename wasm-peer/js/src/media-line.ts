// The worker's end of what it says to one page: who is there, how large a file is, and its bytes one after the other.
// Knows the messages, not what they are for. A page that is gone says nothing: whoever waits for it decides for how long.

import type { Span } from './file-range.ts';
import type { Bytes } from './pieces.ts';

/** What a worker says first, with a port for the rest. */
export interface Call {
  warren: 'file';
}

/** What a worker says on that port. */
export type Said =
  /** The file that this is about. A page with a peer answers with its size. */
  | { open: string }
  /** Some bytes of it, at most `MOST`. */
  | { read: Span }
  /** The next of these. */
  | { more: true }
  /** Nothing more is wanted. */
  | { stop: true };

/** What a page says. */
export type Told = { here: true } | { size: number } | { bytes: Bytes } | { end: true } | { failed: { code: string; message: string } };

/** A page, as a worker sees it. */
export interface Page {
  readonly id: string;
  postMessage(message: Call, transfer: Transferable[]): void;
}

export class Line {
  readonly #port: MessagePort;
  readonly #heard: Told[] = [];
  #wake: (() => void) | undefined;

  /** Asks whether a peer is there: `next()` says so, if it is. */
  constructor(page: Page) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<Told>) => {
      this.#heard.push(data);
      this.#wake?.();
    };
    page.postMessage({ warren: 'file' }, [port2]);
  }

  say(said: Said): void {
    this.#port.postMessage(said);
  }

  /** What the page says next. */
  async next(): Promise<Told> {
    for (;;) {
      const told = this.#heard.shift();
      if (told) return told;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  /** Nothing more is wanted of it. */
  close(): void {
    this.say({ stop: true });
    this.#port.close();
  }
}
