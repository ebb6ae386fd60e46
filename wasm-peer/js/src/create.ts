// From options to a running peer: everything slow is started at once, then put together.
// It does not know what joining means; `createPeer` resolves before the peer has joined.

import { abortable, type AbortOptions } from './abort.ts';
import { openApps, preloadApps } from './apps-module.ts';
import { FilePlaces } from './file-places.ts';
import { loadEngine, refuseDirect, serveEngine } from './engine.ts';
import { invalidArgument } from './errors.ts';
import { createHost, features, prefetchJoin } from './host.ts';
import { openIdentity, type Identity } from './identity.ts';
import { openKeepsakes } from './keepsakes.ts';
import { watchPage } from './lifecycle.ts';
import { NamesModule } from './names-module.ts';
import { Peer, type AppsHelp } from './peer.ts';
import { Solver } from './solver.ts';
import type { NamesHelp } from './names.ts';
import type { RelayTransport } from './types.ts';

const ALL_TRANSPORTS: readonly RelayTransport[] = ['webrtc-direct', 'websocket'];
/** As long as the engine waits for a document. */
const PREFETCH_TIMEOUT_MS = 5_000;

/** All optional: without any, the peer joins through the server that the page came from. */
export interface PeerOptions extends AbortOptions {
  /** HTTP addresses of relays. Default: the page's own origin, unless `bootstrap` is given. `[]` joins nothing. */
  join?: string | readonly string[];
  /** Multiaddrs of relays, for when their HTTP address cannot be reached. */
  bootstrap?: readonly string[];
  /** Refuse relays of any other network. Default: the network of the first relay that answers. */
  network?: string;
  /** How relays may be dialled. Default: all, in parallel; the first that works is used. */
  transports?: readonly RelayTransport[];
  /**
   * Servers by which browsers find ways to each other, beside the relays of the network, which answer STUN themselves.
   * TURN servers carry what finds no direct way, faster than relays do.
   */
  iceServers?: readonly RTCIceServer[];
  /**
   * Others learn no address of this machine: what is said to them goes through relays, or through the TURN servers
   * among `iceServers`. Relays themselves see it. Default: false.
   */
  relayOnly?: boolean;
  /** Whether other peers may measure the connection to this one with `measure`: that costs bandwidth. Default: false. */
  measurable?: boolean;
  /** `memory` forgets who this peer was when the page goes away. Default: `persistent`. */
  identity?: 'persistent' | 'memory';
  /** Where the build put `warren_wasm_bg.wasm`. Default: beside the package's own script. */
  wasmUrl?: string | URL;
  /** Where the build put `warren_names_bg.wasm`, loaded when a name needs it. Default: beside the package's own script. */
  namesWasmUrl?: string | URL;
  /** Where the build put `warren_apps_bg.wasm`, loaded when a room, a message, a command, a file or a direct connection needs it, or when the page has joined and is idle (unless the browser saves data). Default: beside the package's own script. */
  appsWasmUrl?: string | URL;
  /** Where the build put `names-worker.js`, which works for names that are claimed. Default: beside the package's own script. */
  namesWorkerUrl?: string | URL;
  /** Where the build put `warren_store_bg.wasm`, loaded with `files-worker.js`. Default: beside the package's own script. */
  storeWasmUrl?: string | URL;
  /** Where the build put `files-worker.js`, which keeps files over a reload. Default: beside the package's own script. */
  filesWorkerUrl?: string | URL;
}

/**
 * Starts a peer in this page. Resolves when it runs, rejects with `ENGINE_LOAD_FAILED` or `INVALID_ARGUMENT`.
 * It is not yet joined then: `await peer.joined()` or watch `state`; calls made earlier wait for that, a while.
 * Costs one download of the engine per page (cached); a second peer in the page shares it and gets an
 * identity in memory. Aborting `signal` before it resolves undoes everything; afterwards it has no effect.
 */
