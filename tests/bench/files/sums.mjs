// A checksum of bytes that come in parts, the same in pages and in Node: SHA-256 of the SHA-256 of each 16 MiB. What
// both have at hand hashes whole buffers only, and nobody should hold a gibibyte.

const PART = 16 * 1024 * 1024;

/** `chunks` is anything that gives bytes by `for await`. */
export async function sumOf(chunks) {
  const sums = [];
  const part = new Uint8Array(PART);
  let filled = 0;
  const add = async (bytes) => void sums.push(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const now = chunk.subarray(at, at + PART - filled);
      part.set(now, filled);
      at += now.length;
      filled += now.length;
      if (filled === PART) {
        await add(part);
        filled = 0;
      }
    }
  }
  if (filled > 0) await add(part.subarray(0, filled));
  const all = new Uint8Array(await new Blob(sums).arrayBuffer());
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Random bytes in pieces of 64 KiB: there are no more at a time. */
export function* randomPieces(size) {
  const most = 64 * 1024;
  for (let left = size; left > 0; left -= most) yield crypto.getRandomValues(new Uint8Array(Math.min(most, left)));
}
