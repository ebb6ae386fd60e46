// Values in the DHT: what JavaScript values become on the way in, and entries on the way out.
// Knows nothing about hashing, signing or checking: the engine does that, before it answers.

import type { AbortOptions } from './abort.ts';
import { invalidArgument } from './errors.ts';
import type { RpcPort } from './rpc-port.ts';

/** Bytes, or anything that `JSON.stringify` accepts. */
export type DhtValue = Uint8Array | ArrayBuffer | ArrayBufferView | JsonValue;

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A value read from the DHT. Its proof was checked in this page before you see it. */
export interface DhtEntry<T = unknown> {
  key: string;
  /** `value`: immutable, the key is its hash. `record`: changeable, signed by `author`. */
  kind: 'value' | 'record';
  /** The parsed JSON, or a Uint8Array when bytes were stored. */
  value: T;
  /** The JSON text exactly as stored; absent for bytes. */
  json?: string;
  /** Who signed it (records only). */
  author?: string;
  /** The author's name for it (records only). */
  label?: string;
  /** Which version this is (records only): at least the time it was written at. The highest one wins everywhere. */
  seq?: number;
  issued?: Date;
  /** When the network may forget it. */
  expires?: Date;
}

/** @internal */
export type WireValue = { json: string } | { bytes: Uint8Array };

interface WireEntry {
  key: string;
  kind: 'value' | 'record';
  value: WireValue;
  author?: string | null;
  label?: string | null;
  seq?: number | null;
  issued?: number | null;
  expires?: number | null;
}

/** Values in the DHT. Reached as `peer.dht`. */
export class Dht {
  readonly #rpc: RpcPort;

  /** @internal */
  constructor(rpc: RpcPort) {
    this.#rpc = rpc;
  }

  /**
   * Stores an immutable value; its key is its hash, so the same value always has the same key.
   * Resolves once nodes have confirmed that it is stored durably. It lives for 48 hours after the last `put`;
   * putting it again only renews that. Costs a search for the closest nodes and one round trip to each.
   * Before the peer has joined it waits for that, but not for ever.
   * Rejects with `TOO_LARGE` above 8 KiB, `NO_RELAY` while the network is away, `REFUSED` when no node took it.
   * Aborting does not take back what was already stored.
   */
  async put(value: DhtValue, options: AbortOptions = {}): Promise<{ key: string; stored: number }> {
    return this.#rpc.request('dhtPut', { value: toWire(value) }, options.signal);
  }

  /**
   * Stores a changeable value under (author, `label`), signed with this peer's author key.
   * The key depends on author and label only: a second `set` replaces the value and raises `seq`.
   * Two `set` calls for one label are stored in the order of the calls. `ttl` is in milliseconds: one second to 400 days,
   * one day unless given.
   * Rejects with `OLDER` when the network knows a newer version, for instance from another device.
   */
  async set(
    label: string,
    value: DhtValue,
    options: AbortOptions & { ttl?: number } = {},
  ): Promise<{ key: string; seq: number; stored: number }> {
    if (typeof label !== 'string') throw invalidArgument('The label is not a string.', 'Pass text: dht.set("profile", value).');
    const params = { label, value: toWire(value), ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }) };
    return this.#rpc.request('dhtSet', params, options.signal);
  }

  /**
   * Reads a value and checks its proof: the hash, or the author's signature, network, expiry and version.
   * Of several versions the newest wins, and nodes found with an older one are given the newest.
   * Rejects with `NOT_FOUND` when no node that could be asked has it, `INVALID_KEY` when the key is not one.
   */
  async get<T = unknown>(key: string, options: AbortOptions = {}): Promise<DhtEntry<T>> {
    if (typeof key !== 'string') throw invalidArgument('The key is not a string.', 'Pass the key that put() or set() returned.');
    return toEntry<T>(await this.#rpc.request<WireEntry>('dhtGet', { key }, options.signal));
  }
}

/** @internal */
export function toWire(value: unknown): WireValue {
  if (value instanceof Uint8Array) return { bytes: value.slice() };
  if (value instanceof ArrayBuffer) return { bytes: new Uint8Array(value.slice(0)) };
  if (ArrayBuffer.isView(value)) {
    return { bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice() };
  }
  return { json: stringify(value) };
}

function stringify(value: unknown): string {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (json !== undefined) return json;
  throw invalidArgument(
    'The value is neither bytes nor JSON.',
    'Pass a Uint8Array, an ArrayBuffer, or data that JSON.stringify accepts.',
    cause,
  );
}

/** @internal */
export function fromWire(value: WireValue): unknown {
  return 'json' in value ? JSON.parse(value.json) : value.bytes;
}

function toEntry<T>(wire: WireEntry): DhtEntry<T> {
  const entry: DhtEntry = { key: wire.key, kind: wire.kind, value: undefined };
  entry.value = fromWire(wire.value);
  if ('json' in wire.value) entry.json = wire.value.json;
  if (wire.author != null) entry.author = wire.author;
  if (wire.label != null) entry.label = wire.label;
  if (wire.seq != null) entry.seq = Number(wire.seq);
  if (wire.issued != null) entry.issued = new Date(Number(wire.issued));
  if (wire.expires != null) entry.expires = new Date(Number(wire.expires));
  return entry as DhtEntry<T>;
}
