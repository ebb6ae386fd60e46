// How much room files take that are kept, and whether there is so much.

/** What is kept of a file beside its bytes, at least. */
const BESIDE = 8 * 1024;

/** With its hashes: two of 32 bytes for every 16 KiB. */
export function needed(size: number): number {
  return size + beside(size);
}

/** The hashes alone. */
export function beside(size: number): number {
  return Math.ceil(size / 256) + BESIDE;
}

export async function free(): Promise<number> {
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  return Math.max(0, quota - usage);
}

/** Said before anything is written; what the browser promises it may refuse later nevertheless. */
export async function fits(room: number): Promise<void> {
  const { quota = Infinity } = await navigator.storage.estimate();
  if (room > quota) throw tooLarge();
  if (room > (await free())) throw new DOMException('There is no room for this file.', 'QuotaExceededError');
}

export function tooLarge(): Error {
  return Object.assign(new Error('The file is too large.'), { name: 'TooLargeError' });
}
