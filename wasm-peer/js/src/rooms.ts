// Chat rooms: entering them. What happens there, and what this member says, is in `room.ts`, which no page needs to join.
// Knows the calls of the engine; who may say what, and what is kept, is decided there.

import { onAbort, type AbortOptions } from './abort.ts';
import { closedError, invalidArgument } from './errors.ts';
import { later } from './later.ts';
import type { Calls } from './apps.ts';
import type { Entered, Room, Wire } from './room.ts';

/** A file that is spoken of: its content as a CID, and what it says of itself. */
export interface FileCard {
  cid: string;
  name: string;
  size: number;
  media?: string;
}

/** A message as it is now, with edits and reactions applied. Order messages by `time`, then `count`, then `id`. */
export interface ChatMessage {
  id: string;
  /** The public key of who wrote it, in hex; proven by a signature. */
  author: string;
  nick: string;
  time: Date;
  count: number;
  text: string;
  file?: FileCard;
  replyTo?: string;
  edited: boolean;
  reactions: { mark: string; authors: string[] }[];
  mine: boolean;
}

/** Somebody else who is in the room. */
export interface RoomMember {
  author: string;
  /** Tells several devices of one author apart. */
  session: string;
  nick: string;
  since: Date;
}

export interface RoomEvents {
  message: { kind: 'message'; message: ChatMessage };
  changed: { kind: 'changed'; message: ChatMessage };
  deleted: { kind: 'deleted'; id: string };
  joined: { kind: 'joined'; member: RoomMember };
  left: { kind: 'left'; member: RoomMember; lost: boolean };
  renamed: { kind: 'renamed'; member: RoomMember };
  typing: { kind: 'typing'; member: RoomMember; on: boolean };
  missing: { kind: 'missing'; count: number };
  unread: { kind: 'unread'; count: number };
  synced: { kind: 'synced' };
  lagged: { kind: 'lagged'; dropped: number };
}

/** Anything that happens in a room. */
export type RoomEvent = RoomEvents[keyof RoomEvents];

export interface JoinRoomOptions extends AbortOptions {
  /** What others see beside your messages; at most 64 bytes. */
  nick?: string;
  /** Makes a new private room of this name, which only those enter who get its `link`. */
  private?: boolean;
  /** Enters the private room of this name whose members know these words: several, that nobody guesses. Takes a second. */
  passphrase?: string;
}

/** @internal Makes the secret of a room out of words. */
export type Stretch = (room: string, words: string, signal: AbortSignal | undefined) => Promise<string>;

/** Chat rooms. Reached as `peer.chat`. */
export class Chat {
  readonly #apps: Calls;
  readonly #stretch: Stretch;

  /** @internal */
  constructor(apps: Calls, stretch: Stretch) {
    this.#apps = apps;
    this.#stretch = stretch;
  }

  /**
   * Enters a room by its name, or by a link that ends in `#room=…&secret=…`. Messages that this profile kept are there
   * at once (`history()`); what was said meanwhile comes as events. `signal` leaves the room.
   */
  async join(room: string, options: JoinRoomOptions = {}): Promise<Room> {
    const { nick = '', private: on = false, passphrase, signal } = options;
    const { Room } = await later(import('./room.ts'), 'rooms');
    if (passphrase !== undefined) room = await this.#link(room, passphrase, on, signal);
    const leaving = new AbortController();
    const forget = onAbort(signal, (reason) => leaving.abort(reason));
    const events = this.#apps.stream<Wire>('chat', { chat: 'join', room, nick, on }, leaving.signal);
    try {
      const first = await events.next();
      if (first.done) throw closedError();
      return new Room(this.#apps, first.value as unknown as Entered, events, leaving, forget);
    } catch (error) {
      forget();
      throw error;
    }
  }

  async #link(room: string, words: string, fresh: boolean, signal: AbortSignal | undefined): Promise<string> {
    if (fresh || room.includes('#room=')) {
      throw invalidArgument('A passphrase goes with the name of a room.', 'Leave out `private`, or the link.');
    }
    return `#room=${encodeURIComponent(room)}&secret=${await this.#stretch(room, words, signal)}`;
  }
}
