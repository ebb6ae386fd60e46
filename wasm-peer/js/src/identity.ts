// The two seeds a peer runs with: transport (this peer) and author (this profile).
// Knows where they are kept and who may use them; it does not know what keys they become.

import { claim, type Release } from './claim.ts';
import { memoryStore, openDatabase, type KeyValue } from './storage.ts';
import type { EphemeralReason, IdentityInfo } from './types.ts';

const SEED_BYTES = 32;

export interface Identity {
  transportSeed: Uint8Array;
  authorSeed: Uint8Array;
  info: IdentityInfo;
  /** Where the engine keeps what belongs to this identity. */
  store: KeyValue;
  /** Lets another tab use the stored identity. */
  release: Release;
}

/** Never rejects: a peer without storage still works, it is only a new one every time. */
export async function openIdentity(want: 'persistent' | 'memory'): Promise<Identity> {
  if (want === 'memory') return inMemory('requested');
  if (typeof indexedDB === 'undefined') return inMemory('no-storage');
  let release: Release | undefined;
  try {
    release = await claim(`warren:${originName()}:identity`);
    if (!release) return inMemory('another-tab');
    return await stored(await openDatabase(), release);
  } catch {
    release?.();
    return inMemory('no-storage');
  }
}

async function stored(store: KeyValue, unclaim: Release): Promise<Identity> {
  const [transportSeed, authorSeed] = await Promise.all([
    loadOrCreate(store, 'seed/transport'),
    loadOrCreate(store, 'seed/author'),
  ]);
  const release = () => {
    store.close();
    unclaim();
  };
  return { transportSeed, authorSeed, info: { ephemeral: false }, store, release };
}

async function loadOrCreate(store: KeyValue, key: string): Promise<Uint8Array> {
  const found = await store.load(key);
  if (found?.length === SEED_BYTES) return found;
  const seed = randomSeed();
  await store.save(key, seed);
  return seed;
}

function inMemory(reason: EphemeralReason): Identity {
  return {
    transportSeed: randomSeed(),
    authorSeed: randomSeed(),
    info: { ephemeral: true, reason },
    store: memoryStore(),
    release: () => {},
  };
}

/** `getRandomValues` works on plain http pages too, unlike `crypto.subtle` and `randomUUID`. */
function randomSeed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SEED_BYTES));
}

function originName(): string {
  return typeof location === 'undefined' ? 'none' : location.origin;
}
