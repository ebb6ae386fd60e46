// The editor of a zone: one line for each resource, and one button that publishes them all.

import type { HeldName, Peer, Resource, Zone, ZoneEntry } from 'warren-p2p';
import { h } from '../../dom.ts';
import { wireForm } from '../../result.ts';
import { KINDS, resourceOf, valueOf } from './words.ts';

interface Editor {
  held: HeldName;
  joinedPeer(signal: AbortSignal): Promise<Peer>;
  place: HTMLElement;
  published(): Promise<void>;
}

interface Line {
  sub: string;
  type: Resource['type'];
  value: string;
}

const EXAMPLES: Record<Resource['type'], string> = {
  url: 'https://example.org',
  text: 'hello',
  peer: '12D3KooW…',
  alias: 'bob.p2p',
  address: '192.0.2.7:443',
  file: 'bafk…',
  site: 'bafy…',
};

export function openEditor({ held, joinedPeer, place, published }: Editor): void {
  const root = held.name;
  const rows = h('ul', { class: 'lines-edit' });
  const add = h('button', { type: 'button', class: 'quiet' }, 'Add a line');
  add.addEventListener('click', () => {
    rows.append(lineRow({ sub: '', type: 'url', value: '' }, root));
    rows.lastElementChild?.querySelector<HTMLElement>('.value-field')?.focus();
  });
  const close = h('button', { type: 'button', class: 'quiet' }, 'Close');
  close.addEventListener('click', () => {
    place.replaceChildren();
    place.parentElement?.querySelector<HTMLElement>('.acts button')?.focus();
  });
  const form = h(
    'form',
    { class: 'zone', autocomplete: 'off', 'aria-label': `What ${root} leads to` },
    rows,
    h('p', { class: 'hint' }, `An empty first field means ${root} itself; "blog" makes blog.${root}.`),
    h('div', { class: 'actions' }, h('button', { type: 'submit' }, 'Publish'), add, close),
    h('div', { class: 'result', 'aria-live': 'polite' }),
  );
  const lines = linesOf(held.zone);
  rows.append(...(lines.length > 0 ? lines : [{ sub: '', type: 'url' as const, value: '' }]).map((line) => lineRow(line, root)));
  place.replaceChildren(form);
  form.querySelector<HTMLElement>('.value-field')?.focus();
  wireForm(form, form.querySelector('.result') as HTMLElement, async ({ signal }) => {
    const zone = zoneOf([...rows.children].map(readLine), held.zone);
    const peer = await joinedPeer(signal);
    await peer.names.update(root, zone, { signal });
    await published();
  });
}

function linesOf(zone: Zone | undefined): Line[] {
  const entries = zone?.entries ?? [];
  return entries.flatMap(({ sub, resources }) => resources.map((each) => ({ sub, type: each.type, value: valueOf(each) })));
}

function zoneOf(lines: Line[], before: Zone | undefined): Zone {
  const entries = new Map<string, ZoneEntry>();
  for (const { sub, type, value } of lines) {
    // A time to live that was set elsewhere stays.
    const ttl = before?.entries.find((entry) => entry.sub === sub)?.ttl;
    const entry = entries.get(sub) ?? { sub, resources: [], ...(ttl === undefined ? {} : { ttl }) };
    entry.resources.push(resourceOf(type, value));
    entries.set(sub, entry);
  }
  return { ...(before?.ttl === undefined ? {} : { ttl: before.ttl }), entries: [...entries.values()] };
}

function lineRow(line: Line, root: string): HTMLLIElement {
  const options = Object.entries(KINDS).map(([type, name]) => h('option', { value: type, selected: type === line.type }, name));
  const type = h('select', { class: 'type-field', 'aria-label': 'Kind' }, ...options);
  const value = h('input', { type: 'text', class: 'value-field', required: true, 'aria-label': 'Value', spellcheck: 'false', autocapitalize: 'off' });
  const sub = h('input', { type: 'text', class: 'sub-field', 'aria-label': `Before ${root}; empty for the name itself`, spellcheck: 'false', autocapitalize: 'off', placeholder: '@' });
  const example = () => value.setAttribute('placeholder', EXAMPLES[type.value as Resource['type']]);
  const remove = h('button', { type: 'button', class: 'copy', 'aria-label': 'Remove this line' }, 'Remove');
  [sub.value, value.value] = [line.sub, line.value];
  type.addEventListener('change', example);
  example();
  const row = h('li', {}, h('span', { class: 'whose' }, sub, h('span', {}, `.${root}`)), type, value, remove);
  remove.addEventListener('click', () => {
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector<HTMLElement>('.copy');
    const form = row.closest('form');
    row.remove();
    (next ?? form?.querySelector<HTMLElement>('.actions button'))?.focus();
  });
  return row;
}

function readLine(row: Element): Line {
  const field = (name: string) => row.querySelector<HTMLInputElement | HTMLSelectElement>(`.${name}`)?.value.trim() ?? '';
  const sub = field('sub-field');
  return { sub: sub === '@' ? '' : sub, type: field('type-field') as Resource['type'], value: field('value-field') };
}
