// Two files of the browser's private file system that belong together: the bytes of a file, and what is kept beside them.
// Knows how they are opened, and that others may have them for a moment. What is in them, the module for files knows.

/** What browsers give to workers only. */
export interface AccessHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  getSize(): number;
  close(): void;
}

type Opening = FileSystemFileHandle & { createSyncAccessHandle(): Promise<AccessHandle> };

/** Where the directories of all profiles are. There is none when nothing is kept. */
export const FOLDER = 'warren-files';
/** The worker of a page that is gone, or was reloaded, may still have them. */
const OPEN_PATIENCE_MS = 5_000;
const OPEN_AGAIN_MS = 50;

export class Pair {
  readonly number: number;
  #open: { data: AccessHandle; beside: AccessHandle } | undefined;

  constructor(number: number) {
    this.number = number;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Makes them where they are not there yet. */
  async open(directory: FileSystemDirectoryHandle): Promise<void> {
    const data = await access(directory, dataName(this.number));
    try {
      this.#open = { data, beside: await access(directory, besideName(this.number)) };
    } catch (error) {
      data.close();
      throw error;
    }
  }

  close(): void {
    this.#open?.data.close();
    this.#open?.beside.close();
    this.#open = undefined;
  }

  // What the module calls.

  read(beside: boolean, at: number, into: Uint8Array): void {
    if (this.#handle(beside).read(into, { at }) !== into.length) throw new Error('The file ends too soon.');
  }

  write(beside: boolean, at: number, bytes: Uint8Array): void {
    if (this.#handle(beside).write(bytes, { at }) !== bytes.length) throw new DOMException('The disk is full.', 'QuotaExceededError');
  }

  resize(beside: boolean, size: number): void {
    this.#handle(beside).truncate(size);
  }

  flush(beside: boolean): void {
    this.#handle(beside).flush();
  }

  size(beside: boolean): number {
    return this.#handle(beside).getSize();
  }

  #handle(beside: boolean): AccessHandle {
    if (!this.#open) throw new Error('The file is not open.');
    return beside ? this.#open.beside : this.#open.data;
  }
}

export function dataName(number: number): string {
  return `${number}.data`;
}

export function besideName(number: number): string {
  return `${number}.beside`;
}

/** The number in a name that is one of these. */
export function numberOf(name: string): number | undefined {
  const [, digits] = /^([1-9]\d{0,14})\.(?:data|beside)$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Opened as soon as nobody else has it; made where it is not there yet. */
export async function access(directory: FileSystemDirectoryHandle, name: string): Promise<AccessHandle> {
  const file = (await directory.getFileHandle(name, { create: true })) as Opening;
  for (let waited = 0; ; waited += OPEN_AGAIN_MS) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      const taken = (error as Error).name === 'NoModificationAllowedError' || (error as Error).name === 'InvalidStateError';
      if (!taken || waited >= OPEN_PATIENCE_MS) throw error;
      await new Promise((again) => setTimeout(again, OPEN_AGAIN_MS));
    }
  }
}
