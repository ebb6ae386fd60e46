//! The task's side of a negotiated connection: descriptions and candidates, until it stands, and then datagrams between
//! the addresses that ICE has chosen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures::StreamExt;
use futures::channel::mpsc;
use str0m::channel::ChannelId;
use str0m::config::Fingerprint as DtlsFingerprint;
use str0m::net::Transmit;
use str0m::{Candidate as Found, Event, Input, Rtc};
use warren_shared::net::webrtc::News;
use warren_shared::platform;
use warren_shared::webrtc::fingerprint::Fingerprint;
use warren_shared::webrtc::signaling::candidate::{Candidate, Trickled};
use warren_shared::webrtc::signaling::description::{Own, Remote, Setup};
use warren_shared::webrtc::ufrag::Credentials;

use super::super::agent::{self, Agent, Beginning};
use super::super::driver::broken;
use super::super::limits;
use super::super::outgoing::Outgoing;
use super::super::path::{is_record, is_stun};
use super::super::socket::{Arrived, Socket};
use super::super::state::Ended;
use super::super::way::Way;
use super::hosts;
use super::questions::Questions;
use super::stack::Ask;

/// A socket and what goes out of it.
struct Port {
    socket: Arc<Socket>,
    outgoing: Outgoing,
}

/// See the module.
pub(super) struct Negotiated {
    ports: Vec<Port>,
    certificate: Fingerprint,
    /// Who waits for the connection; gone when it was handed over.
    asks: Option<mpsc::Receiver<Ask>>,
    asked: Option<Ask>,
    tell: mpsc::Sender<News>,
    /// They tell how this end is seen from outside.
    servers: Vec<SocketAddr>,
    questions: Option<Questions>,
    hosts: Vec<IpAddr>,
    /// That of this end, if it has dialled.
    init: Option<ChannelId>,
    /// The remote's, once it was taken.
    remote: Option<Described>,
    /// Where the last datagram went.
    last: SocketAddr,
    /// That, when the connection stood.
    seen: Arc<OnceLock<SocketAddr>>,
    /// Where authentic checks came from.
    checked: Vec<SocketAddr>,
    silent_at: Instant,
    connected: bool,
}

/// What stays of the remote's description.
struct Described {
    ufrag: String,
    mid: String,
    setup: Setup,
    /// This end begins the handshake, and has not yet.
    greets: bool,
}

impl Negotiated {
    pub(super) fn new(
        sockets: &[Arc<Socket>],
        agent: &Agent,
        certificate: Fingerprint,
        asks: mpsc::Receiver<Ask>,
        tell: mpsc::Sender<News>,
        servers: &[SocketAddr],
    ) -> Self {
        let ports = sockets.iter().map(|socket| Port {
            outgoing: Outgoing::new(socket),
            socket: socket.clone(),
        });
        Negotiated {
            ports: ports.collect(),
            certificate,
            asks: Some(asks),
            asked: None,
            tell,
            servers: servers.to_vec(),
            questions: None,
            hosts: hosts::hosts(servers),
            init: match agent.beginning {
                Beginning::Init(init) => Some(init),
                _ => None,
            },
            remote: None,
            last: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            seen: Arc::default(),
            checked: Vec::new(),
            silent_at: Instant::now() + limits::NEGOTIATION,
            connected: false,
        }
    }

    /// Where the remote is, once the connection stands.
    pub(super) fn seen(&self) -> Arc<OnceLock<SocketAddr>> {
        self.seen.clone()
    }

    fn answer(&mut self, rtc: &mut Rtc, ask: Ask) {
        match ask {
            // Who does not wait for the answer any more needs none.
            Ask::Describe(reply) => drop(reply.send(Ok(self.describe(rtc)))),
            Ask::Accept(text, reply) => drop(reply.send(self.accept(rtc, &text))),
            Ask::Add(candidate) => self.add(rtc, &candidate),
        }
    }

