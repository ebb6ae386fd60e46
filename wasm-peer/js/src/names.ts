// Names: what lies under them, with the proof, and the names of this profile's owner.
// Knows the calls of the engine; every rule and every check is the engine's. What is not ASCII is spelled by the
// module for names first, because the engine does without Unicode's tables.

import { abortable, type AbortOptions } from './abort.ts';
import { invalidArgument } from './errors.ts';
import {
  toCached,
  toHeld,
  toResolution,
  type CachedName,
  type HeldName,
  type NameProgress,
  type Resolution,
  type Resource,
  type Zone,
} from './name-types.ts';
import { NamesModule } from './names-module.ts';
import type { RpcPort } from './rpc-port.ts';
import { Solver } from './solver.ts';

export interface ResolveOptions extends AbortOptions {
  /** Asks the witnesses even if the answer is known. Default: an answer is given again for the `ttl` of its zone, 300 s unless that says otherwise. */
  fresh?: boolean;
  /** Addresses in private networks, too: for programs that may connect there. */
  private?: boolean;
}

/** Options of calls that may have to work for a name. */
export interface WorkOptions extends AbortOptions {
  /** Hears how far it is, many times a second while it works. */
  onProgress?: (progress: NameProgress) => void;
}

/** @internal What names need besides the engine. */
export interface NamesHelp {
  module: NamesModule;
  solver: Solver;
}

/** Names that were resolved lately, and their proofs: the resource map. Reached as `peer.names.cache`. */
export interface NameCache {
  list(options?: AbortOptions): Promise<CachedName[]>;
  /** What was seen of a name stays seen: nobody can lead this profile back to an older version. */
  flush(options?: AbortOptions): Promise<void>;
}

interface WireProgress {
  stage: NameProgress['stage'];
  puzzle?: string;
  bits?: number;
  until?: number;
}

/**
 * Names. Reached as `peer.names`.
 *
 * A human name such as `alice.p2p` belongs to whoever claimed it before a quorum of the network's witnesses; the name
 * of a key, `k51….p2p`, belongs to that key and needs no claim. `blog.alice.p2p` is an entry in alice's zone.
 * Everywhere a name is taken, `.p2p` may be left out, and `Bücher` is `xn--bcher-kva.p2p`.
 *
 * What was seen of names, and what this owner holds, is kept over reloads as long as the identity is.
 */
export class Names {
  /** What was resolved lately. */
  readonly cache: NameCache;
  readonly #rpc: RpcPort;
  readonly #module: NamesModule;
  readonly #solver: Solver;

