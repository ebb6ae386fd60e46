// Names: look one up, claim one, and those of this profile. Looking up can be linked: `#/n/<name>`.

import type { HeldName, Peer, Resolution } from 'warren-p2p';
import { byId, h } from '../dom.ts';
import { linked } from '../link.ts';
import { copyable, errorCard, facts, wireForm } from '../result.ts';
import { wireOwnNames } from './names/own.ts';
import { progressView } from './names/progress.ts';
import { flawView, proofWords, resourceView } from './names/words.ts';

const LINK = /^#\/n\/(.+)$/;

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

export function wireNames(joinedPeer: JoinedPeer): void {
  const own = wireOwnNames(joinedPeer);
  wireLookUp(joinedPeer);
  wireClaim(joinedPeer, own.changed);
  addEventListener('hashchange', lookUpLinked);
  lookUpLinked();
}

function wireLookUp(joinedPeer: JoinedPeer): void {
  wireForm(byId<HTMLFormElement>('name-form'), byId('name-result'), async ({ signal, chosen, show }) => {
    const name = byId<HTMLInputElement>('name').value.trim();
    const peer = await joinedPeer(signal);
    try {
      show(resolutionCard(await peer.names.resolve(name, { signal, fresh: chosen === 'fresh' })));
    } catch (error) {
      showFailure(show, name, error, signal);
    }
  });
}

/** Errors of names say which character is wrong: here it is seen. */
function showFailure(show: (...nodes: Node[]) => void, name: string, error: unknown, signal: AbortSignal): void {
  if (signal.aborted) throw error;
  const card = errorCard(error);
  const flaw = flawView(name, error);
  if (flaw) card.prepend(flaw);
  show(card);
}

function resolutionCard(found: Resolution): HTMLElement {
  const empty = found.resources.length === 0;
  const hidden = found.hidden > 0 && `${found.hidden} not public, left out: a name must not lead this page into yours.`;
  return h(
    'div',
    { class: 'good' },
    h('ul', { class: 'resources' }, ...found.resources.map((resource) => h('li', {}, ...resourceView(resource)))),
    empty && h('p', {}, 'It leads to nothing that may be shown here.'),
    hidden && h('p', { class: 'hint' }, hidden),
    facts([
      ['Proof', h('ul', { class: 'lines' }, ...found.proofs.map((proof) => h('li', {}, proofWords(proof, found.proofs.length > 1))))],
      ['Owner', found.proofs[0] && copyable(found.proofs[0].owner, 'owner')],
      ['Way', found.via.length === 0 ? undefined : [found.name, ...found.via].join(' → ')],
      ['Link', h('a', { href: `#/n/${encodeURIComponent(found.name)}` }, found.name)],
    ]),
  );
}

function wireClaim(joinedPeer: JoinedPeer, changed: (name: string) => void): void {
  wireForm(byId<HTMLFormElement>('claim-form'), byId('claim-result'), async ({ signal, show }) => {
    const name = byId<HTMLInputElement>('claim-name').value.trim();
    const peer = await joinedPeer(signal);
    const progress = progressView();
    show(progress.element);
    try {
      const held = await peer.names.claim(name, { signal, onProgress: progress.show });
      show(claimedCard(held));
      changed(held.name);
    } catch (error) {
      showFailure(show, name, error, signal);
    }
  });
}

function claimedCard({ name, expires }: HeldName): HTMLElement {
  const until = expires ? ` until ${expires.toLocaleDateString()}` : '';
  return h('p', { class: 'good' }, h('strong', {}, name), ` is yours${until}. Publish something under it below.`);
}

function lookUpLinked(): void {
  const name = linked(LINK);
  if (name === undefined) return;
  byId<HTMLInputElement>('name').value = name;
  const form = byId<HTMLFormElement>('name-form');
  form.scrollIntoView({ block: 'center' });
  if (!form.hasAttribute('aria-busy')) form.requestSubmit();
}
