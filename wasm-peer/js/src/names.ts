// Names: what lies under them, with the proof, and the names of this profile's owner.
// Knows the calls of the engine and their shapes; every rule and every check is the engine's.

import type { AbortOptions } from './abort.ts';
import { invalidArgument } from './errors.ts';
import type { RpcPort } from './rpc-port.ts';
import { withoutNulls } from './snapshots.ts';

/** Something that a name leads to. */
export type Resource =
  | { type: 'peer'; peer: string }
  | { type: 'address'; ip: string; port: number }
  | { type: 'file'; cid: string }
  | { type: 'site'; cid: string }
  | { type: 'url'; url: string }
  | { type: 'text'; text: string }
  | { type: 'alias'; name: string };

/** Why a zone is believed. */
export interface NameProof {
  /** Whose zone: the name that was asked for, or one that an alias led to. */
  name: string;
  /** The owner's key as a name: `k51…`. */
  ownerName: string;
  /** Which holder of the name this is; 0 for names of keys. */
  generation: number;
  /** Version of the zone. */
  seq: number;
  zoneExpires: number;
  /** The end of the owner's term; absent for names of keys. */
  expires?: number;
  /** Until when the witnesses' signatures count. */
  liveUntil?: number;
  witnesses: { key: string; until: number }[];
  /** How many witnesses there are, and how many are needed. */
  of: number;
  quorum: number;
  cached: boolean;
  /** Its time to live is over, and it is being asked for again. */
  stale: boolean;
  /** Milliseconds since it was received. */
  age: number;
}

/** What a name leads to. */
export interface Resolution {
  name: string;
  /** Names on the way, when there were aliases. */
  via: string[];
  resources: Resource[];
  /** How many addresses in private networks were left out; `private: true` gives them, too. */
  hidden: number;
  /** For how many milliseconds it may be kept. */
  ttl: number;
  proofs: NameProof[];
}

export interface ZoneEntry {
  /** Labels before the name: `blog` of `blog.alice.p2p`; empty for the name itself. */
  sub: string;
  /** Seconds, if other than the zone's. */
  ttl?: number;
  resources: Resource[];
}

/** What an owner publishes under a name. */
export interface Zone {
  /** For how many seconds readers may keep its entries. Default: 300. */
  ttl?: number;
  entries: ZoneEntry[];
}

/** A name of this profile's owner. */
export interface HeldName {
  name: string;
  generation: number;
  /** The end of the term; absent for the name of the key itself. */
  expires?: Date;
  /** Until when the witnesses' signatures count, if nobody renews them. */
  liveUntil?: Date;
  zone?: Zone;
  /** Version of the zone; 0 when nothing is published. */
  seq: number;
}

interface WireHeld {
  name: string;
  generation: number;
  expires?: number;
  liveUntil?: number;
  zone?: Zone;
  seq: number;
}

/**
 * Names. Reached as `peer.names`.
 *
 * A human name such as `alice.p2p` belongs to whoever claimed it before a quorum of the network's witnesses; the name
 * of a key, `k51….p2p`, belongs to that key and needs no claim. `blog.alice.p2p` is an entry in alice's zone.
 */
export class Names {
  readonly #rpc: RpcPort;

  /** @internal */
  constructor(rpc: RpcPort) {
    this.#rpc = rpc;
  }

  /** The owner of what is claimed here, as the name of its key: `k51…`. Others sign names over to it. */
  async owner(options: AbortOptions = {}): Promise<string> {
    const { owner } = await this.#rpc.request<{ owner: string }>('nameOwner', {}, options.signal);
    return owner;
  }

