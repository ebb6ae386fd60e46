// The peer as an application sees it: properties from the last snapshot, calls that cross to the engine.
// Knows the method names of the engine boundary; it does not know where the engine runs.

import { abortable, type AbortOptions } from './abort.ts';
import { Apps } from './apps.ts';
import { Circuits } from './circuits.ts';
import { Dht } from './dht.ts';
import { WarrenError, closedError, type WireError } from './errors.ts';
import { TypedEvents } from './events.ts';
import { Files } from './files.ts';
import { waitForJoin, type JoinedOptions } from './joined.ts';
import { later } from './later.ts';
import { Messages } from './messages.ts';
import { Names, type NamesHelp } from './names.ts';
import { Namespaces, type Provision } from './namespaces.ts';
import { Chat } from './rooms.ts';
import { Rpc, type CallOptions } from './rpc.ts';
import { RpcPort } from './rpc-port.ts';
import type { Reputation, ScoredPeer, SelectionWeights } from './selection.ts';
import { changedAttempts, emptySnapshot, toSnapshot, withoutNulls } from './snapshots.ts';
import type {
  Connection,
  FoundPeer,
  IdentityInfo,
  Measured,
  PeerEvents,
  PeerInfo,
  PeerState,
  Relay,
  Reservation,
  Routing,
  Snapshot,
} from './types.ts';

/** The engine gets this long to say goodbye to its neighbours. */
const CLOSE_TIMEOUT_MS = 2_000;

/** What is asked over a new circuit at once does not wait for the module to begin. */
const CIRCUIT_FIRST_MS = 60;

/** @internal How the module of apps is opened, and whether it is to make direct connections. */
export interface AppsHelp {
  open(tell: (name: string, detail: unknown) => void): Promise<RpcPort>;
  direct: boolean;
}

/** @internal What the engine says once it runs. */
export interface Started {
  id: string;
  author: string;
  network?: string | null;
}

/**
 * A running peer. Made by `createPeer`, ended by `close()`.
 *
 * Every call that can wait takes a `signal`: aborting rejects it with `signal.reason` and stops the work in
 * the engine. Everything else that fails rejects with a {@link WarrenError}; after `close()` its code is `CLOSED`.
 */
export class Peer extends TypedEvents<PeerEvents> implements AsyncDisposable {
  /** Values in the DHT. */
  readonly dht: Dht;
  /** Chat rooms. */
  readonly chat: Chat;
  /** Names: what lies under them, and those of this profile. */
  readonly names: Names;
  /** Direct messages to and from others. */
  readonly messages: Messages;
  /** Files: shared from this page, and fetched from everybody who has them. */
  readonly files: Files;
  /** JSON commands: methods of this page for other peers, and calls of theirs. */
  readonly rpc: Rpc;
  /** Whether this peer is the same one next time, and why not. */
  readonly identity: IdentityInfo;
  readonly #port: RpcPort;
  readonly #apps: Apps;
  readonly #namespaces: Namespaces;
  readonly #cleanUp: () => void;
  readonly #direct: boolean;
  readonly #circuits = new Circuits();
  #snapshot: Snapshot;
  #held: [name: string, detail: unknown][] | undefined = [];
  #closing: Promise<void> | undefined;
  #finished = false;

