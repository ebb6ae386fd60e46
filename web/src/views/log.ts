// What happened, newest first: so that a visitor can say why something did not work.

import type { Peer } from 'warren-p2p';
import { byId, h } from '../dom.ts';
import { TRANSPORT_NAMES, identityWords, shortId } from '../words.ts';

const KEPT = 40;
const STATE_NAMES = { joining: 'Joining', joined: 'Joined', lost: 'Relay lost', offline: 'Offline', closed: 'Closed' };

export function log(text: string, kind: 'good' | 'bad' | 'plain' = 'plain'): void {
  const list = byId('log');
  if (repeated(list.firstElementChild, text)) return;
  const now = new Date();
  const time = h('time', { datetime: now.toISOString() }, now.toLocaleTimeString());
  list.prepend(h('li', { 'data-kind': kind }, time, h('span', {}, text)));
  while (list.children.length > KEPT) list.lastElementChild?.remove();
}

/** What keeps happening is counted instead of filling the list. */
function repeated(newest: Element | null, text: string): boolean {
  const said = newest?.querySelector('span');
  if (!newest || said?.textContent !== text) return false;
  const times = Number(newest.getAttribute('data-times') ?? 1) + 1;
  newest.setAttribute('data-times', String(times));
  return true;
}

export function wireLog(peer: Peer): void {
  peer.on('state', ({ state, reason }) => {
    log(withReason(STATE_NAMES[state], reason), state === 'joined' ? 'good' : state === 'lost' ? 'bad' : 'plain');
  });
  peer.on('relay', ({ id, state, transport, reason }) => {
    const way = transport && state === 'connected' ? ` over ${TRANSPORT_NAMES[transport]}` : '';
    log(withReason(`Relay ${shortId(id)}: ${state}${way}`, reason));
  });
  peer.on('attempt', ({ transport, state, reason }) => {
    if (state === 'failed') log(withReason(`${TRANSPORT_NAMES[transport]} failed`, reason), 'bad');
  });
  peer.on('connection', ({ change, peer: other, transport }) => {
    log(`Connection to ${shortId(other)} (${TRANSPORT_NAMES[transport]}) ${change === 'open' ? 'opened' : 'closed'}`);
  });
  peer.on('warning', ({ message, remedy }) => log(`${message} ${remedy}`, 'bad'));
  peer.on('identity', ({ reason }) => log(identityWords(reason)));
}

function withReason(text: string, reason: string | undefined): string {
  return reason ? `${text}: ${reason}` : text;
}
