// Plain words for what the engine reports. The only place where states become sentences.

import type { Attempt, EphemeralReason, Relay, Snapshot, Transport } from 'warren-p2p';

export interface StateWords {
  title: string;
  detail: string;
}

export function stateWords(snapshot: Snapshot): StateWords {
  switch (snapshot.state) {
    case 'joining':
      return { title: 'Joining', detail: because('Looking for a relay. Values can be stored and read as soon as one answers.', snapshot) };
    case 'joined':
      return { title: 'Joined', detail: joinedDetail(snapshot) };
    case 'lost':
      return { title: 'Relay lost', detail: lostDetail(snapshot) };
    case 'offline':
      return { title: 'Offline', detail: 'The browser says that there is no network. This tab rejoins when it is back.' };
    case 'closed':
      return { title: 'Closed', detail: 'This peer has left the network. Reload the page to start it again.' };
  }
}

function because(sentence: string, { reason }: Snapshot): string {
  return reason === undefined ? sentence : `${sentence} The last try failed: ${reason}.`;
}

function lostDetail({ reason }: Snapshot): string {
  const why = reason === undefined ? 'No relay can be reached' : capital(reason);
  return `${why}. This tab keeps trying and comes back by itself.`;
}

function joinedDetail(snapshot: Snapshot): string {
  const relays = snapshot.relays.filter((relay) => relay.state === 'connected').length;
  return `Connected to ${count(relays, 'relay')}, ${count(snapshot.routing.size, 'peer')} known. Values can be stored and read.`;
}

/** The engine writes reasons as parts of sentences. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export const TRANSPORT_NAMES: Record<Transport, string> = {
  'webrtc-direct': 'WebRTC-direct',
  websocket: 'WebSocket',
  webrtc: 'WebRTC',
  circuit: 'through a relay',
  tcp: 'TCP',
  quic: 'QUIC',
};

export function attemptWords(attempt: Attempt): string {
  switch (attempt.state) {
    case 'dialing':
      return 'Trying';
    case 'connected':
      return attempt.ms === undefined ? 'In use' : `In use, connected in ${Math.round(attempt.ms)} ms`;
    case 'failed':
      return 'Failed';
    case 'fallback':
      return attempt.reason === undefined ? 'Ready as fallback' : 'Not needed';
    case 'unavailable':
      return 'Not available here';
  }
}

export function relayWords(relay: Relay, now: number): string {
  switch (relay.state) {
    case 'dialing':
      return 'Connecting';
    case 'connected':
      return relay.reserved ? 'Connected, forwards calls to this tab' : 'Connected, no place reserved yet';
    case 'waiting':
      return 'Known, not connected';
    case 'failed':
      return relay.retryAt === undefined ? 'Out of reach' : `Out of reach, next try ${soon(relay.retryAt - now)}`;
  }
}

const IDENTITY_WORDS: Record<EphemeralReason, string> = {
  'another-tab': 'Another tab already is this peer. This one runs as a new peer, until it is closed.',
  'no-storage': 'This browser stores nothing for this page. The tab is a new peer every time.',
  requested: 'This tab was asked to forget who it is when it is closed.',
};

export function identityWords(reason: EphemeralReason): string {
  return IDENTITY_WORDS[reason];
}

/** What is missing, for the reader, not for the developer. */
export function environmentWords(environment: { webrtc: boolean; websocket: boolean; secureContext: boolean }): string[] {
  const words: string[] = [];
  if (!environment.secureContext) {
    words.push('This page came over plain http. It joins all the same, but browsers keep some features for https: a second tab is noticed less reliably.');
  }
  if (!environment.webrtc) words.push('This browser has no WebRTC. Only WebSocket is used.');
  if (!environment.websocket) words.push('This browser has no WebSocket. Only WebRTC is used.');
  return words;
}

function soon(ms: number): string {
  return ms < 1000 ? 'now' : inWords(ms);
}

/** "in 3 s", "in 2 days", "5 min ago". */
export function inWords(ms: number): string {
  const amount = duration(Math.abs(ms));
  return ms < 0 ? `${amount} ago` : `in ${amount}`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** Enough of an id to tell two apart; every peer id begins alike. */
export function shortId(id: string): string {
  return id.length > 14 ? `…${id.slice(-8)}` : id;
}

/** How much of the network a Kademlia bucket covers: the farthest one (255) is half of it. */
export function bucketShare(index: number): string {
  const depth = 256 - index;
  return depth <= 10 ? `1/${2 ** depth}` : `1/2^${depth}`;
}
