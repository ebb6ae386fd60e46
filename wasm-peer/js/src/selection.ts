// Which member of a namespace is best, and what was seen of other peers. The engine measures and scores; here are its words.

/** How much each respect counts; what is missing counts as usual (2, 1, 1, 3, 3). Only the proportions matter. */
export interface SelectionWeights {
  cpu?: number;
  memory?: number;
  disk?: number;
  latency?: number;
  reputation?: number;
}

/** What a peer says it has, coarsely. 0 when it does not say. */
export interface Capabilities {
  cores: number;
  /** How busy they are, in thousandths. */
  load: number;
  /** Free, in MiB. */
  memory: number;
  /** Free, in MiB. */
  disk: number;
  /** An estimate, in kbit/s. */
  bandwidth: number;
  /** In milliseconds, whole hours. */
  uptime: number;
  roles: string[];
  transports: string[];
}

/** A part of a score: how good it is from 0 to 1, how much that counts, and what it adds. */
export interface ScoreTerm {
  value: number;
  weight: number;
  points: number;
}

/** A member of a namespace with its score. What it claims counts only as far as it is trusted. */
export interface ScoredPeer {
  id: string;
  /** From 0 to 1: the sum of the points. */
  score: number;
  terms: Record<keyof SelectionWeights, ScoreTerm>;
  latencyMs: number;
  capabilities: Capabilities;
}

/** What this profile has seen of a peer. It is kept here, and nobody else is told. */
export interface Reputation {
  id: string;
  /** From 0.05 to 1; 0.5 for a stranger. What was seen counts less as time passes. */
  trust: number;
  answers: number;
  failures: number;
  /** Records that were not valid. */
  invalid: number;
  violations: number;
  verifiedBytes: number;
  latencyMs: number | null;
  /** When something was seen of it last. */
  seen: Date | null;
}

/** What the platform tells of this machine. */
export function ownCapabilities(): Partial<Capabilities> {
  if (typeof navigator === 'undefined') return {};
  const { hardwareConcurrency, deviceMemory, connection } = navigator as Navigator & {
    deviceMemory?: number;
    connection?: { downlink?: number };
  };
  return {
    cores: hardwareConcurrency ?? 0,
    memory: Math.round((deviceMemory ?? 0) * 1024),
    bandwidth: Math.round((connection?.downlink ?? 0) * 1000),
    roles: ['browser'],
  };
}
