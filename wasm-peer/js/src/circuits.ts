// Why peers are reached through a relay still: events say it once, connections show it as long as it holds.
// Knows nothing of when is tried what.

import type { Connection, PeerEvents, Snapshot } from './types.ts';

type Upgrade = PeerEvents['upgrade'];
type Kept = NonNullable<Connection['kept']>;

export class Circuits {
  /** By peer; `missed` when the last snapshot had no circuit to it. */
  readonly #kept = new Map<string, { kept: Kept; missed: boolean }>();

  /** A try to do without the relay has ended. */
  note({ peer, state, reason = '', retryAt }: Upgrade): void {
    if (state === 'kept') this.#kept.set(peer, { kept: { reason, ...(retryAt === undefined ? {} : { retryAt }) }, missed: false });
    else this.#kept.delete(peer);
  }

  /** Forgets those whose circuit is gone. Of two messages that cross one may be late: a second snapshot is to say the same. */
  replaced({ connections }: Snapshot): void {
    const circuits = new Set(connections.filter(isCircuit).map(({ peer }) => peer));
    for (const [peer, known] of this.#kept) {
      if (known.missed && !circuits.has(peer)) this.#kept.delete(peer);
      known.missed = !circuits.has(peer);
    }
  }

  /** The same snapshot with the reasons in it. */
  explain(snapshot: Snapshot): Snapshot {
    return { ...snapshot, connections: snapshot.connections.map((connection) => this.#explained(connection)) };
  }

  #explained({ kept: _, ...connection }: Connection): Connection {
    const known = isCircuit(connection) ? this.#kept.get(connection.peer) : undefined;
    return known ? { ...connection, kept: known.kept } : connection;
  }
}

const isCircuit = ({ transport }: Connection) => transport === 'circuit';
