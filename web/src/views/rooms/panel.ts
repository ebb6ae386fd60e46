// One room: who is there, what was said, and a place to say something.

import { isWarrenError, type ChatMessage, type Room, type RoomEvent, type RoomMember } from 'warren-p2p';
import { copyButton } from '../../copy.ts';
import { h, keyed, setText } from '../../dom.ts';
import { count } from '../../words.ts';
import { composer, type Composer } from '../talk/composer.ts';
import { PAGE, Scroller } from '../talk/scroller.ts';
import { disc, nameOf, nameTag } from '../talk/who.ts';
import { aboutRoom } from './about.ts';
import { messageItem, showMessage, type Deeds } from './message.ts';

/** Typing is said again so often. */
const TYPING_MS = 4_000;
const QUOTED = 80;

export interface RoomHost {
  /** The author of this tab. */
  me: string;
  /** What the visitor is called here, and when that changes. */
  nick: string;
  renamed(nick: string): void;
  /** Counts or members have changed. */
  changed(): void;
  /** The visitor wants to write to somebody alone. */
  write(author: string, nick: string): void;
  left(): void;
}

export class RoomPanel {
  readonly element: HTMLElement;
  readonly room: Room;
  readonly #host: RoomHost;
  readonly #deeds: Deeds;
  readonly #messages = new Map<string, ChatMessage>();
  #ordered: ChatMessage[] = [];
  readonly #typing = new Map<string, RoomMember>();
  #members: RoomMember[] = [];
  /** The message that is answered, or changed. */
  #aim: { kind: 'reply' | 'edit'; message: ChatMessage } | undefined;
  #typed = 0;
  readonly #log: Scroller<ChatMessage>;
  readonly #composer: Composer;
  readonly #here = h('ul', { class: 'here', 'aria-label': 'Who else is here' });
  readonly #state = h('p', { class: 'hint', role: 'status' });
  readonly #aside = h('p', { class: 'hint typing' });

  constructor(room: Room, host: RoomHost) {
    this.room = room;
    this.#host = host;
    this.#deeds = this.#makeDeeds();
    this.#log = this.#makeLog();
    this.#composer = composer('Message', (text) => this.#say(text), () => this.#take(undefined));
    this.#composer.input.addEventListener('input', () => this.#tellTyping());
    const leave = h('button', { type: 'button', class: 'small' }, 'Leave');
    leave.addEventListener('click', () => (room.leave(), this.#log.close(), host.left()));
    const link = `${location.origin}${location.pathname}${room.link}`;
    const invite = copyButton(link, 'link to the room', 'Copy link');
    this.element = h(
      'article',
      { class: 'room', 'data-room': room.name, 'aria-label': `Room ${room.name}` },
      h('header', {}, h('h3', {}, h('bdi', {}, room.name)), room.private && h('span', { class: 'tag' }, 'private'), h('div', { class: 'acts' }, invite, leave)),
      h('div', { class: 'who-is-here' }, this.#state, this.#here),
      this.#log.element,
      this.#aside,
      this.#composer.element,
      aboutRoom({ room, link, nick: host.nick, attempt: this.#composer.attempt, renamed: (nick) => ((host.nick = nick), host.renamed(nick)) }),
    );
  }

  /** Shows what is there, then what happens. */
  async begin(): Promise<void> {
    const unread = this.room.unread;
    void this.#listen();
    this.#members = await this.room.members();
    await this.#log.begin(unread);
    this.#show();
  }

  /** It can be seen again. */
  shown(): void {
    this.#log.shown(this.room.unread);
  }

  focus(): void {
    this.#composer.input.focus({ preventScroll: true });
  }

  #makeDeeds(): Deeds {
    const attempt = (work: () => Promise<unknown>) => void this.#composer.attempt(work);
    return {
      me: this.#host.me,
      find: (id) => this.#messages.get(id),
      show: (id) => this.#log.show(id),
      reply: (message) => this.#take({ kind: 'reply', message }),
      edit: (message) => this.#take({ kind: 'edit', message }),
      remove: (message) => attempt(() => this.room.delete(message.id)),
      react: (message, mark, on) => attempt(() => this.room.react(message.id, mark, { on })),
    };
  }

  #makeLog(): Scroller<ChatMessage> {
    return new Scroller<ChatMessage>({
      label: `Messages in ${this.room.name}`,
      empty: 'Nothing was said here yet. Say hello.',
      entries: () => this.#ordered,
      older: () => this.#older(),
      make: messageItem,
      fill: (element, message, follows) => showMessage(element, message, follows, this.#deeds),
      seen: () => this.room.unread > 0 && void this.room.markRead().catch(() => {}),
    });
  }

  async #older(): Promise<boolean> {
    const found = await this.#before(this.#ordered.map(({ id }) => id));
    this.#put(found);
    return found.length === PAGE;
  }

  /** What was said before the first of these that is still here: those before it may have made room for newer ones. */
  async #before(ids: readonly string[]): Promise<ChatMessage[]> {
    for (const before of ids) {
      try {
        return await this.room.history({ limit: PAGE, before });
      } catch (error) {
        if (!isWarrenError(error) || error.code !== 'NOT_FOUND') throw error;
      }
    }
    return this.room.history({ limit: PAGE });
  }

  #put(messages: readonly ChatMessage[]): void {
    for (const message of messages) this.#messages.set(message.id, message);
    this.#sort();
  }

  #sort(): void {
    this.#ordered = [...this.#messages.values()].sort(byTime);
  }

