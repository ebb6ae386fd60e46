// The page. Starts the peer first and builds itself around it while the engine loads.
// For the console and for tests: `window.warren` = { peer, ready, another, createPeer, verifyName, WarrenError }.
// `?transports=websocket` (or webrtc-direct) limits how relays are dialled, `?identity=memory` forgets the identity.

import { WarrenError, createPeer, verifyName, type Peer, type PeerOptions, type RelayTransport, type Snapshot } from 'warren-p2p';
import { wireCopyButtons } from './copy.ts';
import { renderConnection } from './views/connection.ts';
import { log, wireLog } from './views/log.ts';
import { wirePeers } from './views/peers.ts';
import { renderRouting } from './views/routing.ts';
import { notice, renderFailure, renderNotices, renderStatus } from './views/status.ts';
import { wireValues } from './views/values.ts';
import { identityWords } from './words.ts';

/** Replaced by the build with the hashed addresses of the engine and of what names need later. */
declare const WASM_URL: string;
declare const APPS_WASM_URL: string;
declare const NAMES_WASM_URL: string;
declare const NAMES_WORKER_URL: string;
declare const STORE_WASM_URL: string;
declare const FILES_WORKER_URL: string;

/** Countdowns and ages move once a second, everything else with the events. */
const TICK_MS = 1000;

interface Console {
  /** The running peer; undefined until it has started. */
  peer: Peer | undefined;
  /** Resolves with the peer, rejects when it cannot start. */
  ready: Promise<Peer>;
  /** One more peer in this page. */
  another(options: PeerOptions): Promise<Peer>;
  createPeer: typeof createPeer;
  verifyName: typeof verifyName;
  WarrenError: typeof WarrenError;
}

declare global {
  interface Window {
    warren: Console;
  }
}

const ready = createPeer(optionsFromAddress());
const another = (options: PeerOptions) => createPeer({ ...optionsFromAddress(), identity: 'memory', ...options });
window.warren = { peer: undefined, ready, another, createPeer, verifyName, WarrenError };

// The script does not wait for the stylesheet, nor for the end of the page: the peer starts before both.
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', buildPage);
else buildPage();

function buildPage(): void {
  document.addEventListener('submit', keepEarly);
  renderNotices();
  wireCopyButtons();
  wireValues(joinedPeer);
  wirePeers(joinedPeer);
  ready.then(attach, fail);
}

function optionsFromAddress(): PeerOptions {
  const query = new URLSearchParams(location.search);
  const transports = query.get('transports')?.split(',') as RelayTransport[] | undefined;
  return {
    wasmUrl: new URL(WASM_URL, document.baseURI),
    appsWasmUrl: new URL(APPS_WASM_URL, document.baseURI),
    namesWasmUrl: new URL(NAMES_WASM_URL, document.baseURI),
    namesWorkerUrl: new URL(NAMES_WORKER_URL, document.baseURI),
    storeWasmUrl: new URL(STORE_WASM_URL, document.baseURI),
    filesWorkerUrl: new URL(FILES_WORKER_URL, document.baseURI),
    ...(transports ? { transports } : {}),
    ...(query.get('identity') === 'memory' ? { identity: 'memory' as const } : {}),
  };
}

/** Forms may be used before the tab has joined; they wait here, and can be stopped. */
async function joinedPeer(signal: AbortSignal): Promise<Peer> {
  const peer = await ready;
  await peer.joined({ signal });
  return peer;
}

function attach(peer: Peer): void {
  window.warren.peer = peer;
  performance.mark('warren:started');
  wireLog(peer);
  if (peer.identity.ephemeral) notice(identityWords(peer.identity.reason));
  void peer.joined().then(() => performance.mark('warren:joined'), () => {});
  // What a tab does beside joining comes in files of its own, once the peer runs.
  void import('./views/later.ts').then(({ wireLater }) => wireLater(joinedPeer)).then(sendEarly, ({ message }: Error) => notice(message));
  let last: Snapshot | undefined;
  const show = (snapshot: Snapshot) => {
    last = { ...snapshot, state: peer.state };
    render(last);
  };
  peer.on('snapshot', show);
  peer.on('state', () => last && show(last));
  // Before the first relay answers there are no snapshots, only warnings.
  peer.on('warning', ({ message }) => last?.network === null && show({ ...last, reason: message }));
  void peer.snapshot().then(show, () => {});
  setInterval(() => last && !document.hidden && renderConnection(last, Date.now()), TICK_MS);
}

/** Forms that were sent before their script was there. */
const early = new Map<HTMLFormElement, HTMLElement | null>();

/** Bubbles up to here unprevented only when nobody knows the form yet. */
function keepEarly(event: SubmitEvent): void {
  if (event.defaultPrevented) return;
  event.preventDefault();
  early.set(event.target as HTMLFormElement, event.submitter);
}

/** Each of them once: what is sent to a form that is busy stops it. */
function sendEarly(): void {
  for (const [form, submitter] of early) if (!form.hasAttribute('aria-busy')) form.requestSubmit(submitter);
}

function render(snapshot: Snapshot): void {
  renderStatus(snapshot);
  renderConnection(snapshot, Date.now());
  renderRouting(snapshot.routing);
}

function fail(error: Error): void {
  renderFailure(error);
  log(error.message, 'bad');
}
