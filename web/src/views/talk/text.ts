// What others wrote, as nodes: text stays text, and addresses in it become links, those of the web only.

import { h } from '../../dom.ts';

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/gi;
/** What usually belongs to the sentence, not to the address. */
const STOPS = /[.,;:!?…'"*_]+$/;
const BRACKETS: Record<string, string> = { ')': '(', ']': '[', '}': '{' };

export function withLinks(text: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    if (!isWebAddress(address)) continue;
    parts.push(text.slice(from, found.index), link(address));
    from = found.index + address.length;
  }
  return [...parts, text.slice(from)];
}

/** The other side learns neither this page nor gets a hold of it. */
function link(address: string): HTMLElement {
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, address);
}

/** Addresses with a name before the host look like another host than they are. */
function isWebAddress(address: string): boolean {
  try {
    const { protocol, username, password } = new URL(address);
    return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
  } catch {
    return false;
  }
}

function trimmed(address: string): string {
  for (;;) {
    const shorter = withoutBracket(address.replace(STOPS, ''));
    if (shorter === address) return address;
    address = shorter;
  }
}

/** A bracket at the end belongs to the address only if it was opened in it. */
function withoutBracket(address: string): string {
  const close = address.at(-1) ?? '';
  const open = BRACKETS[close];
  if (open === undefined) return address;
  return address.split(open).length < address.split(close).length ? address.slice(0, -1) : address;
}
