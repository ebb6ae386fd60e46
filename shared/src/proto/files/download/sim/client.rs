//! What a peer of the simulation makes of what comes, and of what its download says.

use super::*;

impl Sim {
    pub(super) fn came(
        &mut self,
        client: usize,
        server: usize,
        life: u64,
        request: RequestId,
        quarter: u64,
    ) {
        let now = self.now / 1_000;
        let peer = &mut self.peers[client];
        if peer.download.is_none() || peer.life != life {
            return;
        }
        peer.came += 1;
        let Some((_, piece)) = peer.asked.get(&request).copied() else {
            return;
        };
        if self.peers[server].conduct == Conduct::Liar && piece.is_multiple_of(4) {
            return self.failed(client, life, request, Failure::Lied);
        }
        if let Some(download) = &mut self.peers[client].download {
            download.came(request, QUARTER, now);
        }
        if quarter + 1 == QUARTERS {
            let peer = &mut self.peers[client];
            peer.asked.remove(&request);
            peer.order.push(piece);
            *peer.from.entry(server).or_default() += 1;
            if let Some(download) = &mut peer.download {
                assert!(!download.have().has(piece), "a piece came twice");
                download.arrived(request, now);
            }
        }
        self.drive(client);
    }

    pub(super) fn failed(
        &mut self,
        client: usize,
        life: u64,
        request: RequestId,
        failure: Failure,
    ) {
        let now = self.now / 1_000;
        let peer = &mut self.peers[client];
        if let Some(download) = peer.download.as_mut().filter(|_| peer.life == life)
            && peer.asked.remove(&request).is_some()
        {
            download.failed(request, failure, now);
            self.drive(client);
        }
    }

    /// Does what a download says.
    pub(super) fn drive(&mut self, client: usize) {
        let now = self.now / 1_000;
        loop {
            let peer = &mut self.peers[client];
            let Some(action) = peer
                .download
                .as_mut()
                .and_then(|download| download.poll(now))
            else {
                break;
            };
            self.act(client, action);
        }
        let peer = &mut self.peers[client];
        let wake = peer
            .download
            .as_ref()
            .and_then(|download| download.wake(now));
        let Some(wake) = wake.map(|at| (at * 1_000).max(self.now + 1)) else {
            return;
        };
        if peer.wake.is_none_or(|known| wake < known) {
            peer.wake = Some(wake);
            self.after(wake - self.now, Event::Wake(client));
        }
    }

    fn act(&mut self, client: usize, action: Action) {
        let life = self.peers[client].life;
        match action {
            Action::Fetch {
                request,
                source,
                piece,
                skip,
            } => {
                let server = (source & 0xffff_ffff) as usize;
                assert!(!self.have(client).has(piece), "fetched again");
                let peer = &mut self.peers[client];
                assert!(
                    !peer.left.iter().any(|(left, _)| *left == server),
                    "it was left"
                );
                peer.asked.insert(request, (server, piece));
                assert!(peer.asked.len() as u64 * PIECE <= 2 * self.budget);
                let way = self.way(client, server);
                let asked = (piece, skip / QUARTER);
                self.after(way, Event::Asked(server, client, life, request, asked));
            }
            Action::Cancel { request, source } => {
                let server = (source & 0xffff_ffff) as usize;
                self.peers[client].asked.remove(&request);
                let way = self.way(client, server);
                self.after(way, Event::Cancelled(server, client, life, request));
            }
            Action::Ask { source } => {
                let server = (source & 0xffff_ffff) as usize;
                let way = self.way(client, server);
                self.after(way, Event::Has(server, client));
            }
            Action::Leave { source, why } => {
                let server = (source & 0xffff_ffff) as usize;
                let peer = &mut self.peers[client];
                peer.left.push((server, why));
                peer.asked.retain(|_, (other, _)| *other != server);
            }
            Action::Done => self.peers[client].done = Some(self.now),
        }
    }
}
