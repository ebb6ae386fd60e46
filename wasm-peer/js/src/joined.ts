// Waiting for the state `joined`, and saying why it did not come.
// Knows the snapshot; it does not influence joining.

import { abortable, type AbortOptions } from './abort.ts';
import { WarrenError, closedError } from './errors.ts';
import type { TypedEvents } from './events.ts';
import type { PeerEvents, Relay, Snapshot } from './types.ts';

export interface JoinedOptions extends AbortOptions {
  /** Reject with `TIMED_OUT` after this time, with the reasons of every failed try in the message. */
  timeoutMs?: number;
}

/** Leaves no listener behind, however it ends. */
export async function waitForJoin(
  events: TypedEvents<PeerEvents>,
  current: () => Snapshot,
  options: JoinedOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  const waiting = new AbortController();
  const settled = new Promise<void>((resolve, reject) => {
    const check = () => {
      const { state } = current();
      if (state === 'joined') resolve();
      if (state === 'closed') reject(closedError());
    };
    check();
    events.on('state', check, { signal: waiting.signal });
    events.on('snapshot', check, { signal: waiting.signal });
    if (options.timeoutMs !== undefined) {
      const timer = setTimeout(() => reject(notJoined(current(), options.timeoutMs ?? 0)), options.timeoutMs);
      waiting.signal.addEventListener('abort', () => clearTimeout(timer));
    }
  });
  await abortable(settled, options.signal).finally(() => waiting.abort());
}

function notJoined(snapshot: Snapshot, ms: number): WarrenError {
  const why = snapshot.relays.map(describeRelay).join('; ') || (snapshot.reason ?? 'no relay is known');
  return new WarrenError('TIMED_OUT', `Not joined within ${ms} ms (${snapshot.state}): ${why}.`, {
    remedy: 'Check that a relay runs and can be reached; the peer keeps trying.',
    retryable: true,
  });
}

function describeRelay(relay: Relay): string {
  const tries = relay.attempts.map((attempt) => `${attempt.transport} ${attempt.reason ?? attempt.state}`);
  return `relay ${relay.url ?? relay.id}: ${[relay.reason, ...tries].filter(Boolean).join(', ') || relay.state}`;
}
