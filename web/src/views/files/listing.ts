// The files of a directory, each to be looked at or saved, also while others are still on their way; and all of them at once, where
// the browser can write into a folder.

import type { DirectoryEntry, FetchedDirectory } from 'warren-p2p';
import { h, setText } from '../../dom.ts';
import { errorCard } from '../../result.ts';
import { count } from '../../words.ts';
import { saveContents, showContents, type Shown } from './contents.ts';
import { kindOf } from './kinds.ts';
import { NO_FOLDER_TO_SAVE, bytesWords } from './words.ts';

/** Rows that are added at a time. */
const AT_ONCE = 100;

type Picker = { showDirectoryPicker?: (options: { mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle> };

/** What is shown of files of a directory. */
interface Views {
  open: Set<Shown>;
  closed: boolean;
}

/** Everything of a directory; what is shown of its files is freed with it. */
export function showListing(directory: FetchedDirectory): Shown {
  const views: Views = { open: new Set(), closed: false };
  const list = h('ul', { class: 'found listing', 'aria-label': 'Files of the directory' });
  const more = h('button', { type: 'button', class: 'quiet' });
  const rest = directory.entries.values();
  const addSome = () => {
    for (let added = 0; added < AT_ONCE; added += 1) {
      const { value, done } = rest.next();
      if (done) break;
      list.append(entryRow(directory, value, views));
    }
    const left = directory.entries.length - list.childElementCount;
    more.hidden = left === 0;
    setText(more, `Show more: ${left} left`);
  };
  more.addEventListener('click', () => {
    const before = list.childElementCount;
    addSome();
    // The button that was pressed is gone.
    if (more.hidden) list.children[before]?.querySelector<HTMLElement>('button')?.focus();
  });
  addSome();
  const element = h('div', { class: 'contents' }, h('p', { class: 'hint' }, count(directory.entries.length, 'file')), saveAll(directory), list, more);
  const close = () => {
    views.closed = true;
    views.open.forEach((shown) => shown.close());
  };
  return { element, close };
}

function saveAll(directory: FetchedDirectory): HTMLElement {
  const pick = (window as unknown as Picker).showDirectoryPicker?.bind(window);
  if (!pick) return h('p', { class: 'hint' }, NO_FOLDER_TO_SAVE);
  const button = h('button', { type: 'button', class: 'copy' }, 'Save all into a folder');
  const result = h('div', { class: 'result', 'aria-live': 'polite' });
  button.addEventListener('click', async () => {
    button.disabled = true;
    result.replaceChildren();
    try {
      const folder = await pick({ mode: 'readwrite' });
      result.replaceChildren(h('p', { class: 'busy' }, 'Saving…'));
      await directory.saveTo(folder);
      result.replaceChildren(h('p', {}, `All files are in "${folder.name}".`));
    } catch (error) {
      // The visitor has closed the picker.
      if ((error as Error).name !== 'AbortError') result.replaceChildren(errorCard(error));
    } finally {
      button.disabled = false;
    }
  });
  return h('div', {}, button, result);
}

function entryRow(directory: FetchedDirectory, entry: DirectoryEntry, views: Views): HTMLElement {
  const { path, size, media } = entry;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const place = h('div', { class: 'place' });
  const button = (label: string, work: () => Promise<void>) => {
    const element = h('button', { type: 'button', class: 'copy', 'aria-label': `${label} ${path}` }, label);
    element.addEventListener('click', async () => {
      if (element.hasAttribute('aria-busy')) return;
      element.setAttribute('aria-busy', 'true');
      await work().catch((error: unknown) => place.replaceChildren(errorCard(error)));
      element.removeAttribute('aria-busy');
    });
    return element;
  };
  let shown: Shown | undefined;
  const look = button('Show', async () => {
    const before = shown;
    shown = undefined;
    place.replaceChildren();
    if (before) {
      views.open.delete(before);
      before.close();
    } else {
      const view = await showContents(await directory.file(path), name, media);
      if (views.closed) return view.close();
      shown = view;
      views.open.add(shown);
      place.replaceChildren(shown.element);
    }
    const label = shown ? 'Hide' : 'Show';
    look.setAttribute('aria-expanded', String(shown !== undefined));
    look.setAttribute('aria-label', `${label} ${path}`);
    setText(look, label);
  });
  const save = button('Save', async () => saveContents(await directory.file(path), name));
  const what = h('div', {}, h('span', { dir: 'auto' }, path), h('small', {}, bytesWords(size)));
  return h('li', {}, what, h('div', { class: 'acts' }, kindOf(name, media) && look, save), place);
}
