// Sharing files: one after the other, with how far each is, and a link for each.

import type { Peer, ShareProgress, SharedFile } from 'warren-p2p';
import { byId, h, setText } from '../../dom.ts';
import { copyable, errorCard, wireForm } from '../../result.ts';
import { Chosen } from './choosing.ts';
import { sourceOf } from './in-place.ts';
import { pageLink } from './links.ts';
import type { Shelf } from './shelf.ts';
import { KEPT_HERE, READING, TELLING, bytesWords } from './words.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

export function wireSharing(joinedPeer: JoinedPeer, shelf: Shelf): void {
  const chosen = new Chosen();
  wireForm(byId<HTMLFormElement>('share-form'), byId('share-result'), async ({ signal, show }) => {
    // As they were when they were sent: a name that was typed is that of the only one.
    const [files, typed] = [[...chosen.files], chosen.name];
    const tags = tagsOf(byId<HTMLInputElement>('share-tags').value);
    const peer = await joinedPeer(signal);
    const outcomes: HTMLElement[] = [];
    for (const file of files) {
      const name = typed ?? file.name;
      const progress = progressView(name);
      show(...outcomes, progress.element);
      try {
        const shared = await peer.files.share(await sourceOf(file), { name, tags, signal, onProgress: progress.show });
        outcomes.push(sharedCard(shared, name));
        chosen.remove(file);
        await shelf.refresh();
      } catch (error) {
        if (signal.aborted) throw error;
        outcomes.push(failureCard(error, name));
      }
    }
    show(...outcomes);
    if (chosen.files.length === 0) byId<HTMLInputElement>('share-tags').value = '';
  });
}

function tagsOf(text: string): string[] {
  return text.split(',').map((tag) => tag.trim()).filter(Boolean);
}

function sharedCard({ cid, size }: SharedFile, name: string): HTMLElement {
  const what = h('p', {}, h('strong', { dir: 'auto' }, name), ` is shared, ${bytesWords(size)}.`);
  return h('div', { class: 'good' }, what, copyable(pageLink(cid, name), `link to ${name}`), h('p', { class: 'hint' }, KEPT_HERE));
}

function failureCard(error: unknown, name: string): HTMLElement {
  const card = errorCard(error);
  card.prepend(h('p', { dir: 'auto' }, `${name} is not shared:`));
  return card;
}

function progressView(name: string): { element: HTMLElement; show(progress: ShareProgress): void } {
  const stage = h('p', {}, h('strong', { dir: 'auto' }, name));
  const words = h('p', {}, READING);
  const bar = h('progress', { max: '1', value: '0', 'aria-label': `How much of ${name} was read` });
  // Read out once, not many times a second.
  const numbers = h('p', { class: 'hint numbers', 'aria-live': 'off' });
  return {
    element: h('div', { class: 'work' }, stage, words, bar, numbers),
    show({ bytes, size = bytes }) {
      setText(words, bytes < size ? READING : TELLING);
      bar.value = size === 0 ? 1 : bytes / size;
      setText(numbers, `${bytesWords(bytes)} of ${bytesWords(size)}`);
    },
  };
}