    fn describe(&mut self, rtc: &mut Rtc) -> String {
        let own = rtc.direct_api().local_ice_credentials();
        let text = Own {
            session: u64::from_be_bytes(platform::entropy()),
            credentials: &Credentials {
                ufrag: own.ufrag,
                password: own.pass,
            },
            fingerprint: &self.certificate,
            setup: match &self.remote {
                None => Setup::Either,
                Some(remote) if remote.setup == Setup::Active => Setup::Passive,
                Some(_) => Setup::Active,
            },
            mid: self.mid(),
        };
        let text = text.to_sdp();
        self.find(rtc);
        text
    }

    /// The name of the one section; who offers says it.
    fn mid(&self) -> &str {
        self.remote.as_ref().map_or("0", |remote| &remote.mid)
    }

    /// Looks for ways to this end.
    fn find(&mut self, rtc: &mut Rtc) {
        if self.questions.is_some() {
            return;
        }
        for ip in self.hosts.clone() {
            let port = self.port(&ip).map(|port| port.socket.local().port());
            if let Some(port) = port {
                let host = Found::host(SocketAddr::new(ip, port), "udp");
                self.found(rtc, host.ok());
            }
        }
        let now = Instant::now();
        let mut servers = self.servers.clone();
        servers.retain(|server| self.port(&server.ip()).is_some());
        let questions = Questions::new(&servers, now, platform::entropy);
        self.questions = Some(questions);
        self.tell_end();
    }

    /// One more way to this end.
    fn found(&mut self, rtc: &mut Rtc, way: Option<Found>) {
        let Some(text) = way.and_then(|way| rtc.add_local_candidate(way).map(Found::to_sdp_string))
        else {
            return;
        };
        let own = rtc.direct_api().local_ice_credentials();
        self.tell(News::Found(Trickled::Candidate(Candidate {
            text,
            mid: Some(self.mid().to_owned()),
            line: Some(0),
            ufrag: Some(own.ufrag),
        })));
    }

    /// Tells that there are no more, if it is so.
    fn tell_end(&mut self) {
        if self.questions.as_ref().is_some_and(Questions::is_over) {
            self.tell(News::Found(Trickled::End));
        }
    }

    /// Nobody listens once the connection was handed over.
    fn tell(&mut self, news: News) {
        let _ = self.tell.try_send(news);
    }

    fn accept(&mut self, rtc: &mut Rtc, text: &str) -> Result<(), String> {
        let dialled = self.init.is_some();
        let remote = Remote::parse(text, !dialled).map_err(|error| error.to_string())?;
        let mut api = rtc.direct_api();
        api.set_remote_ice_credentials(agent::credentials(&remote.credentials));
        api.set_remote_fingerprint(DtlsFingerprint {
            hash_func: "sha-256".into(),
            bytes: remote.fingerprint.digest().to_vec(),
        });
        let greets = remote.setup != Setup::Active;
        if !greets {
            greet(rtc, false).map_err(|error| error.to_string())?;
        }
        self.remote = Some(Described {
            ufrag: remote.credentials.ufrag,
            mid: remote.mid,
            setup: remote.setup,
            greets,
        });
        for candidate in &remote.candidates {
            self.add(rtc, candidate);
        }
        Ok(())
    }

    fn add(&mut self, rtc: &mut Rtc, candidate: &Candidate) {
        let Some(remote) = &self.remote else {
            return;
        };
        let loopback = self.hosts.iter().any(IpAddr::is_loopback);
        if let Some(way) = hosts::reachable(candidate, &remote.ufrag, loopback) {
            rtc.add_remote_candidate(way);
        }
    }

    fn port(&mut self, like: &IpAddr) -> Option<&mut Port> {
        let mut ports = self.ports.iter_mut();
        ports.find(|port| port.socket.local().is_ipv4() == like.is_ipv4())
    }
}

/// Begins the handshake, or waits for that of the remote.
fn greet(rtc: &mut Rtc, first: bool) -> Result<(), str0m::RtcError> {
    let mut api = rtc.direct_api();
    api.start_dtls(first)?;
    api.start_sctp(first);
    Ok(())
}

impl Way for Negotiated {
    fn remote(&self) -> SocketAddr {
        self.last
    }

