// Some bytes of a file: what an application may ask for, and in which pieces they come.

import { invalidArgument } from './errors.ts';
import { PIECE } from './pieces.ts';

/** Some bytes of a file: from `start`, default 0, up to and not with `end`, default the end of the file, which is also that of a larger one. */
export interface FileRange {
  start?: number;
  end?: number;
}

/** A range whose both ends are known. */
export interface Span {
  start: number;
  end: number;
}

/** What of one piece belongs to a range. */
export interface Part {
  place: number;
  from: number;
  to: number;
}

/** What is asked for, before anybody knows how large the file is. */
export function asked({ start = 0, end = Number.MAX_SAFE_INTEGER }: FileRange): Span {
  for (const number of [start, end]) {
    if (!Number.isSafeInteger(number) || number < 0) throw invalidArgument(`${String(number)} is no place in a file.`, 'Pass `start` and `end` as whole numbers of bytes.');
  }
  if (start > end) throw invalidArgument(`The range ends at ${end}, before it starts at ${start}.`, 'Pass an `end` that is not before `start`.');
  return { start, end };
}

/** What is to be read of a file of which these bytes were fetched; all of these by default. */
export function within(range: FileRange, fetched: Span, size: number): Span {
  const { start, end } = asked({ start: range.start ?? fetched.start, end: Math.min(range.end ?? fetched.end, size) });
  if (start >= fetched.start && end <= fetched.end) return { start, end };
  throw invalidArgument(`Of this file the bytes from ${fetched.start} to ${fetched.end} were fetched, not those from ${start} to ${end}.`, 'Fetch it with a range that has these bytes, or without one.');
}

/** The pieces that have these bytes, in their order. */
export function* partsOf({ start, end }: Span): Generator<Part> {
  for (let place = Math.floor(start / PIECE); place * PIECE < end; place += 1) {
    const [from, to] = [Math.max(start - place * PIECE, 0), Math.min(end - place * PIECE, PIECE)];
    if (from < to) yield { place, from, to };
  }
}
