// The files of one profile in one network, in a directory of the browser's private file system: what the worker is asked.
// Each is a pair of files with a number; hashing, verifying and what is written when is the module's affair.

import { FOLDER, Pair, besideName, dataName, numberOf } from './kept-pair.ts';

/** What wasm-bindgen generates. */
export interface StoreGlue {
  default(options: { module_or_path: unknown }): Promise<unknown>;
  Taking: { begin(pair: Pair, size: number): Taking };
  Slot: { create(pair: Pair, cid: Uint8Array, size: number): Slot; restore(pair: Pair): [] | [Slot, Uint8Array] | undefined };
}

interface Taking {
  take(bytes: Uint8Array): boolean;
  finish(): Slot;
  free(): void;
}

interface Slot {
  map(): Uint8Array;
  size(): number;
  whole(): boolean;
  keep(note: Uint8Array): void;
  write(packed: Uint8Array): void;
  complete(piece: number): number;
  settle(): void;
  read(sender: Uint8Array, room: number): [sender: Uint8Array, bytes: Uint8Array, more: boolean];
  piece(piece: number): Uint8Array | undefined;
  free(): void;
}

/** A question about a file: `number` is a size, a piece or a room. */
export interface Question {
  what: string;
  file: number;
  number: number;
  bytes?: Uint8Array | undefined;
}

interface Kept {
  pair: Pair;
  taking?: Taking;
  slot?: Slot;
}

/** Files that are open at a time: each may count as 2 MiB more than it has as long as it is. */
const OPEN_AT_ONCE = 8;
/** Pieces that are made durable together, 16 MiB. */
const TOGETHER = 64;
/** The others are after this. */
const SETTLE_AFTER_MS = 500;
/** What is kept of a file beside its bytes, at least. */
const BESIDE = 8 * 1024;

