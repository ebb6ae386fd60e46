// The two seeds a peer runs with: transport (this peer) and author (this profile).
// Knows where they are kept and who may use them; it does not know what keys they become.

import { claim, type Release } from './claim.ts';
import { openDatabase, type KeyValue } from './storage.ts';
import type { EphemeralReason, IdentityInfo } from './types.ts';

const SEED_BYTES = 32;
const TRANSPORT = 'seed/transport';
const AUTHOR = 'seed/author';

export interface Identity {
  transportSeed: Uint8Array;
  authorSeed: Uint8Array;
  info: IdentityInfo;
  /** Lets another tab use the stored identity. */
  release: Release;
}

/** Never rejects: a peer without storage still works, it is only a new one every time. */
export async function openIdentity(want: 'persistent' | 'memory'): Promise<Identity> {
  if (want === 'memory') return inMemory('requested');
  if (typeof indexedDB === 'undefined') return inMemory('no-storage');
  // Looking is allowed without the claim, and both take their time.
  const [claimed, opened] = await Promise.allSettled([claim(`warren:${originName()}:identity`), openKept()]);
  const release = claimed.status === 'fulfilled' ? claimed.value : undefined;
  const kept = opened.status === 'fulfilled' ? opened.value : undefined;
  if (release && kept) {
    const identity = await stored(kept, release).catch(() => undefined);
    if (identity) return identity;
  }
  kept?.store.close();
  release?.();
  return inMemory(claimed.status === 'fulfilled' && !release ? 'another-tab' : 'no-storage');
}

interface Kept {
  store: KeyValue;
  seeds: Map<string, Uint8Array | undefined>;
}

async function openKept(): Promise<Kept> {
  const store = await openDatabase();
  const load = async (key: string) => [key, await store.load(key)] as const;
  return { store, seeds: new Map(await Promise.all([load(TRANSPORT), load(AUTHOR)])) };
}

/** Only the holder of the claim may come here: it creates what is missing. */
async function stored({ store, seeds }: Kept, unclaim: Release): Promise<Identity> {
  const seed = async (key: string) => {
    // Another tab may have created it since.
    const found = seeds.get(key) ?? (await store.load(key));
    if (found?.length === SEED_BYTES) return found;
    const created = randomSeed();
    await store.save(key, created);
    return created;
  };
  const [transportSeed, authorSeed] = await Promise.all([seed(TRANSPORT), seed(AUTHOR)]);
  const release = () => {
    store.close();
    unclaim();
  };
  return { transportSeed, authorSeed, info: { ephemeral: false }, release };
}

function inMemory(reason: EphemeralReason): Identity {
  return {
    transportSeed: randomSeed(),
    authorSeed: randomSeed(),
    info: { ephemeral: true, reason },
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