export async function createPeer(options: PeerOptions = {}): Promise<Peer> {
  options.signal?.throwIfAborted();
  const join = joinUrls(options);
  const transports = checkedTransports(options.transports ?? ALL_TRANSPORTS);
  const prefetched = prefetchJoin(join, PREFETCH_TIMEOUT_MS);
  const engine = loadEngine(options.wasmUrl);
  const opening = openIdentity(options.identity ?? 'persistent');
  try {
    const [module, identity] = await abortable(Promise.all([engine, opening]), options.signal);
    const names = new NamesModule(options.namesWasmUrl);
    const solver = new Solver(names, options.namesWorkerUrl);
    const files = new FilePlaces(identity.info.ephemeral, { wasm: options.storeWasmUrl, worker: options.filesWorkerUrl });
    const host = createHost(prefetched, openKeepsakes(identity.info.ephemeral), solver, files);
    const { port, lending, unwatch } = serveEngine(module, host);
    const { transportSeed, authorSeed } = identity;
    const direct = directSettings(options);
    const { measurable = false } = options;
    const tenant = { host, engine: lending, transportSeed, authorSeed, direct, measurable };
    if (!direct) refuseDirect(lending);
    const apps: AppsHelp = { open: (tell) => openApps(options.appsWasmUrl, tenant, tell), direct: direct !== undefined };
    const running = openPeer(port, identity, () => (unwatch(), solver.close(), files.end()), { module: names, solver }, apps);
    const peer = await startPeer(running, startParams(identity, join, transports, options), options.signal);
    if (measurable) peer.wake();
    else void afterJoining(peer, files, () => direct && preloadApps(options.appsWasmUrl)).catch(() => {}); // It was closed.
    return peer;
  } catch (error) {
    void opening.then((identity) => identity.release());
    throw error;
  }
}

/**
 * What was kept is given to others again, without anybody asking for files here. And others may dial this page at any time: what makes
 * a direct connection of it is there before it is needed.
 */
async function afterJoining(peer: Peer, files: FilePlaces, preload: () => void): Promise<void> {
  await peer.joined();
  if (await files.some()) peer.wake();
  else preload();
}

function openPeer(port: MessagePort, identity: Identity, unwatch: () => void, help: NamesHelp, apps: AppsHelp): Peer {
  const cleanUps = [unwatch, identity.release];
  const peer = new Peer(port, identity.info, () => cleanUps.forEach((run) => run()), help, apps);
  cleanUps.push(watchPage((kind) => peer.hint(kind)));
  return peer;
}

/** @internal Starts a peer on a port behind which an engine listens. */
export async function startPeer(peer: Peer, params: object, signal: AbortSignal | undefined): Promise<Peer> {
  try {
    await peer.start(params, signal);
  } catch (error) {
    await peer.close();
    throw error;
  }
  // A task later the application has the peer and could add its listeners.
  setTimeout(() => peer.releaseEvents());
  return peer;
}

function startParams(
  identity: Identity,
  join: readonly string[],
  transports: readonly RelayTransport[],
  options: PeerOptions,
): object {
  return {
    join,
    bootstrap: [...(options.bootstrap ?? [])],
    ...(options.network === undefined ? {} : { network: options.network }),
    transportSeed: identity.transportSeed,
    authorSeed: identity.authorSeed,
    ephemeral: identity.info.ephemeral,
    transports,
    ...(typeof location === 'undefined' ? {} : { pageOrigin: location.origin }),
  };
}

/** Nothing where browsers have no WebRTC, or where only TURN servers might be used and there are none. */
function directSettings({ iceServers = [], relayOnly = false }: PeerOptions): RTCConfiguration | undefined {
  if (!features().webrtc) return undefined;
  if (!relayOnly) return { iceServers: [...iceServers] };
  const turn = iceServers.filter(({ urls }) => [urls].flat().every((url) => /^turns?:/.test(url)));
  return turn.length > 0 ? { iceServers: turn, iceTransportPolicy: 'relay' } : undefined;
}

/** Without a trailing slash, so that the engine and the prefetch build the same addresses. */
function joinUrls(options: PeerOptions): string[] {
  const given = options.join ?? (options.bootstrap?.length ? [] : defaultJoin());
  return (typeof given === 'string' ? [given] : [...given]).map(checkedUrl);
}

function defaultJoin(): string {
  if (typeof location !== 'undefined' && location.protocol.startsWith('http')) return location.origin;
  throw invalidArgument(
    'There is no page whose server could be joined.',
    "Pass that of a relay: createPeer({ join: 'https://relay.example' }).",
  );
}

function checkedUrl(text: string): string {
  try {
    const url = new URL(text);
    if (!url.protocol.startsWith('http')) throw new Error(`${url.protocol} is not http: or https:`);
    return (url.origin + url.pathname).replace(/\/+$/, '');
  } catch (cause) {
    throw invalidArgument(`"${text}" is not the HTTP address of a relay.`, 'Write it like https://relay.example.', cause);
  }
}

function checkedTransports(wanted: readonly RelayTransport[]): RelayTransport[] {
  const unknown = wanted.find((name) => !ALL_TRANSPORTS.includes(name));
  if (unknown === undefined && wanted.length > 0) return [...wanted];
  throw invalidArgument(
    unknown === undefined ? 'No transport is allowed.' : `There is no transport "${unknown}".`,
    `Choose from ${ALL_TRANSPORTS.join(', ')}.`,
  );
}

/** What this environment offers to a peer; for saying beforehand what will not work. */
export function environment(): { webrtc: boolean; websocket: boolean; secureContext: boolean } {
  return features();
}
