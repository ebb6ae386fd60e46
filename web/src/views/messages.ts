// Direct messages: with whom, whether this tab takes them, and the conversation that is open.

import { isWarrenError, type DirectMessage, type Peer } from 'warren-p2p';
import { byId, h, keyed, setText } from '../dom.ts';
import { errorCard, wireForm } from '../result.ts';
import { authorOf } from './messages/author.ts';
import { Conversation } from './messages/conversation.ts';
import { People, type Person } from './messages/people.ts';
import { recall, remember } from './talk/kept.ts';
import { unreadIn } from './talk/title.ts';
import { disc, nameTag } from './talk/who.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

/** Opens a conversation from elsewhere on the page. */
export type Write = (author: string, nick: string) => void;

export function wireMessages(joinedPeer: JoinedPeer): Write {
  const view = new Messages(joinedPeer);
  view.start();
  return (author, nick) => void view.write(author, nick);
}

const NOT_TAKING = 'This tab takes no messages yet: they wait in mailboxes.';

class Messages {
  readonly #joinedPeer: JoinedPeer;
  readonly #open = new Map<string, Conversation>();
  #people: People | undefined;
  #chosen: string | undefined;
  #taking: AbortController | undefined;
  readonly #list = h('ul', { class: 'choices', 'aria-label': 'Conversations' });
  readonly #stage = h('div', { class: 'stage' });
  readonly #talk = h('div', { class: 'talk', hidden: true }, h('nav', { 'aria-label': 'Conversations' }, this.#list), this.#stage);
  readonly #state = h('p', { role: 'status' }, NOT_TAKING);
  readonly #turn = h('button', { type: 'button', class: 'quiet' }, 'Take messages');
  readonly #trouble = h('div', { class: 'result', 'aria-live': 'polite' });

  constructor(joinedPeer: JoinedPeer) {
    this.#joinedPeer = joinedPeer;
  }

  start(): void {
    byId('receiving').append(this.#state, this.#turn);
    byId('receiving').after(this.#trouble);
    byId('conversations').append(this.#talk, h('p', { class: 'hint none' }, 'No conversation yet.'));
    this.#turn.addEventListener('click', () => {
      remember('takes-messages', !this.#taking);
      if (this.#taking) this.#taking.abort();
      else void this.#take();
    });
    const to = byId<HTMLInputElement>('write-to');
    wireForm(byId<HTMLFormElement>('write-form'), byId('write-result'), async ({ signal, show }) => {
      const peer = await this.#joinedPeer(signal);
      const author = await authorOf(peer, to.value, signal);
      show();
      to.value = '';
      await this.#openWith(author, '');
    });
    if (recall('takes-messages', false)) void this.#take();
    else void this.#known().then(() => this.#draw(), () => {});
  }

  async write(author: string, nick: string): Promise<void> {
    byId('conversations').scrollIntoView({ block: 'center' });
    await this.#openWith(author, nick);
  }

  async #known(): Promise<{ peer: Peer; people: People }> {
    const peer = await this.#joinedPeer(new AbortController().signal);
    this.#people ??= new People(peer.author, peer.identity.ephemeral);
    return { peer, people: this.#people };
  }

  async #openWith(author: string, nick: string): Promise<void> {
    const { people } = await this.#known();
    const person = people.meet(author, nick);
    if (!this.#taking) void this.#take();
    await this.#show(person, true);
  }

  async #show(person: Person, focus: boolean): Promise<void> {
    const { peer } = await this.#known();
    this.#chosen = person.author;
    let conversation = this.#open.get(person.author);
    const fresh = conversation === undefined;
    if (conversation === undefined) {
      conversation = new Conversation(person, {
        peer,
        seen: (person) => this.#read(person),
        wrote: ({ author }) => (this.#people?.meet(author), this.#draw()),
        closed: (person) => this.#closed(person),
      });
      this.#open.set(person.author, conversation);
      this.#stage.append(conversation.element);
    }
    for (const [author, { element }] of this.#open) element.hidden = author !== person.author;
    this.#draw();
    if (focus) conversation.focus();
    if (fresh) await conversation.begin();
    else conversation.shown();
  }

  #read(person: Person): void {
    person.unread = 0;
    this.#people?.keep();
    this.#draw();
  }

  #closed({ author }: Person): void {
    this.#open.get(author)?.element.remove();
    this.#open.delete(author);
    this.#chosen = undefined;
    this.#draw();
    this.#list.querySelector('button')?.focus();
  }

  /** Takes messages until it is told to stop, or another reader on this page takes them. */
  async #take(): Promise<void> {
    const { signal } = (this.#taking = new AbortController());
    setText(this.#turn, 'Take no more');
    setText(this.#state, 'Loading what messages need…');
    this.#trouble.replaceChildren();
    let words = NOT_TAKING;
    try {
      const { peer, people } = await this.#known();
      this.#draw();
      setText(this.#state, 'This tab takes messages.');
      for await (const message of peer.messages.receive({ signal })) this.#got(people, message);
    } catch (error) {
      if (isWarrenError(error) && error.code === 'CANCELLED') words = 'Something else on this page takes the messages now.';
      else if (!signal.aborted) this.#trouble.replaceChildren(errorCard(error));
    }
    this.#taking = undefined;
    setText(this.#state, words);
    setText(this.#turn, 'Take messages');
  }

  #got(people: People, message: DirectMessage): void {
    const person = people.meet(message.from);
    person.unread += 1;
    people.keep();
    this.#open.get(message.from)?.got(message);
    if (this.#chosen === undefined) void this.#show(person, false);
    this.#draw();
  }

  #draw(): void {
    const all = this.#people?.all ?? [];
    this.#talk.hidden = all.length === 0;
    keyed(this.#list, all, ({ author, nick }) => `${author} ${nick}`, (person) => this.#choice(person), (element, { author, unread }) => {
      const button = element.firstElementChild as HTMLElement;
      button.setAttribute('aria-current', String(author === this.#chosen));
      const badge = button.querySelector('.badge') as HTMLElement;
      badge.hidden = unread === 0;
      setText(badge, unread > 99 ? '99+' : String(unread));
      setText(button.querySelector('.off-screen') as Element, unread > 0 ? `, ${unread} not read yet` : '');
      unreadIn(`messages ${author}`, unread);
    });
  }

  #choice(person: Person): HTMLElement {
    const badge = h('span', { class: 'badge', 'aria-hidden': 'true' });
    const button = h('button', { type: 'button', class: 'pick' }, disc(person.nick, person.author), nameTag(person.nick, person.author), badge, h('span', { class: 'off-screen' }));
    button.addEventListener('click', () => void this.#show(person, true));
    return h('li', {}, button);
  }
}
