// How fast something comes: over the last seconds, so that it neither jumps nor lags.

const WINDOW_MS = 4000;
/** Less says nothing yet. */
const LEAST_MS = 800;

export class Rate {
  #samples: { at: number; bytes: number }[] = [];

  /** So many bytes are there by now. */
  take(bytes: number, at: number): void {
    this.#samples.push({ at, bytes });
    // One that is older stays: it is where the window begins.
    while ((this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Nothing is expected for a while. */
  forget(): void {
    this.#samples = [];
  }

  /** Bytes a second, once that can be said. */
  at(now: number): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || now - first.at < LEAST_MS) return undefined;
    return ((last.bytes - first.bytes) * 1000) / (now - first.at);
  }
}
