// How much was not read, in the title of a tab that nobody looks at.

const waiting = new Map<string, number>();
let plain: string | undefined;

/** `what` has so many unread messages now. */
export function unreadIn(what: string, count: number): void {
  if (plain === undefined) {
    plain = document.title;
    document.addEventListener('visibilitychange', show);
  }
  waiting.set(what, count);
  show();
}

function show(): void {
  let unread = 0;
  for (const count of waiting.values()) unread += count;
  const title = plain ?? document.title;
  document.title = document.hidden && unread > 0 ? `(${unread}) ${title}` : title;
}
