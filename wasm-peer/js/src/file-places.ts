// Where a peer's files may be kept over a reload, and whether some are. Everything else is loaded when the first is kept.

import type { FileDisk, FileUrls } from './file-disk.ts';
import { FOLDER } from './kept-pair.ts';

export class FilePlaces {
  readonly #ephemeral: boolean;
  readonly #urls: FileUrls;
  readonly #disks: FileDisk[] = [];
  #ended = false;

  /** An identity that ends with the page has nothing to keep: nobody would find it again. */
  constructor(ephemeral: boolean, urls: FileUrls) {
    this.#ephemeral = ephemeral;
    this.#urls = urls;
  }

  /** Rejects with the reason why files are in memory. */
  async open(place: string): Promise<FileDisk> {
    if (this.#ephemeral) throw new Error('the identity of this peer ends with its page');
    const { FileDisk } = await import('./file-disk.ts');
    const disk = await FileDisk.open(place, this.#urls);
    this.#disks.push(disk);
    if (this.#ended) this.end();
    return disk;
  }

  /** Whether a peer of this profile may have kept some: then it shares them as soon as it has joined. */
  async some(): Promise<boolean> {
    if (this.#ephemeral) return false;
    try {
      const root = await navigator.storage.getDirectory();
      await root.getDirectoryHandle(FOLDER);
      return true;
    } catch {
      return false;
    }
  }

  end(): void {
    this.#ended = true;
    for (const disk of this.#disks) disk.end();
  }
}
