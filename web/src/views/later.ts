// Names, rooms, messages and files: all that the page loads once the peer runs.

import type { Peer } from 'warren-p2p';
import { h } from '../dom.ts';
import { wireFiles } from './files.ts';
import { wireMessages } from './messages.ts';
import { wireNames } from './names.ts';
import { wireRooms } from './rooms.ts';

/** Replaced by the build with its hashed address. */
declare const TALK_STYLE_URL: string;

export async function wireLater(joinedPeer: (signal: AbortSignal) => Promise<Peer>): Promise<void> {
  wireNames(joinedPeer);
  await style();
  wireRooms(joinedPeer, wireMessages(joinedPeer));
  wireFiles(joinedPeer);
}

/** Nothing of this is drawn without its style; if that does not come, it is usable all the same. */
function style(): Promise<void> {
  const link = h('link', { rel: 'stylesheet', href: TALK_STYLE_URL });
  return new Promise((resolve) => {
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
}
