// What names lead to and why that is believed, as applications see it; and how the engine's JSON becomes that.
// No rule is checked here: the engine and the module for names have done so.

import { withoutNulls } from './snapshots.ts';

/** Something that a name leads to. */
export type Resource =
  /** A peer of this network. */
  | { type: 'peer'; peer: string }
  /** A host; port 0 when any will do. */
  | { type: 'address'; ip: string; port: number }
  /** A file, by its CID. */
  | { type: 'file'; cid: string }
  /** A folder with a web site in it, by its CID. */
  | { type: 'site'; cid: string }
  /** `http:` or `https:`. */
  | { type: 'url'; url: string }
  | { type: 'text'; text: string }
  /** Another name, which has what this one leads to. */
  | { type: 'alias'; name: string };

/** Why a zone is believed: the owner signed it, and the witnesses signed whose the name is. */
export interface NameProof {
  /** Whose zone: the name that was asked for, or one that an alias led to. */
  name: string;
  /** The owner's key as a name: `k51…`. */
  owner: string;
  /** Which holder of the name this is; 0 for names of keys. */
  generation: number;
  /** Version of the zone. */
  seq: number;
  /** When its owner signed the zone. */
  zoneIssued: Date;
  /** When the zone stops counting, unless its owner signs it anew. */
  zoneExpires: Date;
  /** The end of the owner's term; absent for names of keys. */
  expires?: Date;
  /** Until when the witnesses' signatures count, unless somebody has them renewed; absent for names of keys. */
  liveUntil?: Date;
  /** The witnesses that signed; none for names of keys, which prove themselves. */
  witnesses: { key: string; until: Date }[];
  /** How many witnesses there are. */
  of: number;
  /** How many must sign. */
  quorum: number;
  /** It was known already. */
  cached: boolean;
  /** Its time to live is over, and it is being asked for again. */
  stale: boolean;
  /** Milliseconds since this peer received it; 0 from `verifyName`, which knows only when it was signed. */
  age: number;
}

/** What a name leads to, with the proof. */
export interface Resolution {
  /** In its one spelling: lower case, ASCII, with `.p2p`. */
  name: string;
  /** Names on the way, when there were aliases; the last one has the resources. */
  via: string[];
  resources: Resource[];
  /** How many addresses in private networks were left out; `private: true` gives them, too. */
  hidden: number;
  /** For how many milliseconds it may be kept. */
  ttl: number;
  /** One for each zone on the way. */
  proofs: NameProof[];
}

/** One entry of a zone. */
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
  /** Which holder of the name this is; 0 for the name of the key itself. */
  generation: number;
  /** The end of the term; absent for the name of the key itself. */
  expires?: Date;
  /** Until when the witnesses' signatures count. The peer has them renewed as long as it runs now and then. */
  liveUntil?: Date;
  /** The owner (`k51…`) that may take the name over when this profile is lost, if one was named with the first claim. */
  recovery?: string;
  /** What is published; absent when nothing is. */
  zone?: Zone;
  /** Version of the zone; 0 when nothing is published. */
  seq: number;
}

/** A name that was resolved lately. */
export interface CachedName {
  proof: NameProof;
  /** How many entries its zone has. */
  entries: number;
}

/** How far a claim, a renewal or a take-over is. */
export interface NameProgress {
  /**
   * `asking` who holds the name, `working` for it, `reserving` it, having it signed, showing it to all witnesses
   * (`confirming`); `waiting` when somebody else tries for it at the same moment.
   */
  stage: 'asking' | 'working' | 'reserving' | 'signing' | 'confirming' | 'waiting';
  /** `working`: how many numbers were tried. */
  tried?: number;
  /** `working`: how many it takes on average; luck decides. */
  expected?: number;
  /** `waiting`: until then. */
  until?: Date;
}

/** @internal The engine writes times as milliseconds, absent things as null, and names the owner twice. */
export function toResolution(wire: unknown): Resolution {
  const found = withoutNulls(wire) as Resolution & { proofs: WireProof[] };
  return { ...found, proofs: found.proofs.map(proofOf) };
}

/** @internal */
export function toCached(wire: unknown): CachedName[] {
  const rows = withoutNulls(wire) as { proof: WireProof; entries: number }[];
  return rows.map(({ proof, entries }) => ({ proof: proofOf(proof), entries }));
}

/** @internal */
export function toHeld(wire: unknown): HeldName {
  const { name, generation, expires, liveUntil, recovery, zone, seq } = withoutNulls(wire) as WireHeld;
  return {
    name,
    generation,
    seq,
    ...(expires === undefined ? {} : { expires: new Date(expires) }),
    ...(liveUntil === undefined ? {} : { liveUntil: new Date(liveUntil) }),
    ...(recovery === undefined ? {} : { recovery }),
    ...(zone === undefined ? {} : { zone: { ttl: zone.ttl, entries: zone.entries } as Zone }),
  };
}

interface WireHeld {
  name: string;
  generation: number;
  expires?: number;
  liveUntil?: number;
  recovery?: string;
  zone?: Zone;
  seq: number;
}

type Times = 'zoneIssued' | 'zoneExpires' | 'expires' | 'liveUntil' | 'witnesses';

interface WireProof extends Omit<NameProof, Times> {
  ownerName: string;
  epoch?: number;
  zoneIssued: number;
  zoneExpires: number;
  expires?: number;
  liveUntil?: number;
  witnesses: { key: string; until: number }[];
}

function proofOf({ ownerName, epoch: _, zoneIssued, zoneExpires, expires, liveUntil, witnesses, ...rest }: WireProof): NameProof {
  return {
    ...rest,
    owner: ownerName,
    zoneIssued: new Date(zoneIssued),
    zoneExpires: new Date(zoneExpires),
    ...(expires === undefined ? {} : { expires: new Date(expires) }),
    ...(liveUntil === undefined ? {} : { liveUntil: new Date(liveUntil) }),
    witnesses: witnesses.map(({ key, until }) => ({ key, until: new Date(until) })),
  };
}
