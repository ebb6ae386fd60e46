//! One listener: its socket, its callers, and the addresses it announces.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use tokio::sync::mpsc;
use warren_shared::platform;
use warren_shared::webrtc::fingerprint::Fingerprint;

use super::address::announced;
use super::gateway::{Gateway, Incoming, incoming};
use super::socket::Socket;
use super::upgrade::Local;

/// What a listener has to tell.
pub(super) enum News {
    Caller(Incoming),
    Address(Multiaddr),
    Expired(Multiaddr),
    Error(io::Error),
    /// Nobody reads the socket any more.
    Closed,
}

pub(super) struct Listener {
    pub(super) id: ListenerId,
    local: SocketAddr,
    certificate: Fingerprint,
    callers: mpsc::Receiver<Incoming>,
    /// Only for an unspecified address.
    interfaces: Option<IfWatcher>,
    news: VecDeque<News>,
}

impl Listener {
    pub(super) fn bind(id: ListenerId, address: SocketAddr, owner: &Local) -> io::Result<Self> {
        let socket = Arc::new(Socket::bind(address)?);
        let local = socket.local();
        let certificate = owner.certificate.fingerprint();
        let (sender, callers) = incoming();
        let gateway = Gateway::new(
            socket,
            owner.certificate.clone(),
            platform::entropy(),
            sender,
        );
        tokio::spawn(gateway.run());
        let mut listener = Listener {
            id,
            local,
            certificate,
            callers,
            interfaces: None,
            news: VecDeque::new(),
        };
        if local.ip().is_unspecified() {
            listener.interfaces = Some(IfWatcher::new()?);
        } else {
            let address = announced(local, certificate);
            listener.news.push_back(News::Address(address));
        }
        Ok(listener)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if let Some(news) = self.news.pop_front() {
            return Poll::Ready(news);
        }
        if let Poll::Ready(caller) = self.callers.poll_recv(cx) {
            return Poll::Ready(caller.map_or(News::Closed, News::Caller));
        }
        while let Some(interfaces) = &mut self.interfaces {
            match interfaces.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(change))) => {
                    if let Some(news) = self.on_change(change) {
                        return Poll::Ready(news);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    // The addresses found so far stay valid; only changes go unnoticed from here.
                    self.interfaces = None;
                    return Poll::Ready(News::Error(error));
                }
                Poll::Ready(None) => self.interfaces = None,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    fn on_change(&self, change: IfEvent) -> Option<News> {
        match change {
            IfEvent::Up(net) => self.at(net.addr()).map(News::Address),
            IfEvent::Down(net) => self.at(net.addr()).map(News::Expired),
        }
    }

    fn at(&self, ip: IpAddr) -> Option<Multiaddr> {
        let socket = SocketAddr::new(ip, self.local.port());
        (ip.is_ipv4() == self.local.is_ipv4()).then(|| announced(socket, self.certificate))
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_fn;
    use libp2p::identity::Keypair;

    use super::super::Certificate;
    use super::*;

    #[tokio::test]
    async fn a_listener_whose_loop_has_ended_says_so() {
        let certificate = Certificate::from_pem(&Certificate::generate().unwrap()).unwrap();
        let owner = Local {
            key: Keypair::generate_ed25519(),
            certificate,
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let mut listener = Listener::bind(ListenerId::next(), address, &owner).unwrap();
        let first = poll_fn(|cx| listener.poll(cx)).await;
        assert!(matches!(first, News::Address(_)));
        // As when the loop has panicked.
        let (sender, callers) = incoming();
        drop(sender);
        listener.callers = callers;
        let news = poll_fn(|cx| listener.poll(cx)).await;
        assert!(matches!(news, News::Closed));
    }
}
