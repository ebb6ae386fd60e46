// What the engine may ask of its environment: one HTTP text, a few bytes kept, a puzzle solved. And what exists here.
// The engine has no other way out, besides the transports it opens itself.

import { WarrenError } from './errors.ts';
import type { FileDisk } from './file-disk.ts';
import type { FilePlaces } from './file-places.ts';
import type { Keepsakes } from './keepsakes.ts';
import type { Solver } from './solver.ts';
import type { Row } from './storage.ts';

/** Far above any join document; a server that sends more is not a relay. */
const MAX_TEXT_CHARS = 256 * 1024;

export interface Features {
  webrtc: boolean;
  websocket: boolean;
  secureContext: boolean;
}

/** Called by the engine; the shape is part of the engine boundary. */
export interface Host {
  fetchText(url: string, timeoutMs: number): Promise<string>;
  /** What was kept under a name over a reload. */
  loadBytes(what: string): Promise<Uint8Array | undefined>;
  saveBytes(what: string, bytes: Uint8Array): Promise<void>;
  /** The last rows from one key to before another one, the last first. */
  lastRows(from: string, to: string, most: number): Promise<Row[]>;
  /** Writes or removes rows, all or none. */
  writeRows(rows: Row[]): Promise<void>;
  /** Rejects where there is no way to solve it; the engine then does so by itself. */
  solve(seed: Uint8Array, bits: number): Promise<number>;
  stopSolving(seed: Uint8Array): void;
  /** Files that stay over a reload. Rejects with the reason why there is no place for them. */
  openFiles(place: string): Promise<FileDisk>;
}

/** Fetches that were started before the engine could ask for them. Each is used once. */
export type Prefetched = Map<string, Promise<string>>;

export function createHost(prefetched: Prefetched, keepsakes: Keepsakes, solver: Solver, files: FilePlaces): Host {
  return {
    loadBytes: (what) => keepsakes.load(what),
    saveBytes: (what, bytes) => keepsakes.save(what, bytes),
    lastRows: (from, to, most) => keepsakes.lastRows(from, to, most),
    writeRows: (rows) => keepsakes.writeRows(rows),
    solve: (seed, bits) => solver.solve(seed, bits),
    stopSolving: (seed) => solver.stop(seed),
    openFiles: (place) => files.open(place),
    fetchText: (url, timeoutMs) => takePrefetched(prefetched, url) ?? fetchText(url, timeoutMs, 'no-store'),
  };
}

/** Asks the relays for their join documents while the engine is still loading. */
export function prefetchJoin(join: readonly string[], timeoutMs: number): Prefetched {
  const prefetched: Prefetched = new Map();
  for (const base of join) {
    const url = `${base}/.well-known/warren.json`;
    const text = fetchText(url, timeoutMs, 'default');
    text.catch(() => {}); // The engine reports it, if it asks.
    prefetched.set(url, text);
  }
  return prefetched;
}

/** What this environment offers. A page on plain http and an IP address has no secure context, but joins. */
export function features(): Features {
  return {
    webrtc: typeof RTCPeerConnection !== 'undefined',
    websocket: typeof WebSocket !== 'undefined',
    secureContext: globalThis.isSecureContext ?? true,
  };
}

function takePrefetched(prefetched: Prefetched, url: string): Promise<string> | undefined {
  const text = prefetched.get(url);
  prefetched.delete(url);
  return text;
}

async function fetchText(url: string, timeoutMs: number, cache: RequestCache): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { cache, signal: AbortSignal.timeout(timeoutMs) });
    text = await response.text();
  } catch (cause) {
    throw fetchFailed(url, timedOut(cause) ? `no answer within ${timeoutMs} ms` : 'it cannot be reached', cause);
  }
  if (!response.ok) throw fetchFailed(url, `it answered with HTTP status ${response.status}`);
  if (text.length > MAX_TEXT_CHARS) throw fetchFailed(url, 'its answer is too long');
  return text;
}

function timedOut(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'TimeoutError';
}

function fetchFailed(url: string, why: string, cause?: unknown): WarrenError {
  return new WarrenError('JOIN_FAILED', `Asking ${url} failed: ${why}.`, {
    remedy: 'Check that the relay runs, and its address.',
    retryable: true,
    cause,
  });
}
