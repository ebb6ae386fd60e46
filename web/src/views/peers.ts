// Finding peers: by the namespace they announced themselves in, or by peer id.

import type { FoundPeer, Peer, PeerInfo, Provision } from 'warren-p2p';
import { byId, h } from '../dom.ts';
import { copyable, errorCard, facts, wireForm } from '../result.ts';
import { count, inWords } from '../words.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

export function wirePeers(joinedPeer: JoinedPeer): void {
  wireNamespace(joinedPeer);
  wireFind(joinedPeer);
}

function wireNamespace(joinedPeer: JoinedPeer): void {
  const announced = new Map<string, Provision>();
  wireForm(byId<HTMLFormElement>('namespace-form'), byId('namespace-result'), async ({ signal, chosen, show }) => {
    const namespace = byId<HTMLInputElement>('namespace').value.trim();
    const peer = await joinedPeer(signal);
    if (chosen !== 'provide') return showMembers(peer, namespace, signal, show);
    if (!announced.has(namespace)) announced.set(namespace, await peer.provide(namespace, { signal }));
    showAnnounced(announced);
    show(h('p', { class: 'good' }, `Others now find this tab in "${namespace}".`));
  });
}

async function showMembers(
  peer: Peer,
  namespace: string,
  signal: AbortSignal,
  show: (...nodes: Node[]) => void,
): Promise<void> {
  const list = h('ul', { class: 'found' });
  const title = h('p', {}, 'Searching…');
  show(title, list);
  let members = 0;
  for await (const member of peer.find(namespace, { signal })) {
    members += 1;
    list.append(memberRow(member, member.id === peer.id));
    title.textContent = `${count(members, 'peer')} so far`;
  }
  title.textContent = members === 0 ? `Nobody else is in "${namespace}" yet.` : `${count(members, 'peer')} in "${namespace}"`;
}

function memberRow(member: FoundPeer, self: boolean): HTMLLIElement {
  const row = h('li', {}, copyable(member.id, 'peer id'), h('small', {}, self ? 'This tab' : reach(member)));
  if (!self) row.firstElementChild?.append(lookUpButton(member.id));
  return row;
}

/** Peer ids are no fun to type, least of all on a phone. */
function lookUpButton(id: string): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': `Look up ${id}` }, 'Look up');
  button.addEventListener('click', () => {
    const form = byId<HTMLFormElement>('find-form');
    byId<HTMLInputElement>('find-id').value = id;
    form.scrollIntoView({ block: 'nearest' });
    if (!form.hasAttribute('aria-busy')) form.requestSubmit();
  });
  return button;
}

function reach({ addresses }: FoundPeer): string {
  if (addresses.length === 0) return 'Told no address';
  return addresses.every((address) => address.includes('/p2p-circuit')) ? 'Reached through a relay' : 'Reached directly';
}

function showAnnounced(announced: Map<string, Provision>): void {
  const chips = [...announced].map(([namespace, provision]) => {
    const stop = h('button', { type: 'button', 'aria-label': `Stop announcing in ${namespace}` }, 'Stop');
    stop.addEventListener('click', () => {
      announced.delete(namespace);
      showAnnounced(announced);
      byId('namespace').focus();
      provision.stop().catch((error: unknown) => byId('namespace-result').replaceChildren(errorCard(error)));
    });
    return h('li', {}, h('span', {}, namespace), stop);
  });
  byId('announced').replaceChildren(...chips);
}

function wireFind(joinedPeer: JoinedPeer): void {
  wireForm(byId<HTMLFormElement>('find-form'), byId('find-result'), async ({ signal, chosen, show }) => {
    const id = byId<HTMLInputElement>('find-id').value.trim();
    const peer = await joinedPeer(signal);
    if (chosen !== 'ping') return show(peerCard(await peer.findPeer(id, { signal })));
    const { ms } = await peer.ping(id, { signal });
    show(h('p', { class: 'good' }, `It answered in ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms.`));
  });
}

function peerCard(info: PeerInfo): HTMLElement {
  return h(
    'div',
    { class: 'good' },
    facts([
      ['Peer id', copyable(info.id, 'peer id')],
      ['Addresses', lines(info.addresses)],
      ['Relays', lines(info.relays)],
      ['Capabilities', info.capabilities.join(', ') || 'none told'],
      ['Author', info.author === undefined ? undefined : copyable(info.author, 'author')],
      ['Valid', `until ${inWords(info.expires.getTime() - Date.now())}`],
    ]),
  );
}

function lines(texts: readonly string[]): Node | string {
  if (texts.length === 0) return 'none';
  return h('ul', { class: 'lines' }, ...texts.map((text) => h('li', {}, h('code', {}, text))));
}
