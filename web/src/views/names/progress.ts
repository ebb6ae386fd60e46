// How far a claim is: the stage in words, and a bar for the work.

import type { NameProgress } from 'warren-p2p';
import { h, setText } from '../../dom.ts';

const STAGES: Record<NameProgress['stage'], string> = {
  asking: 'Asking the witnesses who holds it',
  working: 'Working for it; that makes claiming many names expensive',
  reserving: 'Reserving it',
  signing: 'Having it signed',
  confirming: 'Showing it to all witnesses',
  waiting: 'Somebody else wants it at this moment; trying again soon',
};

/** Each number tried is as likely as any other: what is known is how likely it was to come this far. */
function likelihood(tried: number, expected: number): number {
  return 1 - Math.exp(-tried / expected);
}

export function progressView(): { element: HTMLElement; show(progress: NameProgress): void } {
  const stage = h('p', {}, 'Asking…');
  const bar = h('progress', { max: '1', 'aria-label': 'Work done', hidden: true });
  // Read out once, not many times a second.
  const numbers = h('p', { class: 'hint numbers', 'aria-live': 'off', hidden: true });
  return {
    element: h('div', { class: 'work' }, stage, bar, numbers),
    show({ stage: name, tried, expected }) {
      setText(stage, `${STAGES[name]}…`);
      const working = tried !== undefined && expected !== undefined;
      bar.hidden = numbers.hidden = !working;
      if (!working) return;
      bar.value = likelihood(tried, expected);
      setText(numbers, `${tried.toLocaleString()} numbers tried; it takes ${expected.toLocaleString()} on average`);
    },
  };
}
