//! What the negotiation has of an attempt: it asks the task that owns the stack, and hears from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, join_all, ready};
use futures::{FutureExt, StreamExt};
use libp2p::PeerId;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::webrtc::agent::Vessel;
use warren_shared::net::webrtc::{News, Stack};
use warren_shared::webrtc::signaling::candidate::Candidate;

use super::super::agent::Agent;
use super::super::driver::Driver;
use super::super::session::Peer;
use super::super::socket::Socket;
use super::super::state::Shared;
use super::super::table::mailbox;
use super::super::upgrade::read;
use super::super::{Certificate, limits};
use super::way::Negotiated;
use super::{Adopted, questions};

/// What the task is asked.
pub(super) enum Ask {
    /// To describe this end.
    Describe(oneshot::Sender<std::result::Result<String, String>>),
    /// To take the description of the remote.
    Accept(String, oneshot::Sender<std::result::Result<(), String>>),
    /// To try a way to the remote.
    Add(Candidate),
}

/// One attempt. Sockets are opened when there is something to describe; dropping it closes them, unless the
/// connection was handed over.
pub(super) struct CallStack {
    certificate: Certificate,
    servers: Vec<SocketAddr>,
    adopt: mpsc::UnboundedSender<Adopted>,
    line: Option<Line>,
}

/// The way to the task, which ends with `peer`.
struct Line {
    asks: mpsc::Sender<Ask>,
    news: mpsc::Receiver<News>,
    /// Where the remote was when the connection stood.
    seen: Arc<OnceLock<SocketAddr>>,
    peer: Peer,
}

impl CallStack {
    pub(super) fn new(
        certificate: Certificate,
        servers: &[String],
        adopt: mpsc::UnboundedSender<Adopted>,
    ) -> CallStack {
        CallStack {
            certificate,
            servers: servers
                .iter()
                .filter_map(|url| questions::server(url))
                .collect(),
            adopt,
            line: None,
        }
    }

    /// The task, begun now if there is none.
    fn line(&mut self, dials: bool) -> std::result::Result<&mut Line, String> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.begin(dials)?,
        };
        Ok(self.line.insert(line))
    }

    fn begin(&self, dials: bool) -> std::result::Result<Line, String> {
        let sockets =
            sockets().map_err(|error| format!("no UDP socket could be opened: {error}"))?;
        let agent = Agent::negotiated(&self.certificate, dials);
        let (asks, asked) = mpsc::channel(limits::ASKS);
        let (tell, news) = mpsc::channel(limits::NEWS);
        let fingerprint = self.certificate.fingerprint();
        let way = Negotiated::new(&sockets, &agent, fingerprint, asked, tell, &self.servers);
        let seen = way.seen();
        let shared = Shared::negotiated();
        let (mailbox, post) = mailbox();
        let driver = Driver::new(agent, post, shared.clone(), way);
        let readers = sockets
            .into_iter()
            .map(|socket| read(socket, None, mailbox.clone()));
        let readers = join_all(readers);
        tokio::spawn(async move {
            tokio::select! {
                () = driver.run() => {}
                _ = readers => {}
            }
        });
        Ok(Line {
            asks,
            news,
            seen,
            peer: Peer::new(shared),
        })
    }
}

/// One for each family that this machine has.
fn sockets() -> io::Result<Vec<Arc<Socket>>> {
    let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let (bound, failed): (Vec<_>, Vec<_>) = any
        .map(|ip| Socket::bind(SocketAddr::new(ip, 0)))
        .into_iter()
        .partition(io::Result::is_ok);
    match failed.into_iter().find_map(io::Result::err) {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound.into_iter().flatten().map(Arc::new).collect()),
    }
}

/// The task may have ended: then there will be no answer.
fn answer<T: Send + 'static>(
    line: std::result::Result<&mut Line, String>,
    ask: impl FnOnce(oneshot::Sender<std::result::Result<T, String>>) -> Ask,
) -> BoxFuture<'static, std::result::Result<T, String>> {
    let line = match line {
        Ok(line) => line,
        Err(error) => return ready(Err(error)).boxed(),
    };
    let (reply, answer) = oneshot::channel();
    let _ = line.asks.try_send(ask(reply));
    let ended = || Err("the WebRTC stack has given up".to_owned());
    answer
        .map(move |answer| answer.unwrap_or_else(|_| ended()))
        .boxed()
}

impl Stack for CallStack {
    fn describe(&mut self, offer: bool) -> BoxFuture<'static, std::result::Result<String, String>> {
        answer(self.line(offer), Ask::Describe)
    }

    fn accept(
        &mut self,
        offer: bool,
        description: String,
    ) -> BoxFuture<'static, std::result::Result<(), String>> {
        answer(self.line(!offer), |reply| Ask::Accept(description, reply))
    }

    /// That there are no more changes nothing: more may be seen when they come.
    fn add(&mut self, candidate: Option<Candidate>) {
        if let (Some(line), Some(candidate)) = (&mut self.line, candidate) {
            // The negotiation takes no more of them than fit.
            let _ = line.asks.try_send(Ask::Add(candidate));
        }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let Some(line) = &mut self.line else {
            return Poll::Pending;
        };
        let news = line.news.poll_next_unpin(cx);
        news.map(|news| news.unwrap_or(News::Unreachable))
    }
}

impl Vessel for CallStack {
    fn adopt(mut self: Box<Self>, peer: &PeerId) -> Result<()> {
        let Some(line) = self.line.take() else {
            return Err(Error::new(
                Code::Internal,
                "there is no connection to hand over",
            ));
        };
        let seen = line.seen.get().copied();
        let adopted = self.adopt.unbounded_send((*peer, seen, line.peer));
        adopted.map_err(|_| Error::new(Code::Closed, "the peer was closed"))
    }
}
