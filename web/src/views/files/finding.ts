// Getting files: by an id or a link, which the address of the page may be, too, and by words.

import type { FoundFile, Peer } from 'warren-p2p';
import { byId, h, setText } from '../../dom.ts';
import { wireForm } from '../../result.ts';
import { count } from '../../words.ts';
import { linkedFile } from './links.ts';
import type { Shelf } from './shelf.ts';
import { LOOKING, NOTHING_FOUND, foundWords } from './words.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

export function wireFinding(joinedPeer: JoinedPeer, shelf: Shelf): void {
  wireFetch(joinedPeer, shelf);
  wireSearch(joinedPeer, shelf);
}

function wireFetch(joinedPeer: JoinedPeer, shelf: Shelf): void {
  const form = byId<HTMLFormElement>('fetch-form');
  const input = byId<HTMLInputElement>('fetch-what');
  wireForm(form, byId('fetch-result'), async ({ signal, show }) => {
    const what = input.value.trim();
    await joinedPeer(signal);
    show(h('p', { class: 'busy' }, LOOKING));
    await shelf.find({ what }, signal);
    show();
    if (input.value.trim() === what) input.value = '';
  });
  const fetchLinked = () => {
    const link = linkedFile();
    if (link === undefined) return;
    input.value = link;
    form.scrollIntoView({ block: 'center' });
    if (!form.hasAttribute('aria-busy')) form.requestSubmit();
  };
  addEventListener('hashchange', fetchLinked);
  fetchLinked();
}

function wireSearch(joinedPeer: JoinedPeer, shelf: Shelf): void {
  wireForm(byId<HTMLFormElement>('search-form'), byId('search-result'), async ({ signal, show }) => {
    const words = byId<HTMLInputElement>('search-words').value.trim();
    const peer = await joinedPeer(signal);
    const title = h('p', {}, 'Searching…');
    // The number is read out, not each of them.
    const list = h('ul', { class: 'found', 'aria-live': 'off' });
    show(title, list);
    let found = 0;
    for await (const file of peer.files.search(words, { signal })) {
      found += 1;
      list.append(foundRow(file, shelf));
      setText(title, `${count(found, 'file')} so far`);
    }
    if (found > 0) return setText(title, `${count(found, 'file')} found`);
    show(h('p', {}, `Nobody who could be asked lists a file with "${words}".`), h('p', { class: 'hint' }, NOTHING_FOUND));
  });
}

function foundRow(file: FoundFile, shelf: Shelf): HTMLElement {
  const get = h('button', { type: 'button', class: 'copy', 'aria-label': `Fetch ${file.name}` }, 'Fetch');
  get.addEventListener('click', () => {
    get.disabled = true;
    setText(get, 'Coming');
    void shelf.fetch(file.cid, { what: file.link, name: file.name, media: file.media });
  });
  if (shelf.has(file.cid)) {
    get.disabled = true;
    setText(get, 'Here');
  }
  const tags = file.tags.length > 0 && h('ul', { class: 'tags', 'aria-label': 'Tags' }, ...file.tags.map((tag) => h('li', { class: 'tag', dir: 'auto' }, tag)));
  return h('li', {}, h('div', {}, h('strong', { dir: 'auto' }, file.name), h('small', {}, foundWords(file)), tags), get);
}
