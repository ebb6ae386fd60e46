// A file that stays where its owner has it, and what the private file system keeps beside it: its hashes, and what is said of it.
// Knows what is read there only as long as it looks as it did. Whether it is right, the module for files verifies.

import { access, type AccessHandle } from './kept-pair.ts';

/** A file in its place, and what it looked like when it was hashed: whatever changes it changes this, too. */
export interface Placed {
  handle: FileSystemFileHandle;
  size: number;
  modified: number;
}

/** How it is with it now; the words cross to the module of apps. */
export type PlaceState = 'readable' | 'needs-permission' | 'changed';

type Asking = FileSystemFileHandle & { queryPermission?(options: { mode: 'read' }): Promise<PermissionState> };

/** Read at a time when it is given to others: a question to the browser costs more than some of its bytes. */
const BLOCK = 256 * 1024;
/** Read at a time when it is hashed. */
const PORTION = 4 * 1024 * 1024;

/** What a file in a handle is now. */
export async function placedAt(handle: FileSystemFileHandle): Promise<Placed> {
  const { size, lastModified } = await handle.getFile();
  return { handle, size, modified: lastModified };
}

export class PairInPlace {
  readonly number: number;
  readonly placed: Placed;
  #beside: AccessHandle | undefined;
  #file: File | undefined;
  #block: { at: number; bytes: Uint8Array } | undefined;
  #hashed = 0;

  constructor(number: number, placed: Placed) {
    this.number = number;
    this.placed = placed;
  }

  get isOpen(): boolean {
    return this.#beside !== undefined;
  }

  async open(directory: FileSystemDirectoryHandle): Promise<void> {
    this.#beside = await access(directory, placedName(this.number));
  }

  close(): void {
    this.#beside?.close();
    this.#beside = this.#file = this.#block = undefined;
  }

  /** To be called before it is read: fails when it is not any more what it was, or may not be read. */
  async look(): Promise<void> {
    const { handle, size, modified } = this.placed;
    const file = await handle.getFile().catch(vanished);
    if (file.size !== size || file.lastModified !== modified) throw changed();
    this.#file = file;
  }

  /** Browsers without `queryPermission` say it when the file is read. */
  async state(): Promise<PlaceState> {
    const permission = (await (this.placed.handle as Asking).queryPermission?.({ mode: 'read' })) ?? 'granted';
    if (permission !== 'granted') return 'needs-permission';
    try {
      await this.look();
      return 'readable';
    } catch (error) {
      const { name } = error as Error;
      if (name === 'FileChangedError') return 'changed';
      if (name === 'NotAllowedError' || name === 'SecurityError') return 'needs-permission';
      throw error;
    }
  }

  /** The bytes that are to be hashed next; none at the end. */
  next(): Uint8Array {
    const bytes = this.#bytes(this.#hashed, Math.min(this.#hashed + PORTION, this.placed.size));
    this.#hashed += bytes.length;
    return bytes;
  }

  // What the module calls. The file itself is only read.

  read(beside: boolean, at: number, into: Uint8Array): void {
    if (!beside) return this.#fill(at, into);
    if (this.#handle().read(into, { at }) !== into.length) throw new Error('The file ends too soon.');
  }

  write(beside: boolean, at: number, bytes: Uint8Array): void {
    if (beside && this.#handle().write(bytes, { at }) !== bytes.length) throw new DOMException('The disk is full.', 'QuotaExceededError');
  }

  resize(beside: boolean, size: number): void {
    if (beside) this.#handle().truncate(size);
  }

  flush(beside: boolean): void {
    if (beside) this.#handle().flush();
  }

  /** Of the file itself what it was: whether it still is that, `look` says. */
  size(beside: boolean): number {
    return beside ? this.#handle().getSize() : this.placed.size;
  }

  #fill(at: number, into: Uint8Array): void {
    for (let filled = 0; filled < into.length; ) {
      const from = at + filled;
      const { at: begin, bytes } = this.#blockWith(from);
      const some = bytes.subarray(from - begin, from - begin + into.length - filled);
      if (some.length === 0) throw changed();
      into.set(some, filled);
      filled += some.length;
    }
  }

  #blockWith(place: number): { at: number; bytes: Uint8Array } {
    const at = place - (place % BLOCK);
    if (this.#block?.at !== at) this.#block = { at, bytes: this.#bytes(at, Math.min(at + BLOCK, this.placed.size)) };
    return this.#block;
  }

  #bytes(from: number, to: number): Uint8Array {
    if (!this.#file) throw new Error('Nobody has looked at the file.');
    if (from >= to) return new Uint8Array();
    try {
      const bytes = new Uint8Array(new FileReaderSync().readAsArrayBuffer(this.#file.slice(from, to)));
      if (bytes.length === to - from) return bytes;
    } catch {
      // What browsers say of a file that was changed after they had looked at it.
    }
    throw changed();
  }

  #handle(): AccessHandle {
    if (!this.#beside) throw new Error('The file is not open.');
    return this.#beside;
  }
}

/** Only workers have it. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

export function placedName(number: number): string {
  return `${number}.there`;
}

/** The number in a name that is one of these. */
export function placedNumberOf(name: string): number | undefined {
  const [, digits] = /^([1-9]\d{0,14})\.there$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function vanished(error: unknown): never {
  const { name } = error as Error;
  throw name === 'NotFoundError' || name === 'NotReadableError' ? changed() : error;
}

function changed(): Error {
  return Object.assign(new Error('The file has changed.'), { name: 'FileChangedError' });
}
