// Files for a service worker: `<img>`, `<audio>` and `<video>` show what `file.url()` gives, and seek in it, while the rest comes.
// A script of its own that can be registered as it is, or be imported into the service worker that an application has.
// Answers nothing but addresses of files, and decides nothing about who controls a page: a page asks for that.

import { addressed } from './media-answer.ts';
import type { Page } from './media-line.ts';
import { serve } from './media-serving.ts';

interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable, Event {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}
interface Asking extends Extendable, MessageEvent<unknown> {}

/** What is used of a service worker's global scope. */
interface Worker {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void>; matchAll(options: object): Promise<readonly Page[]> };
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: Asking) => void): void;
}

const worker = globalThis as unknown as Worker;

worker.addEventListener('fetch', (event) => {
  const { request, clientId } = event;
  if (request.method !== 'GET' && request.method !== 'HEAD') return;
  const file = addressed(request.url, worker.registration.scope);
  if (!file) return;
  const pages = worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const { response, done } = serve(request, file, pages, clientId);
  event.respondWith(response);
  event.waitUntil(done);
});

/** A page that was there before the worker is not its client until it asks. */
worker.addEventListener('message', (event) => {
  const { data, ports } = event;
  if ((data as { warren?: unknown } | null)?.warren !== 'claim') return;
  event.waitUntil(worker.clients.claim().then(() => ports[0]?.postMessage(true)));
});
