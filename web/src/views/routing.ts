// The routing table as layers of ground: one layer per Kademlia bucket, the farthest on top.

import type { Bucket, Routing } from 'warren-p2p';
import { byId, h, keyed, setText } from '../dom.ts';
import { bucketShare, count, shortId } from '../words.ts';

type Peer = Bucket['peers'][number];

export function renderRouting(routing: Routing): void {
  setText(byId('routing-count'), routing.size > 0 ? String(routing.size) : '');
  const layers = routing.buckets.filter((bucket) => bucket.peers.length > 0).sort((a, b) => b.index - a.index);
  keyed(byId('routing'), layers, (bucket) => String(bucket.index), makeLayer, (element, bucket) => {
    element.style.setProperty('--depth', String(Math.min(layers.indexOf(bucket), 12)));
    setText(element.querySelector('.count') as Element, count(bucket.peers.length, 'peer'));
    keyed(element.querySelector('ul') as HTMLElement, bucket.peers, (peer) => peer.id, makePeer, updatePeer);
  });
}

function makeLayer(bucket: Bucket): HTMLLIElement {
  return h(
    'li',
    {},
    h('p', { class: 'layer' }, h('strong', {}, bucketShare(bucket.index)), ' of the network', h('span', { class: 'count' })),
    h('ul', { class: 'burrows' }),
  );
}

function makePeer(peer: Peer): HTMLLIElement {
  return h('li', { class: 'peer' }, h('code', {}, shortId(peer.id)), h('span', { class: 'off-screen' }));
}

function updatePeer(element: HTMLLIElement, peer: Peer): void {
  element.dataset['connected'] = String(peer.connected);
  element.title = [peer.id, ...peer.addresses].join('\n');
  setText(element.lastElementChild as Element, peer.connected ? ' connected' : ' known');
}
