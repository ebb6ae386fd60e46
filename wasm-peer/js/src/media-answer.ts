// What a request for a file is answered with, as far as HTTP goes: which bytes, and under which headers.
// Knows nothing of workers and pages. What others made is shown, and never runs: nothing here is a page with scripts in it.

import type { Span } from './file-range.ts';

/** What is answered at a time, however much was asked for: a browser may stop a worker at any moment, and then asks for no more than this again. */
export const MOST = 4 * 1024 * 1024;

/** Where files are below the scope of a worker. */
export const MEDIA_PATH = 'warren/f/';

/** A file as its address says. */
export interface Addressed {
  cid: string;
  type: string;
  name: string;
}

/** Which bytes are answered, and under what. */
export interface Plan extends Span {
  status: 200 | 206 | 416;
  headers: Record<string, string>;
}

/** The file that an address below this scope leads to; nothing if it leads to something else. */
export function addressed(address: string, scope: string): Addressed | undefined {
  const [{ origin, pathname, searchParams }, base] = [new URL(address), new URL(MEDIA_PATH, scope)];
  if (origin !== base.origin || !pathname.startsWith(base.pathname)) return undefined;
  const cid = pathname.slice(base.pathname.length);
  if (!/^[a-z0-9]{1,128}$/.test(cid)) return undefined;
  return { cid, type: searchParams.get('type') ?? '', name: searchParams.get('name') ?? '' };
}

export function planOf(request: Request, { cid, type, name }: Addressed, size: number): Plan {
  const tag = `"${cid}"`;
  const fresh = request.headers.get('if-range') ?? tag;
  // A range is one of what is got: the head is that of the whole file.
  const found = rangeOf(request.method === 'GET' && fresh === tag ? request.headers.get('range') : null, size);
  const common = { 'accept-ranges': 'bytes', etag: tag, ...guarded(type, name) };
  if (found === 'none') {
    return { status: 416, start: 0, end: 0, headers: { ...common, 'content-range': `bytes */${size}`, 'content-length': '0' } };
  }
  if (found === 'all') return { status: 200, start: 0, end: size, headers: { ...common, 'content-length': String(size) } };
  const { start, end } = found;
  const range = { 'content-range': `bytes ${start}-${end - 1}/${size}`, 'content-length': String(end - start) };
  return { status: 206, start, end, headers: { ...common, ...range } };
}

/** What a `Range` asks for, as far as it is answered at a time. One that is not understood counts as none, as HTTP wants it. */
export function rangeOf(header: string | null, size: number): Span | 'all' | 'none' {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return 'all';
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  if (first !== '' && last !== '' && Number(last) < start) return 'all';
  if (start >= size) return 'none';
  return { start, end: Math.min(end, start + MOST) };
}

/** Pictures, sound and film are what they say. Everything else, and pictures that may have scripts in them, is bytes. */
export function safeType(type: string): string | undefined {
  const plain = type.split(';')[0]?.trim().toLowerCase() ?? '';
  return /^(?:image|audio|video)\/[a-z0-9][a-z0-9.+-]{0,60}$/.test(plain) && !/svg|xml/.test(plain) ? plain : undefined;
}

/** Headers under which nothing of a stranger does anything but be seen, heard or saved. */
export function guarded(type: string, name: string): Record<string, string> {
  const safe = safeType(type);
  return {
    'content-type': safe ?? 'application/octet-stream',
    ...(safe === undefined ? { 'content-disposition': `attachment; filename*=UTF-8''${encoded(name || 'file')}` } : {}),
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    // What is removed is gone.
    'cache-control': 'no-store',
  };
}

/** Half a letter, which a name in an address cannot have, would throw. */
function encoded(name: string): string {
  return encodeURIComponent(name.replaceAll(/[\uD800-\uDFFF]/gu, '')).replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
