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
  let link: string | undefined;
  const goOn = () => {
    if (link === undefined || form.hasAttribute('aria-busy')) return;
    input.value = link;
    link = undefined;
    form.requestSubmit();
  };
  const fetchLinked = () => {
    const linked = linkedFile();
    if (linked === undefined) return;
    link = linked;
    form.scrollIntoView({ block: 'center' });
    goOn();
  };
  addEventListener('hashchange', fetchLinked);
  // A link that comes while another one is looked for is next.
  new MutationObserver(goOn).observe(form, { attributeFilter: ['aria-busy'] });
  fetchLinked();
}

function wireSearch(joinedPeer: JoinedPeer, shelf: Shelf): void {
  let rows: FoundRow[] = [];
  // What is cancelled or removed can be fetched again.
  new MutationObserver(() => rows.forEach((row) => row.draw())).observe(byId('files'), { childList: true });
  wireForm(byId<HTMLFormElement>('search-form'), byId('search-result'), async ({ signal, show }) => {
    const words = byId<HTMLInputElement>('search-words').value.trim();
    const peer = await joinedPeer(signal);
    const title = h('p', {}, 'Searching…');
    // The number is read out, not each of them.
    const list = h('ul', { class: 'found', 'aria-live': 'off' });
    show(title, list);
    const shown: FoundRow[] = (rows = []);
    for await (const file of peer.files.search(words, { signal })) {
      const row = foundRow(file, shelf);
      shown.push(row);
      list.append(row.element);
      setText(title, `${count(shown.length, 'file')} so far`);
    }
    if (shown.length > 0) return setText(title, `${count(shown.length, 'file')} found`);
    show(h('p', {}, `Nobody who could be asked lists a file with "${words}".`), h('p', { class: 'hint' }, NOTHING_FOUND));
  });
}

interface FoundRow {
  element: HTMLElement;
  draw(): void;
}

function foundRow(file: FoundFile, shelf: Shelf): FoundRow {
  const get = h('button', { type: 'button', class: 'copy' });
  let there = 'Here';
  const draw = () => {
    get.disabled = shelf.has(file.cid);
    const label = get.disabled ? there : 'Fetch';
    setText(get, label);
    get.setAttribute('aria-label', `${label} ${file.name}`);
  };
  get.addEventListener('click', () => {
    there = 'Coming';
    void shelf.fetch(file.cid, { what: file.link, name: file.name, media: file.media }).then(draw);
    draw();
  });
  draw();
  const tags = file.tags.length > 0 && h('ul', { class: 'tags', 'aria-label': 'Tags' }, ...file.tags.map((tag) => h('li', { class: 'tag', dir: 'auto' }, tag)));
  const element = h('li', {}, h('div', {}, h('strong', { dir: 'auto' }, file.name), h('small', {}, foundWords(file)), tags), get);
  return { element, draw };
}
