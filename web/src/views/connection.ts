// How this tab is connected: relays, each try to reach one, and open connections.

import type { Attempt, Connection, Relay, Snapshot } from 'warren-p2p';
import { byId, h, keyed, setText } from '../dom.ts';
import { TRANSPORT_NAMES, attemptWords, capital, duration, relayWords, shortId } from '../words.ts';

export function renderConnection(snapshot: Snapshot, now: number): void {
  renderRelays(snapshot.relays, now);
  renderAttempts(snapshot.relays);
  renderConnections(snapshot.connections, now);
  renderAddresses(snapshot.addresses);
}

/** A row: lamp, title, sentence, small print. */
function row(): HTMLLIElement {
  return h(
    'li',
    { class: 'row' },
    h('span', { class: 'lamp', 'aria-hidden': 'true' }),
    h('div', {}, h('p', { class: 'title' }), h('p', { class: 'what' }), h('p', { class: 'why' })),
    h('span', { class: 'side' }),
  );
}

interface RowText {
  lamp: 'good' | 'busy' | 'bad' | 'idle';
  title: string;
  what: string;
  why?: string | undefined;
  side?: string;
  tip?: string;
}

function fill(element: HTMLElement, text: RowText): void {
  element.dataset['lamp'] = text.lamp;
  const put = (name: string, value = '') => {
    const part = element.querySelector(`.${name}`);
    if (part) setText(part, value);
  };
  put('title', text.title);
  put('what', text.what);
  put('why', text.why);
  put('side', text.side);
  if (text.tip) element.title = text.tip;
}

const RELAY_LAMPS = { dialing: 'busy', connected: 'good', waiting: 'idle', failed: 'bad' } as const;

function renderRelays(relays: readonly Relay[], now: number): void {
  keyed(byId('relays'), relays, (relay) => relay.id + (relay.url ?? ''), row, (element, relay) => {
    fill(element, {
      lamp: RELAY_LAMPS[relay.state],
      title: relayName(relay),
      what: relayWords(relay, now),
      why: relay.state === 'connected' ? undefined : relay.reason && capital(relay.reason),
      side: milliseconds(relay.rttMs),
      tip: relay.id,
    });
  });
}

const ATTEMPT_LAMPS = {
  dialing: 'busy',
  connected: 'good',
  failed: 'bad',
  fallback: 'idle',
  unavailable: 'idle',
} as const;

function renderAttempts(relays: readonly Relay[]): void {
  const several = relays.length > 1;
  const attempts = relays.flatMap((relay) => relay.attempts.map((attempt) => ({ relay, attempt })));
  const key = ({ relay, attempt }: { relay: Relay; attempt: Attempt }) =>
    `${relay.id}${relay.url ?? ''}${attempt.transport}${attempt.address}`;
  keyed(byId('attempts'), attempts, key, row, (element, { relay, attempt }) => {
    element.dataset['transport'] = attempt.transport;
    element.dataset['attempt'] = attempt.state;
    fill(element, {
      lamp: ATTEMPT_LAMPS[attempt.state],
      title: TRANSPORT_NAMES[attempt.transport] + (several ? ` to ${relayName(relay)}` : ''),
      what: attemptWords(attempt),
      why: attempt.reason && capital(attempt.reason),
      tip: attempt.address,
    });
  });
}

function renderConnections(connections: readonly Connection[], now: number): void {
  setText(byId('connection-count'), connections.length > 0 ? String(connections.length) : '');
  const key = (connection: Connection) => `${connection.peer}${connection.address}${connection.since}`;
  keyed(byId('connections'), connections, key, row, (element, connection) => {
    fill(element, {
      lamp: 'good',
      title: shortId(connection.peer),
      what: capital(describe(connection)),
      why: connection.kept ? capital(connection.kept.reason) : connection.agent,
      side: milliseconds(connection.rttMs) || duration(now - connection.since),
      tip: `${connection.peer}\n${connection.address}`,
    });
  });
}

function renderAddresses(addresses: readonly string[]): void {
  const make = (address: string) => h('li', {}, h('code', {}, address));
  keyed(byId('addresses'), addresses, (address) => address, make, () => {});
}

function describe(connection: Connection): string {
  const way = TRANSPORT_NAMES[connection.transport];
  const relayed = connection.relayed && connection.transport !== 'circuit' ? `${way}, through a relay` : way;
  return `${relayed}, ${connection.direction === 'inbound' ? 'it called' : 'called from here'}`;
}

function relayName(relay: Relay): string {
  return relay.url?.replace(/^https?:\/\//, '') ?? shortId(relay.id);
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
