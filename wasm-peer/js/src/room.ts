// A room that was entered: what happens in it, and what this member says. Loaded with the first one.

import type { AbortOptions } from './abort.ts';
import type { Calls } from './apps.ts';
import { WarrenError } from './errors.ts';
import { TypedEvents } from './events.ts';
import type { ChatMessage, FileCard, RoomEvent, RoomEvents, RoomMember } from './rooms.ts';

/** What is known of a room when it is entered. */
export interface Entered {
  id: string;
  name: string;
  link: string;
  private: boolean;
  missing: number;
  unread: number;
}

/** What happens in it, as it crosses. */
export type Wire = { kind: string; message?: ChatMessage; member?: RoomMember; count?: number };

/**
 * A room that was entered. `for await (const event of room)` tells everything that happens, `room.on('message', …)` one
 * kind. Every message is kept in this profile before it is sent, and sent again by anybody who has it to those who lack it.
 */
export class Room extends TypedEvents<RoomEvents & { event: RoomEvent }> implements AsyncIterable<RoomEvent> {
  readonly id: string;
  readonly name: string;
  readonly private: boolean;
  /** The end of a link to this room, from the `#` on; with its secret, if it is private. */
  readonly link: string;
  readonly #apps: Calls;
  readonly #leaving: AbortController;
  readonly #forget: () => void;
  #missing: number;
  #unread: number;
  #left = false;

  /** @internal */
  constructor(
    apps: Calls,
    entered: Entered,
    events: AsyncGenerator<Wire, void, undefined>,
    leaving: AbortController,
    forget: () => void,
  ) {
    super();
    this.id = entered.id;
    this.name = entered.name;
    this.private = entered.private;
    this.link = entered.link;
    this.#missing = entered.missing;
    this.#unread = entered.unread;
    this.#apps = apps;
    this.#leaving = leaving;
    this.#forget = forget;
    void this.#listen(events);
  }

  /** Messages that are known to be missing: others had them, and nobody who is here has given them yet. */
  get missing(): number {
    return this.#missing;
  }

  /** Messages of others since `markRead()`. */
  get unread(): number {
    return this.#unread;
  }

  /** Sends a text of at most 16 KiB; resolves with its id once it is kept here. Without a relay it is sent later. */
  send(text: string, options: AbortOptions & { replyTo?: string } = {}): Promise<string> {
    return this.#ask('send', { text, id: options.replyTo ?? '' }, options);
  }

  /** Answers a message. */
  reply(id: string, text: string, options: AbortOptions = {}): Promise<string> {
    return this.send(text, { ...options, replyTo: id });
  }

  /** Puts a mark beside a message, or takes it away with `on: false`. */
  react(id: string, mark: string, options: AbortOptions & { on?: boolean } = {}): Promise<string> {
    return this.#ask('react', { id, text: mark, on: options.on ?? true }, options);
  }

  /** Changes the text of an own message. */
  edit(id: string, text: string, options: AbortOptions = {}): Promise<string> {
    return this.#ask('edit', { id, text }, options);
  }

  /** Takes an own message back. Peers forget it; nobody can make sure that nobody copied it. */
  delete(id: string, options: AbortOptions = {}): Promise<string> {
    return this.#ask('delete', { id }, options);
  }

  /** Speaks of a file. */
  file(card: FileCard & { text?: string }, options: AbortOptions = {}): Promise<string> {
    return this.#ask('file', { text: JSON.stringify(card) }, options);
  }

  /** Tells the others that something is being written; that ends by itself after six seconds. */
  async typing(on = true, options: AbortOptions = {}): Promise<void> {
    await this.#ask('typing', { on }, options);
  }

  /** Takes another nickname. */
  async rename(nick: string, options: AbortOptions = {}): Promise<void> {
    await this.#ask('nick', { nick }, options);
  }

  /**
   * The newest messages that are here, or those before one of them; the oldest first. 100 unless `limit` says otherwise.
   * Rejects with `NOT_FOUND` when the one before which they are wanted is not here: deleted, or older than what is kept.
   */
  async history(options: AbortOptions & { before?: string; limit?: number } = {}): Promise<ChatMessage[]> {
    const { before: id = '', limit } = options;
    const found = await this.#ask<ChatMessage[]>('history', { id, ...(limit === undefined ? {} : { limit }) }, options);
    return found.map(toMessage);
  }

  /** Who else is here. */
  async members(options: AbortOptions = {}): Promise<RoomMember[]> {
    const found = await this.#ask<RoomMember[]>('members', {}, options);
    return found.map(toMember);
  }

  /** Everything so far was read; kept over reloads. */
  async markRead(options: AbortOptions = {}): Promise<void> {
    await this.#ask('read', {}, options);
  }

  /** Leaves the room, and tells the others. Twice is once. */
  leave(): void {
    this.#leaving.abort(left());
    this.#end();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<RoomEvent> {
    return this.events('event');
  }

  async #ask<T>(chat: string, params: object, options: AbortOptions): Promise<T> {
    if (this.#left) throw left();
    return this.#apps.request<T>('chat', { chat, room: this.id, ...params }, options.signal);
  }

  async #listen(events: AsyncGenerator<Wire, void, undefined>): Promise<void> {
    try {
      for await (const event of events) this.#tell(event);
    } catch {
      // Left, or the peer was closed: calls say so.
    }
    this.#end();
  }

  #tell(wire: Wire): void {
    if (wire.kind === 'missing') this.#missing = wire.count ?? 0;
    if (wire.kind === 'unread') this.#unread = wire.count ?? 0;
    const event = {
      ...wire,
      ...(wire.message && { message: toMessage(wire.message) }),
      ...(wire.member && { member: toMember(wire.member) }),
    };
    this.emit(wire.kind, event);
    this.emit('event', event);
  }

  #end(): void {
    if (this.#left) return;
    this.#left = true;
    this.#forget();
    this.endReaders();
  }
}

function left(): WarrenError {
  return new WarrenError('CLOSED', 'This room was left.', { remedy: 'Join the room again.' });
}

/** Times cross as numbers. */
function toMessage(wire: ChatMessage): ChatMessage {
  return { ...wire, time: new Date(Number(wire.time)) };
}

function toMember(wire: RoomMember): RoomMember {
  return { ...wire, since: new Date(Number(wire.since)) };
}
