// Files of this origin's pages, as a service worker hands them to players: asks the pages who is there, then one after the other, and passes on
// what comes.
// Knows nothing between two requests: a browser stops the worker when it likes.

import type { Span } from './file-range.ts';
import { MOST, guarded, planOf, type Addressed, type Plan } from './media-answer.ts';
import { Line, type Answer, type Page } from './media-line.ts';
import type { Bytes } from './pieces.ts';

/** How long a page may take to say that it is there: one in the background does, one that is frozen does not. */
const HERE_MS = 5_000;
/** How long the page that asks may take before another one is asked for the file. */
const HEAD_START_MS = 200;

type Failed = Extract<Answer, { failed: unknown }>['failed'];

const NOBODY: Failed = { code: 'UNSUPPORTED', message: 'No page of this site runs a peer that gives files away. Open the page that showed this one, and try again.' };

/** An answer, and when all of it was given. */
export interface Served {
  response: Promise<Response>;
  done: Promise<void>;
}

/** Answers a request for a file; `own` is the page that asks. */
export function serve(request: Request, file: Addressed, pages: Promise<readonly Page[]>, own: string): Served {
  let finish = () => {};
  const done = new Promise<void>((resolve) => (finish = resolve));
  const response = pages.then((pages) => answer(request, file, pages, own, finish));
  response.catch(finish);
  return { response, done };
}

async function answer(request: Request, file: Addressed, pages: readonly Page[], own: string, finish: () => void): Promise<Response> {
  let failed = NOBODY;
  const lines = new Map(pages.map((page) => [page.id, new Line(page)]));
  const close = () => lines.forEach((line) => line.close());
  // Whoever asked has gone: nobody waits for what a page may never say.
  request.signal.addEventListener('abort', () => {
    close();
    finish();
  });
  for await (const line of present([...lines.values()], lines.get(own), request.signal)) {
    line.say({ open: file.cid, type: file.type, name: file.name });
    const told = await line.next().catch(() => undefined);
    if (told && 'size' in told) {
      for (const other of lines.values()) if (other !== line) other.close();
      return given(request, planOf(request, file, told.size), line, finish);
    }
    // One that never gave out this address knows nothing of the file.
    if (told && 'failed' in told && (failed === NOBODY || told.failed.code !== 'NOT_FOUND')) failed = told.failed;
  }
  close();
  finish();
  return refused(failed);
}

/** The pages that say that they are there, as they say it; the one that asks is the first, if it does not take long. */
async function* present(lines: readonly Line[], own: Line | undefined, signal: AbortSignal): AsyncGenerator<Line, void, undefined> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const after = (ms: number) => new Promise<undefined>((resolve) => timers.push(setTimeout(resolve, ms)));
  const gone = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
  const late = after(HERE_MS);
  const waiting = new Map<Line, Promise<Line>>();
  for (const line of own ? [own, ...lines.filter((line) => line !== own)] : lines) waiting.set(line, line.here.then(() => line));
  try {
    if (own) await Promise.race([own.here, gone, after(HEAD_START_MS)]);
    while (waiting.size > 0 && !signal.aborted) {
      // Those that are there already come before the end of the time for the others.
      const line = await Promise.race([...waiting.values(), late, gone]);
      if (!line) return;
      waiting.delete(line);
      yield line;
    }
  } finally {
    timers.forEach(clearTimeout);
  }
}

function given(request: Request, plan: Plan, line: Line, finish: () => void): Response {
  const { status, headers } = plan;
  if (request.method === 'HEAD' || status === 416 || plan.start === plan.end) {
    line.close();
    finish();
    return new Response(null, { status, headers });
  }
  const bytes = bytesOf(line, plan);
  const end = () => {
    line.close();
    finish();
  };
  const body = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          const { value, done } = await bytes.next();
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        end();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status, headers });
}

/** All of a span, of which no more is asked for at a time than is answered at a time. */
async function* bytesOf(line: Line, span: Span): AsyncGenerator<Bytes, void, undefined> {
  for (let at = span.start; at < span.end; ) {
    const end = Math.min(at + MOST, span.end);
    line.say({ read: { start: at, end } });
    while (at < end) {
      line.say({ more: true });
      const told = await line.next();
      if (!('bytes' in told)) throw new Error('failed' in told ? told.failed.message : 'The page gave too little of the file.');
      at += told.bytes.length;
      yield told.bytes;
    }
  }
}

function refused({ code, message }: Failed): Response {
  const status = code === 'NOT_FOUND' || code === 'INVALID_ARGUMENT' ? 404 : 503;
  const headers = { ...guarded('', ''), 'content-type': 'text/plain; charset=utf-8', 'content-disposition': 'inline' };
  return new Response(`${message}\n`, { status, headers });
}
