// The files of one profile in one network, in a directory of the browser's private file system: what the worker is asked.
// Each is a pair of files with a number; hashing, verifying and what is written when is the module's affair.

import { PairInPlace, placedAt, placedName, placedNumberOf, type Placed, type PlaceState } from './pair-in-place.ts';
import { FOLDER, Pair, besideName, dataName, numberOf } from './kept-pair.ts';
import { beside, fits, free, needed, tooLarge } from './kept-room.ts';
import type { AnyPair, Slot, StoreGlue, Taking } from './store-glue.ts';

/** Where handles of files are kept. */
export interface Handles {
  load(number: number): Promise<Placed | undefined>;
  save(number: number, placed: Placed): Promise<void>;
  forget(number: number): Promise<void>;
}

/** A question about a file: `number` is a size, a piece or a room. */
export interface Question {
  what: string;
  file: number;
  number: number;
  bytes?: Uint8Array | undefined;
  /** Of a file that stays where it is. */
  handle?: FileSystemFileHandle | undefined;
}

interface Kept {
  pair: AnyPair;
  taking?: Taking;
  slot?: Slot;
}

/** What is said of a file that is there: its map, its note, and how it is with one that stays where it is. */
type Restored = [map: Uint8Array, note: Uint8Array, state?: PlaceState];

/** Files that are open at a time: each may count as 2 MiB more than it has as long as it is. */
const OPEN_AT_ONCE = 8;
/** Pieces that are made durable together, 16 MiB. */
const TOGETHER = 64;
/** The others are after this. */
const SETTLE_AFTER_MS = 500;
/** How long a file in its place may take to say how it is. */
const LOOK_MS = 1_000;

