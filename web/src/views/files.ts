// Files: shared from this tab, fetched from everybody who has them, found by words.
// A link fetches: `#/f/<id>?name=<name>`.

import type { Peer } from 'warren-p2p';
import { wireFinding } from './files/finding.ts';
import { wireSharing } from './files/sharing.ts';
import { Shelf } from './files/shelf.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

export function wireFiles(joinedPeer: JoinedPeer): void {
  const shelf = new Shelf(joinedPeer);
  wireSharing(joinedPeer, shelf);
  wireFinding(joinedPeer, shelf);
}
