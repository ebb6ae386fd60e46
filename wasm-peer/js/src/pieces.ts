// Bytes in the pieces in which they cross to the engine, whatever they come from.

import { onAbort } from './abort.ts';
import { WarrenError, invalidArgument } from './errors.ts';

/** What crosses at a time, and what the engine verifies as one. */
export const PIECE = 256 * 1024;

export type Bytes = Uint8Array<ArrayBuffer>;

/** The pieces of a source, each read when it is asked for. Leaving the loop ends a stream, too. */
export function piecesOf(source: unknown, signal: AbortSignal): AsyncIterable<Bytes> {
  if (source instanceof Uint8Array) {
    // The `slice` of a Buffer is a view, with which all that it looks at would cross.
    return sliced(source.length, async (from, to) => Uint8Array.prototype.slice.call(source, from, to));
  }
  if (source instanceof Blob) {
    return sliced(source.size, async (from, to) => new Uint8Array(await source.slice(from, to).arrayBuffer().catch(unreadable)));
  }
  if (source instanceof ReadableStream) return streamed(source, signal);
  throw invalidArgument('This is nothing that can be shared.', 'Pass a File, a Blob, a Uint8Array, a ReadableStream of bytes, or a handle of a file.');
}

async function* sliced(size: number, read: (from: number, to: number) => Promise<Bytes>): AsyncGenerator<Bytes> {
  for (let from = 0; from < size; from += PIECE) yield read(from, Math.min(from + PIECE, size));
}

async function* streamed(stream: ReadableStream<unknown>, signal: AbortSignal): AsyncGenerator<Bytes> {
  const reader = stream.getReader();
  const cancel = (reason?: unknown) => void reader.cancel(reason).catch(() => {});
  const forget = onAbort(signal, cancel);
  const piece = new Uint8Array(PIECE);
  let filled = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const bytes = checked(next.value);
      for (let at = 0; at < bytes.length; ) {
        const now = bytes.subarray(at, at + PIECE - filled);
        piece.set(now, filled);
        at += now.length;
        filled += now.length;
        if (filled === PIECE) {
          yield piece.slice();
          filled = 0;
        }
      }
    }
    // Cancelled, it ends as if it were complete.
    signal.throwIfAborted();
    if (filled > 0) yield piece.slice(0, filled);
  } finally {
    forget();
    cancel();
    reader.releaseLock();
  }
}

function checked(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw invalidArgument('The stream has something else than bytes.', 'Pass a stream of Uint8Arrays.');
}

function unreadable(cause: unknown): never {
  throw new WarrenError('STORAGE_FAILED', 'The file cannot be read.', {
    remedy: 'Choose it again: it may have changed or vanished.',
    cause,
  });
}