export class KeptFiles {
  readonly #glue: StoreGlue;
  readonly #place: string;
  readonly #handles: Handles;
  /** Does something when everything that was asked before is done. */
  readonly #later: (work: () => void) => void;
  readonly #files = new Map<number, Kept>();
  /** Those that are open, the one that was used last at the end. */
  readonly #open = new Set<AnyPair>();
  readonly #unsettled = new Set<number>();
  #found: FileSystemDirectoryHandle | undefined;
  #last = 0;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(glue: StoreGlue, place: string, handles: Handles, later: (work: () => void) => void) {
    this.#glue = glue;
    this.#place = place;
    this.#handles = handles;
    this.#later = later;
  }

  async answer(question: Question): Promise<unknown> {
    const { what, file, number, bytes = new Uint8Array() } = question;
    switch (what) {
      case 'kept':
        return this.#restore();
      case 'begin':
        return this.#make(needed(number), inStore, (pair) => ({ pair, taking: this.#glue.Taking.begin(pair, number) }));
      case 'place':
        return this.#placeAt(question.handle);
      case 'open':
        return this.#make(needed(number), inStore, (pair) => ({ pair, slot: this.#glue.Slot.create(pair, bytes, number) }));
      case 'room':
        return this.#room();
      case 'discard':
        return this.#discard(file);
      case 'handle':
        return this.#inPlace(file).placed.handle;
      case 'look':
        return this.#inPlace(file).state();
      case 'keep':
        return this.#keep(file, bytes);
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
    if (what === 'hash') return this.#hash(kept);
    if (what === 'finish') return this.#finish(kept);
    const slot = kept.slot;
    if (!slot) throw new Error('The file is not complete.');
    switch (what) {
      case 'read':
        return slot.read(bytes, number);
      case 'bytes':
        return slot.piece(number);
      case 'write':
        return this.#write(kept, slot, bytes);
      case 'complete':
        if (bytes.length > 0) this.#write(kept, slot, bytes);
        return this.#complete(file, slot, number);
      default:
        throw new Error(`Nobody knows what "${what}" is.`);
    }
  }

  /** All that was kept, and whether something of it cannot be read now: who does not know what that is erases nothing for want of it. */
  async #restore(): Promise<[all: [number, ...Restored][], skipped: boolean]> {
    const directory = await this.#directory(false);
    if (!directory) return [[], false];
    const numbers = new Map<number, boolean>();
    for await (const name of (directory as unknown as { keys(): AsyncIterable<string> }).keys()) {
      const [copy, placed] = [numberOf(name), placedNumberOf(name)];
      if (copy !== undefined) numbers.set(copy, false);
      // A version that knows only copies may have given a number a second time: one of them waits.
      if (placed !== undefined && !numbers.has(placed)) numbers.set(placed, true);
    }
    this.#last = Math.max(0, ...numbers.keys());
    const all: [number, ...Restored][] = [];
    let skipped = false;
    for (const [number, placed] of [...numbers].sort(([a], [b]) => a - b)) {
      // What cannot be read today stays for another day.
      const kept = await this.#restoreOne(number, placed).catch((error: unknown) => this.#skip(number, error));
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

  async #restoreOne(number: number, placed: boolean): Promise<Restored | 'skipped' | undefined> {
    const there = placed ? await this.#handles.load(number) : undefined;
    if (placed && !there) {
      // It was on its way, or was being removed.
      await this.#erase(number, placed);
      return undefined;
    }
    const pair = there ? new PairInPlace(number, there) : new Pair(number);
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
      await this.#forget(pair);
      return undefined;
    }
    const state = pair instanceof PairInPlace ? await soon(pair.state()) : undefined;
    this.#files.set(number, { pair, slot });
    if (!state) return [slot.map(), note];
    // Without all of its hashes nobody can say that it is what it was.
    return [slot.map(), note, slot.whole() ? state : 'changed'];
  }

  /** A file that stays where it is takes room for its hashes only. */
  async #placeAt(handle: FileSystemFileHandle | undefined): Promise<number> {
    if (!handle) throw new Error('The handle of the file has not come.');
    const placed = await placedAt(handle);
    const pairOf = (number: number) => new PairInPlace(number, placed);
    return this.#make(beside(placed.size), pairOf, (pair) => ({ pair, taking: this.#glue.Taking.begin(pair, 0) }));
  }

  async #make(room: number, pairOf: (number: number) => AnyPair, make: (pair: AnyPair) => Kept): Promise<number> {
    await fits(room);
    return this.#tryMake(pairOf, make).catch((error: unknown) => {
      if ((error as Error).name !== 'QuotaExceededError') throw error;
      this.#shutAll();
      return this.#tryMake(pairOf, make);
    });
  }

  async #tryMake(pairOf: (number: number) => AnyPair, make: (pair: AnyPair) => Kept): Promise<number> {
    const number = ++this.#last;
    const pair = pairOf(number);
    try {
      await this.#use(pair);
      this.#files.set(number, make(pair));
    } catch (error) {
      this.#shut(pair);
      await this.#erase(number, pair instanceof PairInPlace);
      throw error;
    }
    return number;
  }

  #hash(kept: Kept): number {
    const { pair } = kept;
    if (!(pair instanceof PairInPlace)) throw new Error('The bytes of this file are handed over.');
    const bytes = pair.next();
    if (bytes.length > 0) this.#take(kept, bytes);
    return bytes.length;
  }

  /** The handle first: without it nobody could read what is kept. */
  async #keep(number: number, note: Uint8Array): Promise<void> {
    const { pair, slot } = await this.#opened(number);
    if (!slot) throw new Error('The file is not complete.');
    if (pair instanceof PairInPlace) await this.#handles.save(number, pair.placed);
    slot.keep(note);
  }

  #inPlace(number: number): PairInPlace {
    const pair = this.#files.get(number)?.pair;
    if (pair instanceof PairInPlace) return pair;
    throw new Error('The file is not there any more.');
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

  #write(kept: Kept, slot: Slot, bytes: Uint8Array): void {
    if (kept.pair instanceof PairInPlace) throw new Error('Nothing is written where the owner has a file.');
    slot.write(bytes);
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
    for (const { pair, slot } of this.#files.values()) {
      if (slot) used += pair instanceof PairInPlace ? beside(slot.size()) : needed(slot.size());
    }
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
    await this.#forget(kept.pair);
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
    if (kept.pair instanceof PairInPlace) await kept.pair.look().catch((error: unknown) => unlike(error, kept));
    return kept;
  }

  async #use(pair: AnyPair): Promise<void> {
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

  #shut(pair: AnyPair): void {
    this.#open.delete(pair);
    pair.close();
  }

  /** Nobody reads it any more where it is. A handle that is left makes no file. */
  async #forget(pair: AnyPair): Promise<void> {
    const placed = pair instanceof PairInPlace;
    await this.#erase(pair.number, placed);
    if (placed) await this.#handles.forget(pair.number);
  }

  /** What makes it a file goes first. */
  async #erase(number: number, placed: boolean): Promise<void> {
    const directory = await this.#directory(false);
    const names = placed ? [placedName(number)] : [besideName(number), dataName(number)];
    for (const name of names) await directory?.removeEntry(name).catch(ignoreMissing);
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

function inStore(number: number): Pair {
  return new Pair(number);
}

/** One that is still being hashed has not been anything else yet. */
function unlike(error: unknown, { taking }: Kept): never {
  if (!taking || (error as Error).name !== 'FileChangedError') throw error;
  throw Object.assign(new Error('The file changes.'), { name: 'FileChangingError' });
}

/** A drive that is asleep holds up nobody else: whoever allows its file again has it looked at again. */
function soon(state: Promise<PlaceState>): Promise<PlaceState> {
  state.catch(() => {});
  const late = new Promise<PlaceState>((resolve) => setTimeout(() => resolve('needs-permission'), LOOK_MS));
  return Promise.race([state, late]);
}
