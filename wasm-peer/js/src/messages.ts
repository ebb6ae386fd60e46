// Direct messages: sent to a peer or an author, received one after the other, kept.
// Knows the calls of the engine; delivery, order and storage are the engine's.

import type { AbortOptions } from './abort.ts';
import { fromWire, toWire, type DhtValue, type WireValue } from './dht.ts';
import { WarrenError, invalidArgument } from './errors.ts';
import type { Calls } from './apps.ts';

/**
 * What has become of a message. `sending`: stored here, on its way. `waiting`: in a mailbox of the recipient as well.
 * `delivered`: the recipient has stored it. `refused`: the recipient does not take it. `expired`: nobody took it in seven days.
 */
export type MessageState = 'sending' | 'waiting' | 'delivered' | 'refused' | 'expired';

/** A message. Its signature was checked in this page before you see it. */
export interface DirectMessage<T = unknown> {
  /** After a crash a message may come again, under the same id. */
  id: string;
  /** Whether it is one of ours. */
  sent: boolean;
  state: MessageState;
  /** The author who wrote it. */
  from: string;
  /** The author whom it is for. */
  to: string;
  /** When it was written, by the clock of whoever did; at most two minutes after it came. */
  time: Date;
  /** The parsed JSON, or a Uint8Array when bytes were sent. */
  body: T;
  /** Where it stands: `history` goes on before it. */
  place: number;
}

/** A message that is on its way. */
export interface SentMessage {
  id: string;
  /** How far it is, now and at every step, until nothing more becomes of it. */
  states(options?: AbortOptions): AsyncIterable<MessageState>;
  /**
   * Resolves when the recipient has stored it, which may be days later; rejects with `REFUSED` or `EXPIRED`. Aborting ends the
   * waiting, not the delivery.
   */
  delivered(options?: AbortOptions): Promise<void>;
}

interface WireMessage extends Omit<DirectMessage, 'time' | 'body'> {
  time: number;
  body: WireValue;
}

/** Direct messages. Reached as `peer.messages`. */
export class Messages {
  readonly #apps: Calls;

  /** @internal */
  constructor(apps: Calls) {
    this.#apps = apps;
  }

  /**
   * Sends bytes or JSON, at most 16 KiB, to the author that a peer (`12D3…`) runs for, or to an author's key. Resolves when the
   * message is stored here: from then on it is delivered by itself, or left sealed in the recipient's mailbox, for seven days,
   * also after a reload if the identity is kept. Messages to one recipient arrive in the order in which they were sent.
   * Rejects with `TOO_LARGE`, `OVERLOADED` when too many are on their way, `NOT_FOUND` when it is not known whom a peer runs for.
   */
  async send(to: string, body: DhtValue, options: AbortOptions = {}): Promise<SentMessage> {
    const { id } = await this.#ask<{ id: string }>('send', { target: checked(to), value: toWire(body) }, options);
    const states = (options: AbortOptions = {}) => this.states(id, options);
    return { id, states, delivered: (options) => delivered(states(options)) };
  }

  /**
   * Messages from others, each once, in the order of each sender; waits for more. A message counts as taken when the loop asks
   * for the next one. Until a page receives, messages for it wait in its mailboxes. One loop receives at a time: a second one
   * ends the first with `CANCELLED`.
   */
  async *receive<T = unknown>(options: AbortOptions = {}): AsyncGenerator<DirectMessage<T>, void, undefined> {
    for (let place = {}; ; ) {
      const [message] = await this.#ask<WireMessage[]>('next', place, options);
      if (!message) return;
      yield toMessage<T>(message);
      place = { place: message.place };
    }
  }

  /** `for await (const message of peer.messages)` receives. */
  [Symbol.asyncIterator](): AsyncGenerator<DirectMessage, void, undefined> {
    return this.receive();
  }

  /** Messages to and from somebody, the newest first: at most 256, those before the place of another one if `before` is given. */
  async history(
    who: string,
    options: AbortOptions & { before?: number; limit?: number } = {},
  ): Promise<DirectMessage[]> {
    const { before, limit } = options;
    const params = {
      target: checked(who),
      ...(before === undefined ? {} : { place: before }),
      ...(limit === undefined ? {} : { limit }),
    };
    return (await this.#ask<WireMessage[]>('history', params, options)).map((message) => toMessage(message));
  }

  /** Takes nothing more from an author. Its messages are refused, which it is told. */
  async block(who: string, options: AbortOptions = {}): Promise<void> {
    await this.#ask('block', { target: checked(who) }, options);
  }

  /** Listens to an author again. */
  async unblock(who: string, options: AbortOptions = {}): Promise<void> {
    await this.#ask('unblock', { target: checked(who) }, options);
  }

  /** The authors that are blocked. */
  blocked(options: AbortOptions = {}): Promise<string[]> {
    return this.#ask('blocked', {}, options);
  }

  /** How far a message is that was sent before, under its id: now and at every step, until nothing more becomes of it. */
  async *states(id: string, options: AbortOptions = {}): AsyncGenerator<MessageState, void, undefined> {
    for (let text = ''; text === '' || text === 'sending' || text === 'waiting'; ) {
      text = await this.#ask<MessageState>('state', { id, text }, options);
      yield text as MessageState;
    }
  }

  #ask<T>(direct: string, params: object, { signal }: AbortOptions): Promise<T> {
    return this.#apps.request<T>('direct', { direct, ...params }, signal);
  }
}

async function delivered(states: AsyncIterable<MessageState>): Promise<void> {
  let last: MessageState | undefined;
  for await (last of states);
  if (last === 'delivered') return;
  const refused = last === 'refused';
  throw new WarrenError(
    refused ? 'REFUSED' : 'EXPIRED',
    refused ? 'The recipient does not take this message.' : 'Nobody took this message within seven days.',
    { remedy: refused ? 'Ask the recipient by another way.' : 'Send it again when the recipient is there.' },
  );
}

function toMessage<T>({ time, body, place, ...rest }: WireMessage): DirectMessage<T> {
  return { ...rest, place: Number(place), time: new Date(Number(time)), body: fromWire(body) as T };
}

function checked(who: unknown): string {
  if (typeof who === 'string') return who;
  throw invalidArgument('The recipient is not a string.', 'Pass a peer id, or the key of an author.');
}
