// What the engine reports, in the shape that the types promise: absent things are absent, not null.
// And the events that only the difference between two snapshots shows.

import type { Attempt, Snapshot } from './types.ts';

export function emptySnapshot(ephemeral: boolean): Snapshot {
  return {
    state: 'joining',
    id: '',
    author: '',
    network: null,
    ephemeral,
    addresses: [],
    clockOffsetMs: 0,
    relays: [],
    connections: [],
    routing: { size: 0, buckets: [] },
    namespaces: [],
    refusals: {},
  };
}

/** The engine writes an unknown network as an empty text. */
export function toSnapshot(wire: unknown): Snapshot {
  const snapshot = withoutNulls(wire) as Snapshot;
  return { ...snapshot, network: snapshot.network || null };
}

/** The same data without properties that are null. Only for data of the engine, never for that of applications. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

/** Tries that began, ended or changed their reason between two snapshots. */
export function changedAttempts(before: Snapshot, after: Snapshot): (Attempt & { relay: string })[] {
  const known = new Set(attempts(before).map(fingerprint));
  return attempts(after).filter((attempt) => !known.has(fingerprint(attempt)));
}

function attempts(snapshot: Snapshot): (Attempt & { relay: string })[] {
  return snapshot.relays.flatMap((relay) => relay.attempts.map((attempt) => ({ ...attempt, relay: relay.id })));
}

function fingerprint({ relay, transport, address, state, reason }: Attempt & { relay: string }): string {
  return JSON.stringify([relay, transport, address, state, reason]);
}
