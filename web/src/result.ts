// What a form shows after a call: facts, text, or an error with its remedy. And the form's own life:
// one call at a time, a way to stop it, nothing left over from the call before.

import { isWarrenError } from 'warren-p2p';
import { copyButton } from './copy.ts';
import { h } from './dom.ts';
import { capital } from './words.ts';

/** A definition list; entries without a value are left out. */
export function facts(entries: [name: string, value: string | Node | undefined][]): HTMLElement {
  const list = h('dl', { class: 'facts' });
  for (const [name, value] of entries) {
    if (value !== undefined) list.append(h('div', {}, h('dt', {}, name), h('dd', {}, value)));
  }
  return list;
}

export function copyable(text: string, what: string): HTMLElement {
  return h('span', { class: 'copyable' }, h('code', {}, text), copyButton(text, what));
}

export function errorCard(error: unknown): HTMLElement {
  const known = isWarrenError(error);
  const message = error instanceof Error ? error.message : String(error);
  return h(
    'div',
    { class: 'error' },
    h('p', {}, h('strong', {}, capital(message))),
    known && error.remedy !== '' && h('p', {}, capital(error.remedy)),
    known && h('p', { class: 'code' }, error.code),
  );
}

/** Does the work of a form. `chosen` is the value of the pressed button; `show` replaces what is shown so far. */
export type Work = (context: { signal: AbortSignal; chosen: string; show: (...nodes: Node[]) => void }) => Promise<void>;

/** Runs `work` on submit. While it runs the pressed button stops it instead. */
export function wireForm(form: HTMLFormElement, output: HTMLElement, work: Work): void {
  let running: AbortController | undefined;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    const button = pressedButton(form, event);
    const label = button.textContent ?? '';
    button.textContent = 'Stop';
    form.setAttribute('aria-busy', 'true');
    output.replaceChildren(h('p', { class: 'busy' }, 'Working…'));
    const show = (...nodes: Node[]) => output.replaceChildren(...nodes);
    try {
      await work({ signal: running.signal, chosen: button.value, show });
    } catch (error) {
      show(running.signal.aborted ? h('p', { class: 'hint' }, 'Stopped.') : errorCard(error));
    }
    running = undefined;
    button.textContent = label;
    form.removeAttribute('aria-busy');
  });
  submitOnCtrlEnter(form);
}

function pressedButton(form: HTMLFormElement, event: SubmitEvent): HTMLButtonElement {
  return (event.submitter ?? form.querySelector('button[type=submit]')) as HTMLButtonElement;
}

function submitOnCtrlEnter(form: HTMLFormElement): void {
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}
