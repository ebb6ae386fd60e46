// Buffers that go to a worker and come back: fresh ones would be left to collectors, which take their time while hundreds of
// megabytes pass through a page.

/** Smaller ones are not worth it; the others are multiples of this, so that one fits the next bytes of the same kind. */
const STEP = 64 * 1024;
/** So many wait. */
const MOST = 16;

export class SpareBuffers {
  readonly #spare: ArrayBuffer[] = [];

  /** A copy that can be handed over, perhaps at the beginning of a larger buffer. */
  copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    if (bytes.length < STEP) return bytes.slice();
    const size = Math.ceil(bytes.length / STEP) * STEP;
    const at = this.#spare.findIndex(({ byteLength }) => byteLength === size);
    const [buffer = new ArrayBuffer(size)] = at < 0 ? [] : this.#spare.splice(at, 1);
    const copy = new Uint8Array(buffer, 0, bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** What was handed over is not needed there any more. The oldest makes room: nobody may want bytes of its size now. */
  back(buffer: ArrayBuffer): void {
    if (buffer.byteLength < STEP) return;
    if (this.#spare.length === MOST) this.#spare.shift();
    this.#spare.push(buffer);
  }
}
