// The address of a file for elements of a page, and everything that must be in place before it works: a service worker that runs,
// that has the handler, and that has this page for a client.

import { abortable, type AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import { WarrenError, invalidArgument } from './errors.ts';
import { MEDIA_PATH, addressed } from './media-answer.ts';
import { openDoor } from './media-door.ts';

export interface FileUrlOptions extends AbortOptions {
  /**
   * Where `warren-p2p/media-worker.js` is: it is registered, unless this page has another service worker, which then must import it. Default: the
   * service worker that this page has, which imports it.
   */
  worker?: string | URL;
  /** The media type. What is neither picture, sound nor film, and SVG, can only be saved under this address. */
  type?: string;
}

/** A worker is loaded, installed and asked within this, or something is wrong with it. */
const READY_MS = 15_000;

const USE_BLOB = 'Show `await file.blob(type)` when all of it is there, under an address of URL.createObjectURL.';

export async function mediaUrl(apps: Calls, file: { cid: string; name?: string }, { worker, type, signal }: FileUrlOptions): Promise<string> {
  const container = globalThis.navigator?.serviceWorker;
  if (!container) throw unsupported('This page cannot have a service worker: it is no secure context, or the browser has none here.');
  const { scope } = await abortable(serving(container, worker), signal);
  const url = new URL(`${MEDIA_PATH}${file.cid}`, scope);
  if (type) url.searchParams.set('type', type);
  if (file.name) url.searchParams.set('name', file.name);
  // As the worker reads it, which has nothing but the address.
  const given = addressed(url.href, scope);
  if (given) openDoor(apps, container, given);
  return url.href;
}

/** The registration of the service worker that this page has, once that answers for files. */
async function serving(container: ServiceWorkerContainer, worker: string | URL | undefined): Promise<ServiceWorkerRegistration> {
  const found = await container.getRegistration().catch((cause: unknown) => {
    throw unsupported('This page cannot have a service worker.', cause);
  });
  if (found && (worker === undefined || !runs(found, worker))) {
    const ours = inTime(ready(container, found));
    // It is not replaced: it may be that of the application.
    await (worker === undefined ? ours : ours.catch((cause: unknown) => occupied(found, cause)));
    return found;
  }
  if (worker === undefined) {
    throw invalidArgument('This page has no service worker.', 'Pass `worker` with the address of warren-p2p/media-worker.js, or register one that imports it.');
  }
  const registration = await container.register(worker).catch((cause: unknown) => {
    throw unsupported(`The service worker at ${String(worker)} cannot be registered: ${String((cause as Error)?.message ?? cause)}`, cause);
  });
  await inTime(ready(container, registration));
  return registration;
}

function scriptOf({ active, waiting, installing }: ServiceWorkerRegistration): string {
  return (active ?? waiting ?? installing)?.scriptURL ?? '';
}

/** Whether the script of a registration is this one. */
function runs(registration: ServiceWorkerRegistration, worker: string | URL): boolean {
  return scriptOf(registration) === new URL(worker, globalThis.document?.baseURI).href;
}

function occupied(registration: ServiceWorkerRegistration, cause: unknown): never {
  const message = `This page has another service worker, ${scriptOf(registration)}, which does not hand out files.`;
  throw invalidArgument(message, "Put the handler into that one, with `import 'warren-p2p/media-worker'`, and leave out `worker`.", cause);
}

/** Returns when requests of this page go to that worker, and it knows them. */
async function ready(container: ServiceWorkerContainer, registration: ServiceWorkerRegistration): Promise<void> {
  const worker = registration.active ?? (await activated(registration));
  const { port1, port2 } = new MessageChannel();
  const claimed = new Promise<void>((resolve) => (port1.onmessage = () => resolve()));
  worker.postMessage({ warren: 'claim' }, [port2]);
  await claimed;
  port1.close();
  while (container.controller !== registration.active) {
    await new Promise<void>((resolve) => container.addEventListener('controllerchange', () => resolve(), { once: true }));
  }
}

function activated({ installing, waiting }: ServiceWorkerRegistration): Promise<ServiceWorker> {
  const worker = installing ?? waiting;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker?.state === 'activated') resolve(worker);
      if (!worker || worker.state === 'redundant') reject(unsupported('The service worker of this page could not be started.'));
    };
    worker?.addEventListener('statechange', look);
    look();
  });
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = 'The service worker of this page does not hand out files, or this page is not in its scope.';
    timer = setTimeout(() => reject(unsupported(why)), READY_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function unsupported(message: string, cause?: unknown): WarrenError {
  return new WarrenError('UNSUPPORTED', message, { remedy: USE_BLOB, ...(cause === undefined ? {} : { cause }) });
}
