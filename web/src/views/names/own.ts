// The names of this profile's owner: what is published, for how long they are held, and what can be done with them.

import type { HeldName, Peer } from 'warren-p2p';
import { byId, h, keyed, setText } from '../../dom.ts';
import { copyable, errorCard, wireForm } from '../../result.ts';
import { openEditor } from './editor.ts';
import { progressView } from './progress.ts';
import { heldWords } from './words.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

interface OwnNames {
  /** Another name may be held now; it gets the attention. */
  changed(name: string): void;
}

/** Something that can be done with a name, in its row: shows itself in `place`. */
type Action = (context: Context, place: HTMLElement) => void;

interface Context {
  held: HeldName;
  joinedPeer: JoinedPeer;
  refresh(): Promise<void>;
  done(text: string): void;
}

const ACTIONS: [label: string, action: Action][] = [
  ['Edit', ({ held, joinedPeer, refresh, done }, place) => openEditor({ held, joinedPeer, place, published: async () => (await refresh(), done('Published.')) })],
  ['Renew', renew],
  ['Transfer', transfer],
  ['Release', release],
];

export function wireOwnNames(joinedPeer: JoinedPeer): OwnNames {
  const list = byId('own-names');
  const refresh = async () => {
    const peer = await joinedPeer(new AbortController().signal);
    const held = await peer.names.mine();
    list.dataset['empty'] = 'None yet. Claim one, or take one over that was signed over to you.';
    setText(byId('own-count'), held.length === 0 ? '' : String(held.length));
    keyed(list, held, ({ name }) => name, () => row(), (element, each) => fill(element, { held: each, joinedPeer, refresh, done: () => {} }));
  };
  const failed = (error: unknown) => byId('own-result').replaceChildren(errorCard(error));
  const start = async () => {
    const peer = await joinedPeer(new AbortController().signal);
    byId('owner-line').replaceChildren('Your key: ', copyable(await peer.names.owner(), 'owner key'));
    await refresh();
  };
  start().catch(failed);
  wireAccept(joinedPeer, refresh);
  return { changed: (name) => void refresh().then(() => edit(list, name), failed) };
}

/** A name that was just claimed is empty: what comes next is to publish something. */
function edit(list: HTMLElement, name: string): void {
  const found = [...list.children].find((child) => (child as HTMLElement).dataset['key'] === name);
  found?.querySelector('button')?.click();
}

function row(): HTMLLIElement {
  return h(
    'li',
    { class: 'own' },
    h('div', {}, h('p', { class: 'title' }), h('p', { class: 'what' })),
    h('div', { class: 'acts' }),
    h('div', { class: 'place', 'aria-live': 'polite' }),
  );
}

function fill(element: HTMLElement, context: Context): void {
  const [title, what, acts, place] = ['.title', '.what', '.acts', '.place'].map((name) => element.querySelector<HTMLElement>(name));
  if (!title || !what || !acts || !place) return;
  setText(title, context.held.name);
  setText(what, heldWords(context.held));
  const done = (text: string) => place.replaceChildren(h('p', { class: 'good' }, text));
  // The buttons stay, so that the focus does; each time they act on what is held by then.
  const buttons = ACTIONS.map(([label], index) => (acts.children[index] ?? acts.appendChild(actionButton(label, context.held.name))) as HTMLButtonElement);
  buttons.forEach((button, index) => {
    // The name of a key can be neither renewed nor given away.
    button.hidden = index > 0 && context.held.generation === 0;
    button.onclick = () => ACTIONS[index]?.[1]({ ...context, done }, place);
  });
}

function actionButton(label: string, name: string): HTMLButtonElement {
  return h('button', { type: 'button', class: 'copy', 'aria-label': `${label} ${name}` }, label);
}

function renew(context: Context, place: HTMLElement): void {
  const form = h(
    'form',
    { class: 'ask' },
    h('p', {}, `Keep ${context.held.name} for another year? This tab does so by itself when the end is near.`),
    h('div', { class: 'actions' }, h('button', { type: 'submit' }, 'Renew it'), closeButton(place, 'Not now')),
    h('div', { class: 'result' }),
  );
  place.replaceChildren(form);
  wireWork(form, context, async (peer, options) => {
    const held = await peer.names.renew(context.held.name, options);
    return `It is yours until ${held.expires?.toLocaleDateString() ?? 'you give it up'}.`;
  });
}

function release(context: Context, place: HTMLElement): void {
  const form = h(
    'form',
    { class: 'ask' },
    h('p', {}, h('strong', {}, `Give ${context.held.name} up? `), 'It leads nowhere then, and somebody else may claim it.'),
    h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'danger' }, 'Give it up'), closeButton(place, 'Keep it')),
    h('div', { class: 'result' }),
  );
  place.replaceChildren(form);
  wireWork(form, context, async (peer, options) => {
    await peer.names.release(context.held.name, options);
    // Its row goes, and the focus with it.
    byId('claim-name').focus();
    return 'Given up.';
  });
}

type WorkOn = (peer: Peer, options: { signal: AbortSignal; onProgress: ReturnType<typeof progressView>['show'] }) => Promise<string>;

function wireWork(form: HTMLFormElement, { joinedPeer, refresh, done }: Context, work: WorkOn): void {
  form.querySelector('button')?.focus();
  wireForm(form, form.querySelector('.result') as HTMLElement, async ({ signal, show }) => {
    const peer = await joinedPeer(signal);
    const progress = progressView();
    show(progress.element);
    const text = await work(peer, { signal, onProgress: progress.show });
    done(text);
    await refresh();
  });
}

function transfer({ held, joinedPeer }: Context, place: HTMLElement): void {
  const id = `to-${held.name}`;
  const input = h('input', { type: 'text', id, required: true, spellcheck: 'false', autocapitalize: 'off', placeholder: 'k51…' });
  const form = h(
    'form',
    { class: 'ask', autocomplete: 'off' },
    h('label', { for: id }, 'Key of the new owner'),
    input,
    h('p', { class: 'hint' }, 'It stands under "Your key" on the page of the new owner. Nothing changes until the name is taken over there.'),
    h('div', { class: 'actions' }, h('button', { type: 'submit' }, 'Sign it over'), closeButton(place, 'Close')),
    h('div', { class: 'result', 'aria-live': 'polite' }),
  );
  place.replaceChildren(form);
  input.focus();
  wireForm(form, form.querySelector('.result') as HTMLElement, async ({ signal, show }) => {
    const peer = await joinedPeer(signal);
    const handover = await peer.names.transfer(held.name, input.value.trim(), { signal });
    const said = 'Give this to the new owner, who puts it into "Take a name over":';
    show(h('div', { class: 'good' }, h('p', {}, said), copyable(handover, 'handover')));
  });
}

function closeButton(place: HTMLElement, label: string): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'quiet' }, label);
  button.addEventListener('click', () => {
    const first = place.parentElement?.querySelector<HTMLElement>('.acts button');
    place.replaceChildren();
    first?.focus();
  });
  return button;
}

function wireAccept(joinedPeer: JoinedPeer, refresh: () => Promise<void>): void {
  wireForm(byId<HTMLFormElement>('accept-form'), byId('accept-result'), async ({ signal, show }) => {
    const handover = byId<HTMLTextAreaElement>('handover').value.trim();
    const peer = await joinedPeer(signal);
    const progress = progressView();
    show(progress.element);
    const held = await peer.names.accept(handover, { signal, onProgress: progress.show });
    show(h('p', { class: 'good' }, h('strong', {}, held.name), ' is yours. Publish under it what it is to lead to.'));
    await refresh();
  });
}
