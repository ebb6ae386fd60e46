// The page's end of what a service worker asks about files: sizes and bytes, from the peers of this page.
// Knows the messages. Which of the bytes are asked for, and what becomes of them, is the worker's affair.

import type { Calls } from './apps.ts';
import { isWarrenError } from './errors.ts';
import type { FetchedFile } from './fetched-file.ts';
import type { FileRange, Span } from './file-range.ts';
import { fetchFile } from './file-work.ts';
import type { Call, Said, Told } from './media-line.ts';
import type { Bytes } from './pieces.ts';

/** Of a page, those that give files to players, the newest last. */
const doors = new WeakMap<ServiceWorkerContainer, Calls[]>();

/** From now on files of this peer are given to players. */
export function openDoor(apps: Calls, container: ServiceWorkerContainer): void {
  const known = doors.get(container);
  if (known?.includes(apps)) return;
  if (known) return void known.push(apps);
  const open = [apps];
  doors.set(container, open);
  container.addEventListener('message', ({ data, ports }: MessageEvent<Call | null>) => {
    const [port] = ports;
    if (data?.warren === 'file' && port) new Visit(port, open);
  });
  container.startMessages();
}

/** What one request asks for. */
class Visit {
  readonly #port: MessagePort;
  readonly #open: Calls[];
  readonly #stopping = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #apps: Calls | undefined;
  #cid = '';
  #reader: ReadableStreamDefaultReader<Bytes> | undefined;

  constructor(port: MessagePort, open: Calls[]) {
    this.#port = port;
    this.#open = open;
    port.onmessage = ({ data }: MessageEvent<Said>) => this.#hear(data);
    this.#tell({ here: true });
  }

  #hear(said: Said): void {
    if ('stop' in said) {
      this.#stopping.abort();
      this.#reader?.cancel().catch(() => {});
      this.#port.close();
      return;
    }
    // In their order, whatever takes how long.
    this.#turn = this.#turn.then(() => this.#answer(said)).catch((error: unknown) => this.#fail(error));
  }

  async #answer(said: Exclude<Said, { stop: true }>): Promise<void> {
    if ('open' in said) this.#tell({ size: await this.#find(said.open) });
    else if ('read' in said) await this.#read(said.read);
    else await this.#more();
  }

  /** The first peer that knows the file is asked for all of it; nothing of it is fetched for that. */
  async #find(cid: string): Promise<number> {
    this.#cid = cid;
    let failure: unknown;
    for (const apps of this.#open.toReversed()) {
      try {
        const { size } = await this.#fetch(apps, { start: 0, end: 0 });
        this.#apps = apps;
        return size;
      } catch (error) {
        if (isWarrenError(error) && error.code === 'CLOSED') this.#open.splice(this.#open.indexOf(apps), 1);
        else failure = error;
      }
    }
    throw failure ?? new Error('The peer of this page was closed.');
  }

  async #read(span: Span): Promise<void> {
    if (!this.#apps) throw new Error('Nothing is open.');
    const file = await this.#fetch(this.#apps, span);
    this.#reader = file.stream(span).getReader();
  }

  async #more(): Promise<void> {
    const { value, done = true } = (await this.#reader?.read()) ?? {};
    if (done || !value) this.#tell({ end: true });
    else this.#tell({ bytes: value }, [value.buffer]);
  }

  #fetch(apps: Calls, range: FileRange): Promise<FetchedFile> {
    return fetchFile(apps, this.#cid, { range, signal: this.#stopping.signal });
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { code = 'INTERNAL', message = String(error) } = (error ?? {}) as { code?: string; message?: string };
    this.#tell({ failed: { code, message } });
  }

  #tell(told: Told, transfer: Transferable[] = []): void {
    this.#port.postMessage(told, transfer);
  }
}
