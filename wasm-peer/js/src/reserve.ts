// A place at a relay that an application has named. Loaded with the first one.
// Waits until the peer has joined: before that it looks for its network, and leaves relays that are not of it.

import type { AbortOptions } from './abort.ts';
import { WarrenError } from './errors.ts';
import type { Peer } from './peer.ts';
import type { RpcPort } from './rpc-port.ts';
import type { Reservation } from './types.ts';

/** As long as other calls wait for a network. */
const JOINED_MS = 15_000;

/** Resolves when the relay forwards connections, and it is known at which address. */
export async function reserve(peer: Peer, port: RpcPort, relay: string, { signal }: AbortOptions): Promise<Reservation> {
  await peer.joined({ timeoutMs: JOINED_MS, ...(signal ? { signal } : {}) });
  const { id } = await port.request<{ id: string }>('reserve', { target: relay }, signal);
  const { addresses } = await peer.snapshot();
  const told = addresses.filter((address) => address.includes(`/p2p/${id}/p2p-circuit/`));
  // The relay may know several of its own: best is the one that has just worked.
  const asked = `${relay.replace(/\/p2p\/[^/]+$/, '')}/p2p/`;
  const address = told.find((address) => address.startsWith(asked)) ?? told[0];
  if (!address) throw new WarrenError('NOT_CONNECTED', 'The connection to the relay was lost.', { retryable: true });
  let released: Promise<void> | undefined;
  const release = () => (released ??= port.request<void>('release', { id }));
  return { relay: id, address, release, [Symbol.asyncDispose]: release };
}
