// Copy buttons, also on pages where the clipboard API is missing (plain http).

import { byId, h } from './dom.ts';

const SAID_MS = 1600;

/** Wires every `<button data-copy="id">` of the template. */
export function wireCopyButtons(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-copy]')) {
    const source = byId(button.dataset['copy'] ?? '');
    button.setAttribute('aria-label', `Copy ${source.id.replace('-', ' ')}`);
    button.addEventListener('click', () => void copy(button, source.title || (source.textContent ?? '')));
  }
}

export function copyButton(text: string, what: string, label = 'Copy'): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': `Copy ${what}` }, label);
  button.addEventListener('click', () => void copy(button, text));
  return button;
}

async function copy(button: HTMLButtonElement, text: string): Promise<void> {
  const label = (button.dataset['label'] ??= button.textContent ?? '');
  const done = await write(text);
  button.textContent = done ? 'Copied' : 'Select it and copy';
  setTimeout(() => (button.textContent = label), SAID_MS);
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeBySelection(text);
  }
}

function writeBySelection(text: string): boolean {
  const area = h('textarea', { class: 'off-screen', 'aria-hidden': 'true', tabindex: '-1' });
  area.value = text;
  const focused = document.activeElement as HTMLElement | null;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return done;
}
