// Which tab of an origin may use the stored identity.
// Two peers with one identity break each other, so exactly one tab holds the claim at a time.
// Web Locks decide where they exist; on plain http pages the tabs ask each other, which is weaker:
// a frozen tab does not answer. It does not know what the claim is for.

/** A page that is being reloaded may still hold the lock of its predecessor for a moment. */
const RELOAD_GRACE_MS = 150;
/** How long the other tabs have to object. */
const ANSWER_MS = 200;

/** Gives the claim back. */
export type Release = () => void;

/** Resolves with `undefined` when another tab holds the claim. */
export async function claim(name: string): Promise<Release | undefined> {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (locks) return claimLock(locks, name);
  if (typeof BroadcastChannel === 'undefined') return () => {};
  return claimByAsking(name);
}

/** Whether the lock is free has a definite answer, however slow the browser is today; only then patience is limited. */
async function claimLock(locks: LockManager, name: string): Promise<Release | undefined> {
  return (await requestLock(locks, name, { ifAvailable: true })) ?? (await waitForLock(locks, name));
}

async function waitForLock(locks: LockManager, name: string): Promise<Release | undefined> {
  const signal = AbortSignal.timeout(RELOAD_GRACE_MS);
  return requestLock(locks, name, { signal }).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
}

/** The lock is held from when this resolves until the release is called. */
function requestLock(locks: LockManager, name: string, options: LockOptions): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    const granted = (lock: Lock | null) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    };
    locks.request(name, options, granted).catch(reject);
  });
}

/** The holder answers every question. Of two that ask at the same time the smaller number wins. */
async function claimByAsking(name: string): Promise<Release | undefined> {
  const channel = new BroadcastChannel(name);
  const mine = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  let holding = false;
  const lost = new Promise<'lost'>((resolve) => {
    channel.onmessage = ({ data }: MessageEvent<{ ask?: number; taken?: true }>) => {
      if (data.ask !== undefined && (holding || mine <= data.ask)) channel.postMessage({ taken: true });
      else if (!holding) resolve('lost');
    };
  });
  channel.postMessage({ ask: mine });
  const won = new Promise<'won'>((resolve) => setTimeout(() => resolve('won'), ANSWER_MS));
  if ((await Promise.race([lost, won])) === 'lost') {
    channel.close();
    return undefined;
  }
  holding = true;
  return () => channel.close();
}