  /** @internal */
  constructor(rpc: RpcPort, help: NamesHelp = alone()) {
    this.#rpc = rpc;
    this.#module = help.module;
    this.#solver = help.solver;
    this.cache = {
      list: async (options = {}) => toCached(await this.#ask('cached', {}, options)),
      flush: async (options = {}) => void (await this.#ask('flush', {}, options)),
    };
  }

  /** The owner of what is claimed here, as the name of its key: `k51…`. Others sign names over to it. */
  async owner(options: AbortOptions = {}): Promise<string> {
    return this.#ask<string>('owner', {}, options);
  }

  /**
   * What a name leads to, with the proof that was checked in this page. A known answer is given at once, within its time to
   * live (300 s unless the zone says otherwise), and for a while after that too, while it is asked for again (`stale`);
   * `fresh: true` waits for the witnesses instead. What this peer published itself is never older than that.
   * Rejects with `NAME_NOT_FOUND`, `NAME_INVALID` (`details.character`, `position`, `why`), `NAME_EXPIRED`, `NO_QUORUM`
   * (`details.answered`), `TIMED_OUT`, or `OLDER` when only versions older than one seen before are found.
   */
  async resolve(name: string, options: ResolveOptions = {}): Promise<Resolution> {
    const { fresh = false, private: hidden = false } = options;
    return toResolution(await this.#ask('resolve', { name: await this.#spelled(name, options), fresh, private: hidden }, options));
  }

  /**
   * What a name leads to, now and whenever that changes; `undefined` while it leads nowhere. It is asked for anew every 30
   * seconds, less often while nobody answers, and at once when this peer changes it or learns of a change. Leaving the
   * loop ends it.
   */
  async *watch(name: string, options: ResolveOptions = {}): AsyncGenerator<Resolution | undefined, void, undefined> {
    const { fresh = false, private: hidden = false, signal } = options;
    const params = { action: 'watch', name: await this.#spelled(name, options), fresh, private: hidden };
    for await (const found of this.#rpc.stream('name', params, signal)) yield found === null ? undefined : toResolution(found);
  }

  /**
   * Claims a name for this profile's owner, for a year. Costs about a second of work for long names, minutes for very short
   * ones, in a worker; that makes claiming many expensive. A name that is this owner's already is a success.
   * `recovery` is an owner (`k51…`) that may take the name over when this profile is lost. It is settled by the first claim.
   * Rejects with `NAME_TAKEN` (`details.holder`, `until`), `NAME_INVALID`, `NO_QUORUM` or `TIMED_OUT`. Aborting gives it up: what
   * was reserved by then is free again after a while.
   */
  async claim(name: string, options: WorkOptions & { recovery?: string } = {}): Promise<HeldName> {
    const params = { name: await this.#spelled(name, options), text: options.recovery ?? '' };
    return toHeld(await this.#work('claim', params, options));
  }

  /** Publishes what is under a name of this owner, or under the name of its key, in the place of what was there. */
  async update(name: string, zone: Zone, options: AbortOptions = {}): Promise<HeldName> {
    const params = { name: await this.#spelled(name, options), text: JSON.stringify(await this.#zone(zone, options)) };
    return toHeld(await this.#ask('update', params, options));
  }

  /** Keeps a name for another term. The peer does so by itself in time, as long as it runs now and then. */
  async renew(name: string, options: WorkOptions = {}): Promise<HeldName> {
    return toHeld(await this.#work('renew', { name: await this.#spelled(name, options) }, options));
  }

  /** Signs a name over to another owner (`k51…`), who takes it with `accept`. Until then nothing has changed. */
  async transfer(name: string, to: string, options: AbortOptions = {}): Promise<string> {
    return this.#ask<string>('transfer', { name: await this.#spelled(name, options), text: checked(to) }, options);
  }

  /** Takes over a name that `transfer` signed over to this owner. */
  async accept(handover: string, options: WorkOptions = {}): Promise<HeldName> {
    return toHeld(await this.#work('accept', { text: checked(handover) }, options));
  }

  /** Gives a name up. It cannot be taken back; after a while anybody may claim it. */
  async release(name: string, options: WorkOptions = {}): Promise<void> {
    await this.#work('release', { name: await this.#spelled(name, options) }, options);
  }

  /**
   * The names that this owner holds, as the network has them; and that of its key, if something is published there. A name that
   * another owner holds now is gone; one about which nobody answers within ten seconds is listed as this profile knows it.
   */
  async mine(options: AbortOptions = {}): Promise<HeldName[]> {
    return (await this.#ask<unknown[]>('mine', {}, options)).map(toHeld);
  }

  /** A proof of a name that stands for itself, as JSON: `verifyName` and `warren verify` check it without being a peer. */
  async proof(name: string, options: AbortOptions = {}): Promise<object> {
    return this.#ask<object>('proof', { name: await this.#spelled(name, options) }, options);
  }

  #ask<T = unknown>(action: string, params: object, { signal }: AbortOptions, item?: (value: unknown) => void): Promise<T> {
    return this.#rpc.request<T>('name', { action, ...params }, signal, item);
  }

  async #work(action: string, params: object, options: WorkOptions): Promise<unknown> {
    const tell = this.#teller(options.onProgress);
    try {
      return await this.#ask(action, params, options, tell);
    } finally {
      tell.end();
    }
  }

  /** Puts together what the engine says of the stage and what the worker says of its work. */
  #teller(onProgress: WorkOptions['onProgress'] = () => {}): { (item: unknown): void; end(): void } {
    let unwatch = () => {};
    const tell = (item: unknown) => {
      const { stage, puzzle, bits = 0, until } = item as WireProgress;
      unwatch();
      const expected = 2 ** bits;
      if (puzzle !== undefined) unwatch = this.#solver.watch(puzzle, (tried) => onProgress({ stage, tried, expected }));
      const work = puzzle === undefined ? {} : { tried: 0, expected };
      onProgress({ stage, ...work, ...(until === undefined ? {} : { until: new Date(until) }) });
    };
    return Object.assign(tell, { end: () => unwatch() });
  }

  async #spelled(name: unknown, { signal }: AbortOptions): Promise<string> {
    const text = checked(name);
    return isAscii(text) ? text : (await abortable(this.#module.canonical(text), signal)).name;
  }

  async #zone(zone: Zone, options: AbortOptions): Promise<Zone> {
    const entries = zone?.entries;
    if (!Array.isArray(entries)) throw invalidArgument('The zone has no entries.', 'Pass { entries: [{ sub: "", resources: [] }] }.');
    const respelled = async (resource: Resource) =>
      resource?.type === 'alias' ? { ...resource, name: await this.#spelled(resource.name, options) } : resource;
    const spelled = entries.map(async (entry) => ({
      ...entry,
      sub: isAscii(entry.sub) ? entry.sub : await abortable(this.#module.entry(entry.sub), options.signal),
      resources: await Promise.all(entry.resources.map(respelled)),
    }));
    return { ...zone, entries: await Promise.all(spelled) };
  }
}

function alone(): NamesHelp {
  const module = new NamesModule();
  return { module, solver: new Solver(module) };
}

function isAscii(text: string): boolean {
  // Control characters are ASCII as well; the engine says which one is wrong.
  return /^[\u0000-\u007f]*$/.test(text);
}

function checked(value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalidArgument('The name is not a string.', 'Pass text: peer.names.resolve("alice.p2p").');
}
