// Links to files: `warren:<id>?name=<name>`, and the same after `#/f/` in the address of a page. Knows their spelling; whether an id
// is one, the engine decides.

import { invalidArgument } from './errors.ts';

const SCHEME = 'warren:';
/** What comes before the id in the address of a page. */
const PAGE = /^https?:\/\/[^#]*#\/f\//;
const NAME = '?name=';

/** What a link says. The name is a suggestion, and never leads out of a folder. */
export interface FileLink {
  cid: string;
  name?: string;
}

export function fileLink(cid: string, name?: string): string {
  return name ? `${SCHEME}${cid}${NAME}${encodeURIComponent(name)}` : `${SCHEME}${cid}`;
}

/** What an id names, as its beginning says. */
export function kindOf(cid: string): 'file' | 'directory' {
  return cid.startsWith('bafyr4i') ? 'directory' : 'file';
}

/** Reads a link, or an id as it is. */
export function readFileLink(text: unknown): FileLink {
  if (typeof text !== 'string') throw invalidArgument('The id is not a string.', 'Pass the id of a file, or a link to it.');
  const link = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text.replace(PAGE, '');
  if (link === text) return { cid: text };
  const [cid = '', ...rest] = link.split(NAME);
  const name = decoded(rest.join(NAME));
  return name === undefined ? { cid } : { cid, name };
}

function decoded(text: string): string | undefined {
  try {
    const name = decodeURIComponent(text);
    return name === '' || name === '.' || name === '..' || /[\u0000-\u001f\u007f/\\]/.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}
