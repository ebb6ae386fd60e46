// One direct message, and what has become of it.

import type { DirectMessage, MessageState } from 'warren-p2p';
import { h } from '../../dom.ts';
import { withLinks } from '../talk/text.ts';
import { hourWords } from '../talk/times.ts';

const STATES: Record<MessageState, [mark: string, words: string]> = {
  sending: ['○', 'Sending'],
  waiting: ['◐', 'In the mailbox'],
  delivered: ['●', 'Delivered'],
  refused: ['✕', 'Refused by the other side'],
  expired: ['✕', 'Expired: not taken in seven days'],
};
const MAX_HEX_BYTES = 256;

export function messageItem(): HTMLElement {
  return h('li', {});
}

export function showMessage(item: HTMLElement, message: DirectMessage, follows: boolean): void {
  const { sent, state, time } = message;
  const drawn = `${state} ${follows}`;
  if (item.dataset['drawn'] === drawn) return;
  item.dataset['drawn'] = drawn;
  item.className = `direct${sent ? ' mine' : ''}${follows ? ' follows' : ''}`;
  if (sent) item.dataset['state'] = state;
  const [mark, words] = STATES[state];
  item.replaceChildren(
    bodyView(message.body),
    h(
      'p',
      { class: 'by' },
      h('span', { class: 'off-screen' }, sent ? 'You, ' : 'The other side, '),
      h('time', { datetime: time.toISOString(), title: time.toLocaleString() }, hourWords(time)),
      sent && h('span', { class: 'delivery' }, h('span', { 'aria-hidden': 'true' }, mark), ` ${words}`),
    ),
  );
}

/** People send text; programs send what they like. */
function bodyView(body: unknown): HTMLElement {
  const text = textOf(body);
  if (text !== undefined) return h('p', { class: 'text', dir: 'auto' }, ...withLinks(text));
  if (!(body instanceof Uint8Array)) return h('pre', { class: 'text' }, JSON.stringify(body, null, 2));
  const shown = [...body.subarray(0, MAX_HEX_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return h('pre', { class: 'text' }, `${body.length} bytes: ${shown}${body.length > MAX_HEX_BYTES ? ' …' : ''}`);
}

function textOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  const { text, ...rest } = (typeof body === 'object' && body !== null ? body : {}) as { text?: unknown };
  return typeof text === 'string' && Object.keys(rest).length === 0 ? text : undefined;
}
