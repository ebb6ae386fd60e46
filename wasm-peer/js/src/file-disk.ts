// Files that stay over a reload, as the module of apps asks for them: the page's end of the worker that keeps them.
// Knows how the worker is found, started and asked. What the questions mean is in `kept-files.ts`.

import type { Answered } from './files-worker.ts';
import { lentAs } from './lent-handles.ts';
import { SpareBuffers } from './spare-buffers.ts';
import { compileFailed, fetchWasm, type WasmFile } from './wasm-file.ts';

/** Where a build put them. */
export interface FileUrls {
  wasm: string | URL | undefined;
  worker: string | URL | undefined;
}

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

type Permitting = FileSystemFileHandle & { requestPermission?(options: { mode: 'read' }): Promise<PermissionState> };

const STORE: WasmFile = { what: 'module for files', file: 'warren_store_bg.wasm', option: 'storeWasmUrl' };

/** Called by the module of apps; the shape is part of that boundary. */
export class FileDisk {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #spare = new SpareBuffers();
  #last = 0;
  #ended: Error | undefined;
  #persistent = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Answered>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end(new Error(`the worker for files stopped: ${event.message ?? 'its script cannot be loaded'}`));
    };
  }

  /** Rejects with the reason where files cannot be kept, or when another page has those of this place. */
  static async open(place: string, urls: FileUrls): Promise<FileDisk> {
    if (typeof Worker === 'undefined' || !navigator.storage?.getDirectory || !navigator.locks) {
      throw new Error('this browser, or this page, has no private file system');
    }
    // Some have it and refuse it, in private windows.
    await navigator.storage.getDirectory();
    const compiled = await compile(String(urls.wasm ?? new URL('../wasm/warren_store_bg.wasm', import.meta.url)));
    const disk = new FileDisk(start(urls.worker));
    try {
      await disk.#send({ compiled, place }, []);
    } catch (error) {
      disk.end(error as Error);
      throw error;
    }
    return disk;
  }

  /** The bytes are those of the module's memory, as long as this is called. */
  ask(what: string, file: number, number: number, bytes?: Uint8Array): Promise<unknown> {
    if (what === 'keep') this.#persist();
    if (what === 'place') return this.#send({ what, file, number, handle: lentAs(number) }, []);
    if (what === 'allow') return this.#allow(file);
    const copy = bytes && this.#spare.copy(bytes);
    return this.#send({ what, file, number, bytes: copy }, copy ? [copy.buffer] : []);
  }

  /** Nothing more is asked: other pages may have the place. */
  end(reason: Error = new Error('the peer was closed')): void {
    this.#ended ??= reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }

  #send(question: object, transfer: Transferable[]): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...question }, transfer);
    });
  }

  #receive(answered: Answered): void {
    const pending = this.#pending.get(answered.id);
    this.#pending.delete(answered.id);
    if (answered.spare) this.#spare.back(answered.spare);
    if ('ok' in answered) return pending?.resolve(answered.ok);
    const { name, message } = answered.error;
    pending?.reject(Object.assign(new Error(message), { name }));
  }

  /** Only pages may ask a visitor, and only when something was clicked. */
  async #allow(file: number): Promise<unknown> {
    const handle = (await this.#send({ what: 'handle', file, number: 0 }, [])) as Permitting;
    const answer = (await handle.requestPermission?.({ mode: 'read' })) ?? 'granted';
    if (answer !== 'granted') throw new DOMException('The visitor does not allow it.', 'NotAllowedError');
    return this.#send({ what: 'look', file, number: 0 }, []);
  }

  /** Browsers that are short of space take what nobody asked them to keep. */
  #persist(): void {
    if (this.#persistent) return;
    this.#persistent = true;
    void navigator.storage.persist?.().catch(() => {});
  }
}

async function compile(url: string): Promise<WebAssembly.Module> {
  const source = await fetchWasm(url, STORE);
  try {
    return await (source instanceof Uint8Array ? WebAssembly.compile(source) : WebAssembly.compileStreaming(source));
  } catch (cause) {
    throw compileFailed(url, STORE, cause);
  }
}

function start(url: string | URL | undefined): Worker {
  // Bundlers look for exactly this expression.
  if (url === undefined) return new Worker(new URL('./files-worker.js', import.meta.url), { type: 'module' });
  return new Worker(url, { type: 'module' });
}
