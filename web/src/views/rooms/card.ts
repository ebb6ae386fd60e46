// One room: who is there, what was said, and a place to say something.

import type { ChatMessage, Room, RoomEvent, RoomMember } from 'warren-p2p';
import { copyButton } from '../../copy.ts';
import { h, keyed, setText } from '../../dom.ts';
import { errorCard } from '../../result.ts';
import { count } from '../../words.ts';
import { messageItem, nameOf, showMessage, type Deeds } from './message.ts';

/** As many as are shown at once; older ones on request. */
const PAGE = 100;
/** Typing is said again so often. */
const TYPING_MS = 4_000;

export class RoomCard {
  readonly element: HTMLElement;
  readonly #room: Room;
  readonly #author: string;
  readonly #messages = new Map<string, ChatMessage>();
  readonly #typing = new Map<string, RoomMember>();
  #members: RoomMember[] = [];
  /** The message that is answered, or changed. */
  #aim: { kind: 'reply' | 'edit'; message: ChatMessage } | undefined;
  #typed = 0;
  readonly #list = h('ol', { class: 'messages', role: 'log', 'data-empty': 'Nothing was said yet.' });
  readonly #here = h('ul', { class: 'chips', 'aria-label': 'Who is here' });
  readonly #state = h('p', { class: 'hint', role: 'status' });
  readonly #aside = h('p', { class: 'hint typing' });
  readonly #aimed = h('p', { class: 'hint' });
  readonly #trouble = h('div', { 'aria-live': 'polite' });
  readonly #input = h('textarea', { rows: '2', 'aria-label': 'Message', placeholder: 'Message' });