  /** @internal Applications call `createPeer`. */
  constructor(port: MessagePort, identity: IdentityInfo, cleanUp: () => void, help?: NamesHelp, apps?: AppsHelp) {
    super();
    this.#port = new RpcPort(port, (name, detail) => this.#receive(name, detail));
    this.dht = new Dht(this.#port);
    this.names = new Names(this.#port, help);
    this.#apps = new Apps(() => apps?.open((name, detail) => this.#receive(name, detail)) ?? Promise.resolve(this.#port));
    this.#direct = apps?.direct ?? false;
    this.messages = new Messages(this.#apps);
    this.chat = new Chat(this.#apps, (room, words, signal) => this.#secretOf(help, room, words, signal));
    this.files = new Files(this.#apps);
    this.rpc = new Rpc(this.#apps);
    this.#namespaces = new Namespaces(this.#port);
    this.identity = identity;
    this.#cleanUp = cleanUp;
    this.#snapshot = emptySnapshot(identity.ephemeral);
  }

  /** Its peer id: proves on every connection that it is the same peer. */
  get id(): string {
    return this.#snapshot.id;
  }

  /** The public key that signs what this profile says. */
  get author(): string {
    return this.#snapshot.author;
  }

  /** Which network it is in; `null` until the first relay said so. */
  get network(): string | null {
    return this.#snapshot.network;
  }

  get state(): PeerState {
    return this.#snapshot.state;
  }

  /** Where others reach it: through its relays and those of `reserve`, since a page cannot listen. */
  get addresses(): readonly string[] {
    return this.#snapshot.addresses;
  }

  get connections(): readonly Connection[] {
    return this.#snapshot.connections;
  }

  get relays(): readonly Relay[] {
    return this.#snapshot.relays;
  }

  get routing(): Routing {
    return this.#snapshot.routing;
  }

  /**
   * Resolves when the state is `joined`, at once if it already is. Without `signal` or `timeoutMs` it waits
   * as long as it takes: the peer keeps trying by itself. The error of `timeoutMs` says what was tried and why it failed.
   */
  joined(options: JoinedOptions = {}): Promise<void> {
    return waitForJoin(this, () => this.#snapshot, options);
  }

  /**
   * Announces this peer in a namespace until the handle's `stop()`; the engine renews the announcement.
   * Resolves when the closest nodes confirmed the first one. Providing one namespace twice gives two handles;
   * it is withdrawn when both have stopped. `signal` ends the waiting, not a confirmed announcement.
   */
  provide(namespace: string, options: AbortOptions = {}): Promise<Provision> {
    return this.#namespaces.provide(namespace, options.signal);
  }

  /**
   * Finds the peers of a namespace, each once, as the nodes that keep the list name them. Every `for await` is a
   * search of its own; leaving the loop ends it. `limit` ends it after that many peers.
   */
  find(namespace: string, options: AbortOptions & { limit?: number } = {}): AsyncIterable<FoundPeer> {
    const params = { namespace, ...(options.limit === undefined ? {} : { limit: options.limit }) };
    return { [Symbol.asyncIterator]: () => this.#port.stream<FoundPeer>('find', params, options.signal) };
  }

  /** Finds what a peer published about itself. Rejects with `NOT_FOUND` when it is away for more than half an hour. */
  async findPeer(id: string, options: AbortOptions = {}): Promise<PeerInfo> {
    const found = withoutNulls(await this.#port.request('findPeer', { id }, options.signal)) as PeerInfo;
    return { ...found, expires: new Date(Number(found.expires)) };
  }

  /** Opens a connection to a peer id or a multiaddr. Does nothing new when there already is one. */
  connect(target: string, options: AbortOptions = {}): Promise<{ id: string }> {
    return this.#port.request('connect', { target }, options.signal);
  }

  /**
   * Has a relay forward connections to this peer, at a multiaddr such as `/dns/relay.example/tcp/443/tls/ws/p2p/12D3…`. Those
   * of this network need no asking. Rejects with `REFUSED` and the reason when it does not.
   * Others in this network are not told: hand `address` to those who are to come.
   */
  async reserve(relay: string, options: AbortOptions = {}): Promise<Reservation> {
    const { reserve } = await later(import('./reserve.ts'), 'places at relays');
    return reserve(this, this.#port, relay, options);
  }

  /** Closes every connection to a peer. */
  async disconnect(id: string, options: AbortOptions = {}): Promise<void> {
    await this.#port.request('disconnect', { id }, options.signal);
  }

  /** Round-trip time to a peer; connects first if necessary. */
  ping(id: string, options: AbortOptions = {}): Promise<{ ms: number }> {
    return this.#port.request('ping', { id }, options.signal);
  }

  /**
   * Measures the connection to a peer: sends `upload` bytes, then receives `download` bytes, each at most 1 GiB.
   * Relays answer when they were started with `--perf`, pages when made with `measurable`; others reject with `UNSUPPORTED`.
   */
  measure(id: string, options: AbortOptions & { upload?: number; download?: number } = {}): Promise<Measured> {
    const { upload = 0, download = 0, signal } = options;
    return this.#port.request('measure', { id, upload, download }, signal);
  }

  /** Calls a JSON-RPC 2.0 method of another peer, such as `warren.ping`: short for `peer.rpc.call`. */
  call<T = unknown>(id: string, method: string, params?: unknown, options: CallOptions = {}): Promise<T> {
    return this.rpc.call(id, method, params, options);
  }

  /**
   * The members of a namespace that answer, the best first, each with what its score is made of. Those that are as good as
   * the best come in an order of chance, so that not everybody asks the same one. `n` is how many are wanted.
   */
  async select(namespace: string, options: AbortOptions & { weights?: SelectionWeights; n?: number } = {}): Promise<ScoredPeer[]> {
    const { weights = {}, n = Infinity, signal } = options;
    const params = { namespace, text: JSON.stringify(weights) };
    return (await this.#apps.request<ScoredPeer[]>('rpcSelect', params, signal)).slice(0, n);
  }

  /** What this profile has seen of a peer: how it answered, and how far it is trusted for that. */
  async reputation(id: string, options: AbortOptions = {}): Promise<Reputation> {
    const { seen, ...rest } = await this.#apps.request<any>('rpcReputation', { id }, options.signal);
    return { ...rest, seen: seen === null ? null : new Date(seen) };
  }

  /** Asks the engine for everything it knows now; the properties are at most a fifth of a second older. */
  async snapshot(options: AbortOptions = {}): Promise<Snapshot> {
    return this.#circuits.explain(toSnapshot(await this.#port.request('snapshot', {}, options.signal)));
  }

  /** Leaves the network and frees the identity for another tab. Calls under way reject with `CLOSED`. Twice is once. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** `await using peer = await createPeer()` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  async start(params: object, signal: AbortSignal | undefined): Promise<void> {
    const { id, author, network } = await this.#port.request<Started>('start', params, signal);
    if (this.#snapshot.id === '') this.#snapshot = { ...this.#snapshot, id, author, network: network ?? null };
  }

  /** @internal What comes later is loaded now. */
  wake(): void {
    this.#apps.wake();
  }

  /** @internal Hints need no answer; a peer that is closing no longer wants them. */
  hint(kind: string): void {
    this.#port.request('hint', { kind }).catch(() => {});
  }

  /** @internal Events of the start were kept until the application could listen. */
  releaseEvents(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.identity.ephemeral) this.emit('identity', this.identity);
    for (const [name, detail] of held) this.emit(name, detail);
  }

  #receive(name: string, wire: unknown): void {
    if (name === 'crash') return this.#finish(WarrenError.fromWire(wire as WireError));
    if (name === 'snapshot') return this.#replace(toSnapshot(wire));
    const detail = withoutNulls(wire);
    if (name === 'state') this.#snapshot = { ...this.#snapshot, state: (detail as PeerEvents['state']).state };
    if (name === 'connection' && this.#direct && (detail as PeerEvents['connection']).relayed) setTimeout(() => this.#apps.wake(), CIRCUIT_FIRST_MS);
    if (name === 'upgrade') this.#noteUpgrade(detail as PeerEvents['upgrade']);
    if (name === 'warning') this.#noteTrouble(detail as PeerEvents['warning']);
    this.#tell(name, detail);
  }

  /** Before the first relay answers there are no snapshots, only warnings. */
  #noteTrouble(warning: PeerEvents['warning']): void {
    if (this.#snapshot.network === null) this.#snapshot = { ...this.#snapshot, reason: warning.message };
  }

  /** Who hears of it finds it in `connections`, too. */
  #noteUpgrade(upgrade: PeerEvents['upgrade']): void {
    this.#circuits.note(upgrade);
    this.#snapshot = this.#circuits.explain(this.#snapshot);
  }

  #replace(snapshot: Snapshot): void {
    const attempts = changedAttempts(this.#snapshot, snapshot);
    this.#circuits.replaced(snapshot);
    this.#snapshot = this.#circuits.explain(snapshot);
    for (const attempt of attempts) this.#tell('attempt', attempt);
    this.#tell('snapshot', this.#snapshot);
  }

  #tell(name: string, detail: unknown): void {
    if (this.#held) this.#held.push([name, detail]);
    else this.emit(name, detail);
  }

  /** Secrets of rooms differ between networks. */
  async #secretOf(help: NamesHelp | undefined, room: string, words: string, signal: AbortSignal | undefined): Promise<string> {
    if (this.network === null) await this.joined({ signal });
    if (!help) throw closedError(); // Only one that no application has made.
    return help.solver.secret({ network: this.network ?? '', room, words }, signal);
  }

  async #close(): Promise<void> {
    const patience = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
    await this.#apps.settle(patience);
    await abortable(this.#port.request('close'), patience).catch(() => {});
    this.#finish(closedError());
  }

  #finish(reason: WarrenError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#closing ??= Promise.resolve();
    const previous = this.#snapshot.state;
    this.#snapshot = { ...this.#snapshot, state: 'closed', addresses: [], relays: [], connections: [] };
    this.#apps.close(reason);
    this.#port.close(reason);
    this.#cleanUp();
    if (previous !== 'closed') this.emit('state', { state: 'closed', previous, reason: reason.message });
    this.endReaders();
  }
}
