// The data that the engine reports and the API hands on. Types only, no behaviour.

/** How a page can reach a relay. */
export type RelayTransport = 'webrtc-direct' | 'websocket';

/** Every way a connection can exist, native peers included. `circuit` means: through a relay. */
export type Transport = RelayTransport | 'webrtc' | 'circuit' | 'tcp' | 'quic';

/**
 * - `joining`: no relay reached yet, trying.
 * - `joined`: at least one relay connected, values can be stored and read.
 * - `lost`: was joined, every relay is gone, trying to get back by itself.
 * - `offline`: the browser says that there is no network.
 * - `closed`: `close()` was called; final.
 */
export type PeerState = 'joining' | 'joined' | 'lost' | 'offline' | 'closed';

/** One try to reach a relay at one of its addresses. */
export interface Attempt {
  transport: Transport;
  address: string;
  /** `fallback`: works or would work, but the other transport was first. `unavailable`: this page has no such transport. */
  state: 'dialing' | 'connected' | 'failed' | 'fallback' | 'unavailable';
  /** In words, when it failed or is unavailable. */
  reason?: string;
  /** How long it took. */
  ms?: number;
}

/** A relay this peer uses or tries to use. */
export interface Relay {
  id: string;
  /** The HTTP address it was learnt from. */
  url?: string;
  /** `waiting`: not tried yet, or not needed now. `failed`: tried; the next try is at `retryAt`. */
  state: 'dialing' | 'connected' | 'waiting' | 'failed';
  transport?: Transport;
  /** True when the relay forwards connections to this peer. */
  reserved: boolean;
  rttMs?: number;
  /** Milliseconds since 1970. */
  retryAt?: number;
  reason?: string;
  attempts: Attempt[];
}

/** An open, authenticated and encrypted connection. */
export interface Connection {
  peer: string;
  address: string;
  transport: Transport;
  direction: 'inbound' | 'outbound';
  /** True when the bytes pass through a relay (which cannot read them). */
  relayed: boolean;
  /** Milliseconds since 1970. */
  since: number;
  rttMs?: number;
  /** What the other side calls itself. Unverified. */
  agent?: string;
  /** Of a circuit: why the last try to do without the relay failed, and when the next one begins (milliseconds since 1970). */
  kept?: { reason: string; retryAt?: number };
}

/** One Kademlia bucket: peers whose distance from this peer has its highest bit at `index`. */
export interface Bucket {
  index: number;
  peers: { id: string; addresses: string[]; connected: boolean }[];
}

/** The routing table. */
export interface Routing {
  size: number;
  buckets: Bucket[];
}

/**
 * A place at a relay, renewed as long as that is connected. When the connection is lost, so is the place, and `address` is no
 * longer among the `addresses` of the peer (event `addresses`): ask for it again.
 */
export interface Reservation extends AsyncDisposable {
  /** The relay's peer id. */
  readonly relay: string;
  /** Where others reach this peer: to be handed to them. */
  readonly address: string;
  /** Gives the place up, with the connection to the relay: nobody comes through it any more. Places asked for twice at one relay are one. */
  release(): Promise<void>;
}

/** Everything the peer knows about itself at one moment. A plain copy: changing it changes nothing. */
export interface Snapshot {
  state: PeerState;
  /** Why it is not `joined`, as far as known. */
  reason?: string;
  id: string;
  author: string;
  /** `null` until the first relay said which network it is. */
  network: string | null;
  ephemeral: boolean;
  addresses: string[];
  /** What must be added to this computer's clock to get the relays' time. */
  clockOffsetMs: number;
  relays: Relay[];
  connections: Connection[];
  routing: Routing;
  /** Where this peer announces itself. */
  namespaces: string[];
  /** How many records this peer turned away, by reason: forged, expired, older and so on. */
  refusals: Record<string, number>;
}

/** Why the identity of this peer ends with the page. */
export type EphemeralReason = 'requested' | 'another-tab' | 'no-storage';

/** Whose keys this peer runs with. */
export type IdentityInfo =
  | { ephemeral: false }
  | {
      ephemeral: true;
      /** `another-tab`: the stored identity is in use there, and two users of one identity break each other. */
      reason: EphemeralReason;
    };

/** Event names and their details. */
export interface PeerEvents {
  /** After anything changed; at most five per second. */
  snapshot: Snapshot;
  /** After the overall state changed. */
  state: { state: PeerState; previous: PeerState; reason?: string };
  /** After one relay changed its state. */
  relay: { id: string; state: Relay['state'] | 'lost'; transport?: Transport; reason?: string };
  /** After a connection opened or closed. */
  connection: {
    change: 'open' | 'close';
    peer: string;
    address: string;
    transport: Transport;
    relayed: boolean;
  };
  /**
   * After a try to do without a relay towards a peer has ended. `kept`: the circuit stays, for that reason; the next try
   * is at `retryAt` (milliseconds since 1970), or earlier when the network changes.
   */
  upgrade: { peer: string; state: 'direct' | 'kept'; reason?: string; retryAt?: number };
  /** After a try to reach a relay began or ended; steps closer together than a fifth of a second are one. */
  attempt: Attempt & { relay: string };
  /** After the addresses under which others reach this peer changed. */
  addresses: { addresses: string[] };
  /** The page was too slow for so many events; the next `snapshot` has everything that still matters. */
  lagged: { dropped: number };
  /** Something is wrong that no call asked about. The peer goes on. */
  warning: { code: string; message: string; remedy: string };
  /** Once, in the task after `createPeer` resolved, when the identity ends with this page. */
  identity: { ephemeral: true; reason: EphemeralReason };
}

/** A peer that announced itself in a namespace. A hint, until a connection authenticated it. */
export interface FoundPeer {
  id: string;
  addresses: string[];
}

/** How fast a connection was. */
export interface Measured {
  /** Bytes sent, and how long until the other end began to answer. */
  sent: number;
  sendingMs: number;
  /** Bytes received, and how long from the first to the last. */
  received: number;
  receivingMs: number;
}

/** What a peer published about itself, signed by it and checked by the engine. */
export interface PeerInfo {
  id: string;
  addresses: string[];
  relays: string[];
  capabilities: string[];
  /** The author this peer proved to run for. */
  author?: string;
  expires: Date;
}
