// The page's end of what a service worker asks about files: sizes and bytes, from the peers of this page.
// Knows the messages, and which addresses this page gave out: a request for another one may be anybody's, of any site. Which of the bytes are
// asked for, and what becomes of them, is the worker's affair.

import type { Calls } from './apps.ts';
import { WarrenError, isWarrenError } from './errors.ts';
import type { FetchedFile } from './fetched-file.ts';
import type { FileRange, Span } from './file-range.ts';
import { fetchFile } from './file-work.ts';
import type { Addressed } from './media-answer.ts';
import type { Call, Said, Told } from './media-line.ts';
import type { Bytes } from './pieces.ts';

/** What a page gives to players. */
interface Door {
  /** Those that are asked, the newest last. */
  readonly open: Calls[];
  /** Addresses that were given out. */
  readonly given: Set<string>;
}

const doors = new WeakMap<ServiceWorkerContainer, Door>();

/** From now on this file of this peer is given to players, under this address. */
export function openDoor(apps: Calls, container: ServiceWorkerContainer, file: Addressed): void {
  const known = doors.get(container);
  const door = known ?? { open: [], given: new Set() };
  door.given.add(keyOf(file));
  if (!door.open.includes(apps)) door.open.push(apps);
  if (known) return;
  doors.set(container, door);
  container.addEventListener('message', ({ data, ports }: MessageEvent<Call | null>) => {
    const [port] = ports;
    if (data?.warren === 'file' && port) new Visit(port, door);
  });
  container.startMessages();
}

function keyOf({ cid, type, name }: Addressed): string {
  return JSON.stringify([cid, type, name]);
}

/** What one request asks for. */
class Visit {
  readonly #port: MessagePort;
  readonly #door: Door;
  readonly #stopping = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #apps: Calls | undefined;
  #cid = '';
  #reader: ReadableStreamDefaultReader<Bytes> | undefined;

  constructor(port: MessagePort, door: Door) {
    this.#port = port;
    this.#door = door;
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
    if ('still' in said) return this.#tell({ here: true });
    // In their order, whatever takes how long.
    this.#turn = this.#turn.then(() => this.#answer(said)).catch((error: unknown) => this.#fail(error));
  }

  async #answer(said: Exclude<Said, { stop: true } | { still: true }>): Promise<void> {
    if ('open' in said) this.#tell({ size: await this.#find({ ...said, cid: said.open }) });
    else if ('read' in said) await this.#read(said.read);
    else await this.#more();
  }

  /** The first peer that knows the file is asked for all of it; nothing of it is fetched for that. */
  async #find(file: Addressed): Promise<number> {
    if (!this.#door.given.has(keyOf(file))) {
      throw new WarrenError('NOT_FOUND', 'This page gave out no such address.', { remedy: 'Ask for one with `file.url()` in a page that stays open.' });
    }
    this.#cid = file.cid;
    const { open } = this.#door;
    let failure: unknown;
    for (const apps of [...open].reverse()) {
      try {
        const { size } = await this.#fetch(apps, { start: 0, end: 0 });
        this.#apps = apps;
        return size;
      } catch (error) {
        if (isWarrenError(error) && error.code === 'CLOSED') open.splice(open.indexOf(apps), 1);
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