  async #listen(): Promise<void> {
    for await (const event of this.room) {
      this.#happened(event);
      this.#show();
    }
    setText(this.#state, 'This room was left.');
  }

  #happened(event: RoomEvent): void {
    switch (event.kind) {
      case 'message':
        if (this.#log.takes(event.message.time)) this.#put([event.message]);
        break;
      case 'changed':
        if (this.#messages.has(event.message.id)) this.#put([event.message]);
        break;
      case 'deleted':
        if (this.#messages.delete(event.id)) this.#sort();
        break;
      case 'joined':
      case 'renamed':
        this.#members = [...this.#members.filter((one) => keyOf(one) !== keyOf(event.member)), event.member];
        break;
      case 'left':
        this.#members = this.#members.filter((one) => keyOf(one) !== keyOf(event.member));
        this.#typing.delete(keyOf(event.member));
        break;
      case 'typing':
        if (event.on) this.#typing.set(keyOf(event.member), event.member);
        else this.#typing.delete(keyOf(event.member));
        break;
      case 'lagged':
        void this.#again();
        break;
      default:
        break;
    }
    if (event.kind !== 'typing') this.#host.changed();
  }

  /** Events were lost: what is here now is asked for. */
  async #again(): Promise<void> {
    try {
      this.#put(await this.room.history({ limit: Math.max(PAGE, this.#ordered.length) }));
      this.#members = await this.room.members();
      this.#show();
    } catch {
      // Left meanwhile.
    }
  }

  #show(): void {
    this.#log.changed();
    const make = (one: RoomMember) => this.#memberButton(one);
    keyed(this.#here, this.#members, (one) => `${keyOf(one)} ${one.nick}`, make, () => {});
    const { missing } = this.room;
    const words = [
      this.#members.length === 0 ? 'Nobody else is here now.' : `${count(this.#members.length, 'other')} here:`,
      missing > 0 && `${count(missing, 'message')} missing; whoever comes is asked for them.`,
    ];
    setText(this.#state, words.filter(Boolean).join(' '));
    const typing = [...this.#typing.values()].map((one) => nameOf(one.nick, one.author));
    setText(this.#aside, typing.length === 0 ? '' : `${typing.join(', ')} ${typing.length === 1 ? 'writes' : 'write'}…`);
  }

  #memberButton(one: RoomMember): HTMLElement {
    const label = `Write to ${nameOf(one.nick, one.author)} alone`;
    const button = h('button', { type: 'button', class: 'member', 'aria-label': label, title: label }, disc(one.nick, one.author), nameTag(one.nick, one.author));
    button.addEventListener('click', () => this.#host.write(one.author, one.nick));
    return h('li', {}, button);
  }

  #take(aim: { kind: 'reply' | 'edit'; message: ChatMessage } | undefined): void {
    const { input } = this.#composer;
    // A text that was to be changed is not what the visitor wants to say next.
    if (this.#aim?.kind === 'edit' && aim?.kind !== 'edit') input.value = '';
    this.#aim = aim;
    if (aim?.kind === 'edit') input.value = aim.message.text;
    this.#composer.aim(aim && aimWords(aim.kind, aim.message));
    if (aim) input.focus();
  }

  async #say(text: string): Promise<void> {
    const aim = this.#aim;
    if (aim?.kind === 'edit') await this.room.edit(aim.message.id, text);
    else await this.room.send(text, aim ? { replyTo: aim.message.id } : {});
    this.#typed = 0;
    this.#aim = undefined;
    this.#composer.aim(undefined);
    if (aim?.kind !== 'edit') this.#log.follow();
  }

  #tellTyping(): void {
    if (Date.now() - this.#typed < TYPING_MS || this.#composer.input.value === '') return;
    this.#typed = Date.now();
    void this.room.typing().catch(() => {});
  }
}

function aimWords(kind: 'reply' | 'edit', message: ChatMessage): string {
  if (kind === 'edit') return 'You change your message.';
  return `You answer ${nameOf(message.nick, message.author)}: ${(message.text || message.file?.name || '').slice(0, QUOTED)}`;
}

function keyOf({ author, session }: RoomMember): string {
  return `${author} ${session}`;
}

/** Everybody shows messages in the same order. */
function byTime(one: ChatMessage, two: ChatMessage): number {
  return one.time.getTime() - two.time.getTime() || one.count - two.count || (one.id < two.id ? -1 : 1);
}