  /**
   * What a name leads to, with the proof that was checked in this page. `fresh` asks the witnesses even if the answer
   * is known; `private` gives addresses in private networks, too.
   * Rejects with `NAME_NOT_FOUND`, `NAME_INVALID` (says which character), `NAME_EXPIRED`, `NO_QUORUM` (says who answered).
   */
  async resolve(name: string, options: AbortOptions & { fresh?: boolean; private?: boolean } = {}): Promise<Resolution> {
    const { signal, fresh = false, private: hidden = false } = options;
    const params = { name: text(name), fresh, private: hidden };
    return withoutNulls(await this.#rpc.request('nameResolve', params, signal)) as Resolution;
  }

  /**
   * Claims a name for this profile's owner. Takes a few seconds of work, which makes claiming many names expensive.
   * `recovery` is an owner (`k51…`) that may take the name over when this profile is lost.
   * Rejects with `NAME_TAKEN`, which says by whom and until when, or `NO_QUORUM`.
   */
  claim(name: string, options: AbortOptions & { recovery?: string } = {}): Promise<HeldName> {
    const { signal, recovery } = options;
    return this.#held('nameClaim', { name: text(name), ...(recovery === undefined ? {} : { recovery }) }, signal);
  }

  /** Publishes what is under a name of this owner, in the place of what was there. */
  update(name: string, zone: Zone, options: AbortOptions = {}): Promise<HeldName> {
    return this.#held('nameUpdate', { name: text(name), zone: JSON.stringify(zone) }, options.signal);
  }

  /** Keeps a name for another term. The peer does so by itself in time, as long as it runs now and then. */
  renew(name: string, options: AbortOptions = {}): Promise<HeldName> {
    return this.#held('nameRenew', { name: text(name) }, options.signal);
  }

  /** Signs a name over to another owner (`k51…`), who takes it with `accept`. Until then nothing has changed. */
  async transfer(name: string, to: string, options: AbortOptions = {}): Promise<string> {
    const params = { name: text(name), to: text(to) };
    const { handover } = await this.#rpc.request<{ handover: string }>('nameTransfer', params, options.signal);
    return handover;
  }

  /** Takes over a name that `transfer` signed over to this owner. */
  accept(handover: string, options: AbortOptions = {}): Promise<HeldName> {
    return this.#held('nameAccept', { handover: text(handover) }, options.signal);
  }

  /** Gives a name up. */
  async release(name: string, options: AbortOptions = {}): Promise<void> {
    await this.#rpc.request('nameRelease', { name: text(name) }, options.signal);
  }

  /** The names of this owner, as far as this profile knows. */
  async mine(options: AbortOptions = {}): Promise<HeldName[]> {
    const held = await this.#rpc.request<unknown[]>('nameMine', {}, options.signal);
    return held.map(toHeld);
  }

  /** What was resolved lately. */
  async cached(options: AbortOptions = {}): Promise<{ proof: NameProof; entries: number }[]> {
    return withoutNulls(await this.#rpc.request('nameCached', {}, options.signal)) as { proof: NameProof; entries: number }[];
  }

  /** Forgets what was resolved. What was seen of a name stays seen: nobody can lead this profile back to an older version. */
  async flush(options: AbortOptions = {}): Promise<void> {
    await this.#rpc.request('nameFlush', {}, options.signal);
  }

  /** A proof of a name that stands for itself, as JSON: `warren verify` checks it, without being a peer. */
  async proof(name: string, options: AbortOptions = {}): Promise<unknown> {
    return this.#rpc.request('nameProof', { name: text(name) }, options.signal);
  }

  async #held(method: string, params: object, signal: AbortSignal | undefined): Promise<HeldName> {
    return toHeld(await this.#rpc.request(method, params, signal));
  }
}

function toHeld(wire: unknown): HeldName {
  const { name, generation, expires, liveUntil, zone, seq } = withoutNulls(wire) as WireHeld;
  const held: HeldName = { name, generation: Number(generation), seq: Number(seq) };
  if (expires !== undefined) held.expires = new Date(Number(expires));
  if (liveUntil !== undefined) held.liveUntil = new Date(Number(liveUntil));
  if (zone !== undefined) held.zone = zone;
  return held;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalidArgument('The name is not a string.', 'Pass text: peer.names.resolve("alice.p2p").');
}
