/**
 * Links to something on this page, such as `#/n/alice.p2p`. Anybody can write one: what cannot be read
 * is no link.
 */

/** What a link of this form leads to; nothing if the address has none, or a broken one. */
export function linked(form: RegExp): string | undefined {
  const text = form.exec(location.hash)?.[1];
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
