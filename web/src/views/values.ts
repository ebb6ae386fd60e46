// Storing and reading values, and the link that reads one: `#/k/<key>`.

import type { DhtEntry, Peer } from 'warren-p2p';
import { byId, h } from '../dom.ts';
import { linked } from '../link.ts';
import { copyable, facts, wireForm } from '../result.ts';
import { inWords } from '../words.ts';

const LINK = /^#\/k\/(.+)$/;
const MAX_HEX_BYTES = 512;

export function wireValues(joinedPeer: (signal: AbortSignal) => Promise<Peer>): void {
  wireStore(joinedPeer);
  wireRead(joinedPeer);
  addEventListener('hashchange', readLinked);
  readLinked();
}

function wireStore(joinedPeer: (signal: AbortSignal) => Promise<Peer>): void {
  const form = byId<HTMLFormElement>('store-form');
  const mutable = byId<HTMLInputElement>('store-mutable');
  const label = byId<HTMLInputElement>('store-label');
  mutable.addEventListener('change', () => {
    byId('store-label-field').hidden = !mutable.checked;
    label.required = mutable.checked;
    if (mutable.checked) label.focus();
  });
  wireForm(form, byId('store-result'), async ({ signal, show }) => {
    const text = byId<HTMLTextAreaElement>('store-value').value;
    const value = new FormData(form).get('format') === 'json' ? parseJson(text) : text;
    const peer = await joinedPeer(signal);
    const stored = mutable.checked
      ? await peer.dht.set(label.value, value, { signal })
      : await peer.dht.put(value, { signal });
    show(storedCard(stored));
  });
}

function parseJson(text: string) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`This is not JSON: ${(cause as Error).message}. Text in JSON needs double quotes; or choose "Text".`);
  }
}

function storedCard(stored: { key: string; seq?: number; stored?: number }): HTMLElement {
  return h(
    'div',
    { class: 'good' },
    facts([
      ['Key', copyable(stored.key, 'key')],
      ['Version', stored.seq === undefined ? undefined : String(stored.seq)],
      ['Kept by', stored.stored === undefined ? undefined : `${stored.stored} ${stored.stored === 1 ? 'peer' : 'peers'}`],
      ['Link', h('a', { href: `#/k/${encodeURIComponent(stored.key)}` }, 'Read it')],
    ]),
  );
}

function wireRead(joinedPeer: (signal: AbortSignal) => Promise<Peer>): void {
  wireForm(byId<HTMLFormElement>('read-form'), byId('read-result'), async ({ signal, show }) => {
    const key = byId<HTMLInputElement>('read-key').value.trim();
    const peer = await joinedPeer(signal);
    const started = performance.now();
    const entry = await peer.dht.get(key, { signal });
    show(entryCard(entry, performance.now() - started));
  });
}

function entryCard(entry: DhtEntry, ms: number): HTMLElement {
  return h(
    'div',
    { class: 'good' },
    h('pre', { class: 'value', tabindex: '0', 'aria-label': 'Value' }, valueText(entry)),
    facts([
      ['Proof', entry.kind === 'value' ? 'The key is the hash of this value' : 'Signed by its author, checked here'],
      ['Author', entry.author === undefined ? undefined : copyable(entry.author, 'author')],
      ['Label', entry.label],
      ['Version', entry.seq === undefined ? undefined : String(entry.seq)],
      ['Written', moment(entry.issued)],
      ['Expires', moment(entry.expires)],
      ['Read in', `${Math.round(ms)} ms`],
    ]),
  );
}

function valueText(entry: DhtEntry): string {
  if (!(entry.value instanceof Uint8Array)) {
    return typeof entry.value === 'string' ? entry.value : JSON.stringify(entry.value, null, 2);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(entry.value);
  } catch {
    return hex(entry.value);
  }
}

function hex(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, MAX_HEX_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > MAX_HEX_BYTES ? `${shown} … (${bytes.length} bytes)` : shown;
}

function moment(date: Date | undefined): string | undefined {
  return date && `${inWords(date.getTime() - Date.now())} (${date.toLocaleString()})`;
}

function readLinked(): void {
  const key = linked(LINK);
  if (key === undefined) return;
  byId<HTMLInputElement>('read-key').value = key;
  const form = byId<HTMLFormElement>('read-form');
  form.scrollIntoView({ block: 'center' });
  if (!form.hasAttribute('aria-busy')) form.requestSubmit();
}
