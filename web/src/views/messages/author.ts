// Whom a visitor means: a peer id, or the key of an author as people pass it on.

import { WarrenError, type Peer } from 'warren-p2p';

const HEX = /^[0-9a-f]{64}$/i;
const BASE36 = /^k51[0-9a-z]+$/;
/** What stands before the 32 bytes of an Ed25519 key in its CID. */
const HEAD = '0172002408011220';

/** The author's key in hex. A peer id is asked for whom it runs. */
export async function authorOf(peer: Peer, typed: string, signal: AbortSignal): Promise<string> {
  const text = typed.trim().replace(/\.p2p$/, '');
  if (HEX.test(text)) return text.toLowerCase();
  if (BASE36.test(text)) return fromBase36(text);
  if (text === peer.id) return peer.author;
  const { author } = await peer.findPeer(text, { signal });
  if (author === undefined) {
    throw new WarrenError('NOT_FOUND', 'This peer does not say for whom it runs.', { remedy: 'Ask for the key of its author, k51….' });
  }
  return author;
}

function fromBase36(text: string): string {
  let number = 0n;
  for (const digit of text.slice(1)) number = number * 36n + BigInt(Number.parseInt(digit, 36));
  const hex = `0${number.toString(16)}`;
  if (hex.length === HEAD.length + 64 && hex.startsWith(HEAD)) return hex.slice(HEAD.length);
  throw new WarrenError('INVALID_ARGUMENT', 'This is not the key of an author.', { remedy: 'Keys begin with k51 and are copied whole.' });
}
