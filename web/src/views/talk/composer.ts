// Where something is said: grows with its text, Enter sends, Shift+Enter begins a line, Esc gives up.

import { errorCard } from '../../result.ts';
import { h } from '../../dom.ts';

export interface Composer {
  element: HTMLElement;
  input: HTMLTextAreaElement;
  /** Runs something, and shows here why it failed. */
  attempt(work: () => Promise<unknown>): Promise<boolean>;
  /** Says above the text what is done with it; `undefined` for nothing special. */
  aim(words: string | undefined): void;
}

/** `say` sends the text; what was typed stays when it rejects. `escaped` is told when the reader wants none of the aim. */
export function composer(label: string, say: (text: string) => Promise<unknown>, escaped: () => void = () => {}): Composer {
  const input = h('textarea', { rows: '1', 'aria-label': label, placeholder: label, enterkeyhint: 'send', dir: 'auto' });
  const aimed = h('span', { role: 'status' });
  const no = h('button', { type: 'button', class: 'small' }, 'Cancel');
  const aimLine = h('p', { class: 'aim', hidden: true }, aimed, no);
  const trouble = h('div', { class: 'result', 'aria-live': 'polite' });
  const send = h('button', { type: 'submit' }, 'Send');
  const form = h('form', { class: 'say', autocomplete: 'off' }, input, send);
  let busy = false;

  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
      trouble.replaceChildren();
      return true;
    } catch (error) {
      trouble.replaceChildren(errorCard(error));
      return false;
    }
  };
  const grow = () => {
    input.style.height = 'auto';
    input.style.height = `${input.scrollHeight + 2}px`;
  };
  no.addEventListener('click', () => (escaped(), input.focus()));
  input.addEventListener('input', grow);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') escaped();
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '' || busy) return;
    busy = true;
    if (await attempt(() => say(text))) {
      if (input.value.trim() === text) input.value = '';
      grow();
    }
    busy = false;
  });
  const aim = (words: string | undefined) => {
    aimLine.hidden = words === undefined;
    aimed.textContent = words ?? '';
    grow();
  };
  return { element: h('div', { class: 'composer' }, trouble, aimLine, form), input, attempt, aim };
}