  constructor(room: Room, author: string, gone: () => void) {
    this.#room = room;
    this.#author = author;
    const older = h('button', { type: 'button', class: 'quiet' }, 'Earlier messages');
    const leave = h('button', { type: 'button', class: 'quiet' }, 'Leave');
    const form = h('form', { class: 'say', autocomplete: 'off' }, this.#input, h('button', { type: 'submit' }, 'Send'));
    this.element = h(
      'article',
      { class: 'card room', 'data-room': room.name },
      h('header', {}, h('h3', {}, room.name), room.private && h('span', { class: 'tag' }, 'private'), leave),
      h('p', { class: 'hint' }, 'Others enter with the link ', h('code', {}, this.#link()), copyButton(this.#link(), 'link to the room')),
      this.#here,
      this.#state,
      older,
      this.#list,
      this.#aside,
      this.#aimed,
      form,
      this.#fileForm(),
      this.#trouble,
    );
    older.addEventListener('click', () => void this.#older(older));
    leave.addEventListener('click', () => (room.leave(), this.element.remove(), gone()));
    form.addEventListener('submit', (event) => (event.preventDefault(), void this.#say()));
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#take(undefined);
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.#input.addEventListener('input', () => this.#tellTyping());
    this.element.addEventListener('focusin', () => void this.#read());
  }

  /** Shows what is there, then what happens. */
  async begin(): Promise<void> {
    void this.#listen();
    await this.#load();
    this.#input.focus();
  }

  async #load(): Promise<void> {
    for (const message of await this.#room.history({ limit: PAGE })) this.#messages.set(message.id, message);
    this.#members = await this.#room.members();
    this.#show();
  }

  #link(): string {
    return `${location.origin}${location.pathname}${this.#room.link}`;
  }

  async #listen(): Promise<void> {
    for await (const event of this.#room) {
      this.#happened(event);
      this.#show();
    }
    setText(this.#state, 'This room was left.');
  }

  #happened(event: RoomEvent): void {
    switch (event.kind) {
      case 'message':
      case 'changed':
        this.#messages.set(event.message.id, event.message);
        break;
      case 'deleted':
        this.#messages.delete(event.id);
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
        void this.#load().catch(() => {});
        break;
      default:
        break;
    }
    if (this.element.contains(document.activeElement) && !document.hidden) void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#room.unread > 0) await this.#room.markRead().catch(() => {});
  }

  #show(): void {
    const atEnd = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 40;
    const ordered = [...this.#messages.values()].sort(byTime);
    const deeds: Deeds = {
      find: (id) => this.#messages.get(id),
      reply: (message) => this.#take({ kind: 'reply', message }),
      edit: (message) => this.#take({ kind: 'edit', message }),
      remove: (message) => void this.#try(this.#room.delete(message.id)),
      react: (message, mark, on) => void this.#try(this.#room.react(message.id, mark, { on })),
    };
    const make = (message: ChatMessage) => messageItem(message, this.#author, deeds);
    const update = (element: HTMLElement, message: ChatMessage) => showMessage(element, message, this.#author, deeds);
    keyed(this.#list, ordered, ({ id }) => id, make, update);
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    const member = (one: RoomMember) => h('li', { title: one.author }, nameOf(one.nick, one.author));
    keyed(this.#here, this.#members, (one) => `${keyOf(one)} ${one.nick}`, member, () => {});
    const { missing, unread } = this.#room;
    const words = [
      this.#members.length === 0 ? 'Nobody else is here now.' : `${count(this.#members.length, 'other member')} here.`,
      unread > 0 && `${unread} not read yet.`,
      missing > 0 && `${count(missing, 'message')} missing: asked for, whenever somebody comes who may have them.`,
    ];
    setText(this.#state, words.filter(Boolean).join(' '));
    const typing = [...this.#typing.values()].map((one) => nameOf(one.nick, one.author));
    setText(this.#aside, typing.length === 0 ? '' : `${typing.join(', ')} ${typing.length === 1 ? 'writes' : 'write'}…`);
  }

  #take(aim: { kind: 'reply' | 'edit'; message: ChatMessage } | undefined): void {
    this.#aim = aim;
    const words = aim?.kind === 'reply' ? `Answers ${nameOf(aim.message.nick, aim.message.author)}: ${aim.message.text.slice(0, 80)}` : 'Changes your message';
    setText(this.#aimed, aim === undefined ? '' : `${words} (Esc: no)`);
    if (aim?.kind === 'edit') this.#input.value = aim.message.text;
    if (aim) this.#input.focus();
  }

  async #say(): Promise<void> {
    const text = this.#input.value.trim();
    if (text === '') return;
    const aim = this.#aim;
    const said =
      aim?.kind === 'edit'
        ? this.#room.edit(aim.message.id, text)
        : this.#room.send(text, aim ? { replyTo: aim.message.id } : {});
    if (!(await this.#try(said))) return;
    this.#input.value = '';
    this.#typed = 0;
    this.#take(undefined);
  }

  async #try(deed: Promise<unknown>): Promise<boolean> {
    try {
      await deed;
      this.#trouble.replaceChildren();
      return true;
    } catch (error) {
      this.#trouble.replaceChildren(errorCard(error));
      return false;
    }
  }

  #tellTyping(): void {
    if (Date.now() - this.#typed < TYPING_MS || this.#input.value === '') return;
    this.#typed = Date.now();
    void this.#room.typing().catch(() => {});
  }

  async #older(button: HTMLButtonElement): Promise<void> {
    const first = [...this.#messages.values()].sort(byTime)[0];
    const found = await this.#room.history({ limit: PAGE, ...(first ? { before: first.id } : {}) });
    for (const message of found) this.#messages.set(message.id, message);
    if (found.length < PAGE) button.hidden = true;
    this.#show();
  }

  #fileForm(): HTMLElement {
    const cid = h('input', { type: 'text', required: true, placeholder: 'CID', 'aria-label': 'CID of the file' });
    const name = h('input', { type: 'text', required: true, placeholder: 'name', 'aria-label': 'Name of the file' });
    const size = h('input', { type: 'number', required: true, min: '0', placeholder: 'bytes', 'aria-label': 'Size in bytes' });
    const form = h('form', { class: 'say', autocomplete: 'off' }, cid, name, size, h('button', { type: 'submit', class: 'quiet' }, 'Send card'));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const card = { cid: cid.value.trim(), name: name.value.trim(), size: Number(size.value) };
      if (await this.#try(this.#room.file(card))) form.reset();
    });
    return h('details', {}, h('summary', {}, 'Speak of a file'), form);
  }
}

function keyOf({ author, session }: RoomMember): string {
  return `${author} ${session}`;
}

/** Everybody shows messages in the same order. */
function byTime(one: ChatMessage, two: ChatMessage): number {
  return one.time.getTime() - two.time.getTime() || one.count - two.count || (one.id < two.id ? -1 : 1);
}
