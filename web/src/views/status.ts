// Who this tab is and in which state: the header of the page.

import { environment, type Snapshot } from 'warren-p2p';
import { byId, h, setText } from '../dom.ts';
import { errorCard } from '../result.ts';
import { environmentWords, stateWords } from '../words.ts';

export function renderStatus(snapshot: Snapshot): void {
  const { title, detail } = stateWords(snapshot);
  document.documentElement.dataset['state'] = snapshot.state;
  setText(byId('state'), title);
  setText(byId('state-detail'), detail);
  showId('peer-id', snapshot.id);
  showId('author', snapshot.author);
  const network = byId('network');
  network.hidden = snapshot.network === null;
  setText(network, `network ${snapshot.network ?? ''}`);
}

/** The engine never started: nothing else on the page will move. */
export function renderFailure(error: unknown): void {
  document.documentElement.dataset['state'] = 'failed';
  setText(byId('state'), 'Did not start');
  byId('state-detail').replaceChildren(errorCard(error));
}

export function renderNotices(): void {
  for (const words of environmentWords(environment())) notice(words);
}

/** Something that stays as it is until the page is loaded again. */
export function notice(words: string): void {
  byId('notices').append(h('li', {}, words));
}

function showId(element: string, id: string): void {
  if (id === '') return;
  setText(byId(element), id);
  const button = document.querySelector<HTMLButtonElement>(`button[data-copy="${element}"]`);
  if (button) button.hidden = false;
}