export class KeptFiles {
  readonly #glue: StoreGlue;
  readonly #place: string;
  /** Does something when everything that was asked before is done. */
  readonly #later: (work: () => void) => void;
  readonly #files = new Map<number, Kept>();
  /** Those that are open, the one that was used last at the end. */
  readonly #open = new Set<Pair>();
  readonly #unsettled = new Set<number>();
  #found: FileSystemDirectoryHandle | undefined;
  #last = 0;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(glue: StoreGlue, place: string, later: (work: () => void) => void) {
    this.#glue = glue;
    this.#place = place;
    this.#later = later;
  }

  async answer(question: Question): Promise<unknown> {
    const { what, file, number, bytes = new Uint8Array() } = question;
    switch (what) {
      case 'kept':
        return this.#restore();
      case 'begin':
        return this.#make(number, (pair) => ({ pair, taking: this.#glue.Taking.begin(pair, number) }));
      case 'open':
        return this.#make(number, (pair) => ({ pair, slot: this.#glue.Slot.create(pair, bytes, number) }));
      case 'room':
        return this.#room();
      case 'discard':
        return this.#discard(file);
      case 'settle':
        return this.#settle();
      case 'close':
        return this.#close();
      default:
        return this.#about(await this.#opened(file), question, bytes);
    }
  }

  /** All of them are done at once: nothing comes between the opening of a file and its use. */
  #about(kept: Kept, { what, file, number }: Question, bytes: Uint8Array): unknown {
    if (what === 'take') return this.#take(kept, bytes);
    if (what === 'finish') return this.#finish(kept);
    const slot = kept.slot;
    if (!slot) throw new Error('The file is not complete.');
    switch (what) {
      case 'keep':
        return slot.keep(bytes);
      case 'read':
        return slot.read(bytes, number);
      case 'bytes':
        return slot.piece(number);
      case 'write':
        return slot.write(bytes);
      case 'complete':
        return this.#complete(file, slot, number);
      default:
        throw new Error(`Nobody knows what "${what}" is.`);
    }
  }

  /** All that was kept, and whether something of it cannot be read now: who does not know what that is erases nothing for want of it. */
  async #restore(): Promise<[all: [number, Uint8Array, Uint8Array][], skipped: boolean]> {
    const directory = await this.#directory(false);
    if (!directory) return [[], false];
    const numbers = new Set<number>();
    for await (const name of (directory as unknown as { keys(): AsyncIterable<string> }).keys()) {
      const number = numberOf(name);
      if (number !== undefined) numbers.add(number);
    }
    this.#last = Math.max(0, ...numbers);
    const all: [number, Uint8Array, Uint8Array][] = [];
    let skipped = false;
    for (const number of [...numbers].sort((a, b) => a - b)) {
      // What cannot be read today stays for another day.
      const kept = await this.#restoreOne(number).catch((error: unknown) => this.#skip(number, error));
      if (kept === 'skipped') skipped = true;
      else if (kept) all.push([number, ...kept]);
    }
    if (this.#files.size === 0) await this.#tidy();
    return [all, skipped];
  }

  #skip(number: number, error: unknown): 'skipped' {
    console.error(`File ${number} cannot be read.`, error);
    return 'skipped';
  }

  async #restoreOne(number: number): Promise<[Uint8Array, Uint8Array] | 'skipped' | undefined> {
    const pair = new Pair(number);
    await this.#use(pair);
    const found = this.#glue.Slot.restore(pair);
    if (found === undefined) {
      // A later version has written it.
      this.#shut(pair);
      return 'skipped';
    }
    const [slot, note] = found;
    if (!slot || !note) {
      // It was on its way when the page ended.
      this.#shut(pair);
      await this.#erase(number);
      return undefined;
    }
    this.#files.set(number, { pair, slot });
    return [slot.map(), note];
  }

  async #make(size: number, make: (pair: Pair) => Kept): Promise<number> {
    await fits(size);
    return this.#tryMake(make).catch((error: unknown) => {
      if ((error as Error).name !== 'QuotaExceededError') throw error;
      this.#shutAll();
      return this.#tryMake(make);
    });
  }

  async #tryMake(make: (pair: Pair) => Kept): Promise<number> {
    const number = ++this.#last;
    const pair = new Pair(number);
    try {
      await this.#use(pair);
      this.#files.set(number, make(pair));
    } catch (error) {
      this.#shut(pair);
      await this.#erase(number);
      throw error;
    }
    return number;
  }

  #take({ taking }: Kept, bytes: Uint8Array): void {
    if (!taking?.take(bytes)) throw tooLarge();
  }

  #finish(kept: Kept): Uint8Array {
    const { taking } = kept;
    if (!taking) throw new Error('The file is complete.');
    delete kept.taking;
    kept.slot = taking.finish();
    return kept.slot.map();
  }

  #complete(file: number, slot: Slot, piece: number): void {
    const waiting = slot.complete(piece);
    if (waiting >= TOGETHER || slot.whole()) {
      slot.settle();
      this.#unsettled.delete(file);
      return;
    }
    this.#unsettled.add(file);
    this.#settling ??= setTimeout(() => this.#later(() => this.#settle()), SETTLE_AFTER_MS);
  }

  /** Files are made durable before they are closed, therefore these are open. */
  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    for (const number of this.#unsettled) this.#files.get(number)?.slot?.settle();
    this.#unsettled.clear();
  }

  async #room(): Promise<[used: number, most: number]> {
    let used = 0;
    for (const { slot } of this.#files.values()) used += slot ? needed(slot.size()) : 0;
    return [used, used + (await free())];
  }

  async #discard(number: number): Promise<void> {
    const kept = this.#files.get(number);
    if (!kept) return;
    this.#files.delete(number);
    this.#unsettled.delete(number);
    this.#shut(kept.pair);
    kept.taking?.free();
    kept.slot?.free();
    await this.#erase(number);
    if (this.#files.size === 0) await this.#tidy();
  }

  #close(): void {
    try {
      this.#shutAll();
    } finally {
      for (const pair of this.#open) this.#shut(pair);
      this.#files.clear();
    }
  }

  async #opened(number: number): Promise<Kept> {
    const kept = this.#files.get(number);
    if (!kept) throw new Error('The file is not there any more.');
    await this.#use(kept.pair);
    return kept;
  }

  async #use(pair: Pair): Promise<void> {
    this.#open.delete(pair);
    for (const oldest of this.#open) {
      if (this.#open.size < OPEN_AT_ONCE) break;
      if (this.#unsettled.delete(oldest.number)) this.#files.get(oldest.number)?.slot?.settle();
      this.#shut(oldest);
    }
    this.#open.add(pair);
    if (pair.isOpen) return;
    await pair.open((await this.#directory(true)) as FileSystemDirectoryHandle);
  }

  #shutAll(): void {
    this.#settle();
    for (const pair of this.#open) this.#shut(pair);
  }

  #shut(pair: Pair): void {
    this.#open.delete(pair);
    pair.close();
  }

  /** What makes it a file goes first. */
  async #erase(number: number): Promise<void> {
    const directory = await this.#directory(false);
    for (const name of [besideName(number), dataName(number)]) await directory?.removeEntry(name).catch(ignoreMissing);
  }

  /** An empty directory would tell the next page that something is kept. What is not empty stays. */
  async #tidy(): Promise<void> {
    this.#found = undefined;
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER).catch(ignoreMissing);
    await folder?.removeEntry(this.#place).catch(() => {});
    await root.removeEntry(FOLDER).catch(() => {});
  }

  async #directory(create: boolean): Promise<FileSystemDirectoryHandle | undefined> {
    if (this.#found) return this.#found;
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER, { create }).catch(ignoreMissing);
    this.#found = await folder?.getDirectoryHandle(this.#place, { create }).catch(ignoreMissing);
    return this.#found;
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as Error).name === 'NotFoundError') return undefined;
  throw error;
}

/** With its hashes: two of 32 bytes for every 16 KiB. */
function needed(size: number): number {
  return size + Math.ceil(size / 256) + BESIDE;
}

async function free(): Promise<number> {
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  return Math.max(0, quota - usage);
}

/** Said before anything is written; what the browser promises it may refuse later nevertheless. */
async function fits(size: number): Promise<void> {
  const { quota = Infinity } = await navigator.storage.estimate();
  if (needed(size) > quota) throw tooLarge();
  if (needed(size) > (await free())) throw new DOMException('There is no room for this file.', 'QuotaExceededError');
}

function tooLarge(): Error {
  return Object.assign(new Error('The file is too large.'), { name: 'TooLargeError' });
}
