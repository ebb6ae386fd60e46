// The public face of warren-p2p. A name exported here is permanent.

export { createPeer, environment, type PeerOptions } from './create.ts';
export { WarrenError, isWarrenError, type ErrorCode, type ErrorDetails, type WarrenErrorOptions, type WireError } from './errors.ts';
export type { AbortOptions } from './abort.ts';
export type { Dht, DhtEntry, DhtValue, JsonValue } from './dht.ts';
export type { DirectMessage, MessageState, Messages, SentMessage } from './messages.ts';
export type { DirectoryEntry, FetchedDirectory } from './fetched-directory.ts';
export type { BlobOptions, FetchedFile } from './fetched-file.ts';
export type { FileRange } from './file-range.ts';
export type {
  FetchOptions,
  FetchProgress,
  FileInfo,
  FileInPlace,
  Files,
  FileSource,
  FileStorage,
  FolderFile,
  FoundFile,
  PinnedFile,
  PinOptions,
  SharedFile,
  ShareOptions,
  ShareProgress,
} from './files.ts';
export type { JoinedOptions } from './joined.ts';
export type {
  CachedName,
  HeldName,
  NameProgress,
  NameProof,
  Resolution,
  Resource,
  Zone,
  ZoneEntry,
} from './name-types.ts';
export type { FileUrlOptions } from './media-url.ts';
export type { NameCache, Names, ResolveOptions, WorkOptions } from './names.ts';
export type { Provision } from './namespaces.ts';
export type { Peer } from './peer.ts';
export type { Room } from './room.ts';
export type { SaveOptions, SaveTarget } from './save.ts';
export type { Chat, ChatMessage, FileCard, JoinRoomOptions, RoomEvent, RoomEvents, RoomMember } from './rooms.ts';
export {
  RpcError,
  type AllowRule,
  type BatchCall,
  type BatchResult,
  type CallOptions,
  type Rpc,
  type RpcContext,
  type RpcHandler,
  type RpcService,
  type RpcTarget,
} from './rpc.ts';
export type { Capabilities, Reputation, ScoredPeer, ScoreTerm, SelectionWeights } from './selection.ts';
export type {
  Attempt,
  Bucket,
  Connection,
  EphemeralReason,
  FoundPeer,
  IdentityInfo,
  Measured,
  PeerEvents,
  PeerInfo,
  PeerState,
  Relay,
  RelayTransport,
  Reservation,
  Routing,
  Snapshot,
  Transport,
} from './types.ts';
export { verifyName, type TrustedWitnesses, type VerifiedName, type VerifyOptions } from './verify-name.ts';