    fn ends(&self, arrived: &Arrived) -> (SocketAddr, SocketAddr) {
        (arrived.source, arrived.local)
    }

    fn heard(&mut self, now: Instant, _: &Arrived, _: &[u8]) {
        if self.connected {
            self.silent_at = now + limits::SILENCE;
        }
    }

    fn settle(&mut self) {}

    fn transmit(&mut self, transmit: &Transmit) {
        let (from, to) = (transmit.source.ip(), transmit.destination);
        if is_record(&transmit.contents) {
            self.last = to;
        }
        if let Some(port) = self.port(&from) {
            port.outgoing.push(Some(from), to, &transmit.contents);
        }
    }

    async fn send(&mut self) {
        for port in &mut self.ports {
            port.outgoing.send(&port.socket).await;
        }
    }

    fn silent_at(&self) -> Instant {
        self.silent_at
    }

    fn intercepts(&mut self, rtc: &mut Rtc, arrived: &Arrived, datagram: &[u8]) -> bool {
        let answered = match &mut self.questions {
            Some(questions) if !questions.is_over() => questions.answered(arrived.source, datagram),
            _ => None,
        };
        let Some(seen) = answered else {
            return false;
        };
        // Where nothing of the remote's would be taken there is no way.
        if let Some(seen) = seen
            && self.hosts.contains(&arrived.local.ip())
        {
            let way = Found::server_reflexive(seen, arrived.local, "udp");
            self.found(rtc, way.ok());
        }
        self.tell_end();
        true
    }

    /// Checks have to be authentic, and other things have to come from where such checks came from.
    fn admits(&mut self, rtc: &Rtc, input: &Input<'_>, from: SocketAddr, datagram: &[u8]) -> bool {
        let known = self.checked.contains(&from);
        if is_record(datagram) {
            return known || rtc.accepts(input);
        }
        let authentic = is_stun(datagram) && rtc.accepts(input);
        if authentic && !known {
            self.checked.truncate(limits::CHECKED_SOURCES - 1);
            self.checked.insert(0, from);
        }
        authentic
    }

    async fn asked(&mut self) {
        if let Some(asks) = &mut self.asks {
            self.asked = asks.next().await;
            if self.asked.is_some() {
                return;
            }
        }
        self.asks = None;
        std::future::pending().await
    }

    fn due(&self) -> Option<Instant> {
        self.questions.as_ref().and_then(Questions::due)
    }

    fn work(&mut self, rtc: &mut Rtc, now: Instant) -> Result<(), Ended> {
        if let Some(ask) = self.asked.take() {
            self.answer(rtc, ask);
            // Until it knows the time, the stack checks nothing.
            rtc.handle_input(Input::Timeout(now)).map_err(broken)?;
        }
        let Some(questions) = &mut self.questions else {
            return Ok(());
        };
        let waited = !questions.is_over();
        while let Some((server, question)) = questions.next(now) {
            let same = |port: &&mut Port| port.socket.local().is_ipv4() == server.is_ipv4();
            if let Some(port) = self.ports.iter_mut().find(same) {
                port.outgoing.push(None, server, &question);
            }
        }
        if waited {
            self.tell_end();
        }
        Ok(())
    }

    fn on_event(&mut self, rtc: &mut Rtc, event: &Event) -> Result<(), Ended> {
        match event {
            // Not before, or what it says first would be repeated into the void ever more rarely.
            Event::IceConnectionStateChange(state) if state.is_connected() => {
                if let Some(remote) = &mut self.remote
                    && std::mem::take(&mut remote.greets)
                {
                    greet(rtc, true).map_err(broken)?;
                }
            }
            Event::Connected => {
                self.connected = true;
                let _ = self.seen.set(self.last);
                self.silent_at = Instant::now() + limits::SILENCE;
                if self.init.is_none() {
                    self.tell(News::Connected);
                }
            }
            Event::ChannelOpen(id, _) if Some(*id) == self.init => self.tell(News::Connected),
            _ => {}
        }
        Ok(())
    }
}
