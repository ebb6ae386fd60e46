//! WebRTC-direct: a browser reaches a server that has neither domain nor certificate.
//!
//! Here is the policy of a dial: which certificate, which version of the protocol, how long. What
//! one call does is in [`dial`], what the connection then is in [`connection`] and [`channel`]. Connections that
//! another module has negotiated come in by [`adopted`].

mod adopted;
mod channel;
mod connection;
mod dial;
mod link;
mod peer;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, Ready, ready, select};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport};
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::DIAL_DEADLINE;
use warren_shared::net::address;
use warren_shared::net::swarm::Connections;
use warren_shared::net::webrtc::{Muxer, Target};
use warren_shared::platform;
use warren_shared::webrtc::ufrag::Version;
use warren_shared::webrtc::versions::{Plan, Versions};
use wasm_bindgen::JsValue;

use self::adopted::Adopted;
pub use self::adopted::{Adoption, Vessel};
use self::connection::PeerConnection;
use self::dial::Attempt;

/// How long a server may be silent before another version is tried beside the first: three round
/// trips to the other end of the world, or the first repeated packet.
const MOMENT: Duration = Duration::from_millis(1_500);

thread_local! {
    static VERSIONS: RefCell<Versions> = RefCell::default();
}

type Connected = (PeerId, PeerConnection);

/// Whether this place has WebRTC: windows do; workers and Node usually do not.
pub(super) fn available() -> bool {
    let global = js_sys::global();
    js_sys::Reflect::get(&global, &JsValue::from_str("RTCPeerConnection"))
        .is_ok_and(|found| found.is_function())
}

pub(super) fn transport(key: &Keypair, adoption: &Adoption) -> Connections {
    let (key, adopted) = (key.clone(), adoption.begin());
    Dialler { key, adopted }
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(Muxer::new(connection))))
        .boxed()
}

struct Dialler {
    key: Keypair,
    adopted: mpsc::UnboundedReceiver<Adopted>,
}

impl Transport for Dialler {
    type Output = Connected;
    type Error = Failed;
    type ListenerUpgrade = Ready<Result<Connected, Failed>>;
    type Dial = BoxFuture<'static, Result<Connected, Failed>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Failed>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<Failed>> {
        let Some(target) = Target::of(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let key = self.key.clone();
        let dial = async move { dial(&target, &key).await.map_err(Failed) };
        // Everything here stays on the one thread that the page or worker has.
        Ok(SendWrapper::new(dial).boxed())
    }

    /// Nobody calls a browser; what was negotiated elsewhere looks as if somebody had.
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Failed>> {
        let Poll::Ready(Some((peer, seen, connection))) = self.adopted.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(TransportEvent::Incoming {
            listener_id: ListenerId::next(),
            send_back_addr: address::with_peer(seen, peer),
            local_addr: Multiaddr::empty().with(Protocol::WebRTC),
            upgrade: ready(Ok((peer, connection))),
        })
    }
}

async fn dial(target: &Target, key: &Keypair) -> Result<Connected> {
    if target.socket.ip().is_loopback() && is_firefox() {
        return Err(Error::new(
            Code::Unsupported,
            "Firefox does not use WebRTC to addresses of this machine itself; WebSocket works",
        ));
    }
    let late = platform::sleep(DIAL_DEADLINE);
    let suspicion = RefCell::new(None);
    match select(pin!(dial_certificates(target, key, &suspicion)), late).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(suspicion.take().unwrap_or_else(|| {
            Error::new(Code::TimedOut, "no answer by UDP in time")
                .with_remedy("Check that UDP gets through to the server; WebSocket needs none.")
        })),
    }
}

/// What is probably wrong when no answer comes at all.
type Suspicion = RefCell<Option<Error>>;

/// A description names one certificate, so several are tried one after the other. A wrong one fails
/// as soon as the server has answered.
async fn dial_certificates(
    target: &Target,
    key: &Keypair,
    suspicion: &Suspicion,
) -> Result<Connected> {
    let mut last = None;
    for &certificate in &target.certificates {
        let plan = VERSIONS.with_borrow(|versions| versions.plan(&certificate));
        let attempt = |version| Attempt {
            socket: target.socket,
            certificate,
            version,
            key,
        };
        match dial_versions(plan, attempt, suspicion).await {
            Ok((version, connected)) => {
                VERSIONS.with_borrow_mut(|versions| versions.learn(certificate, version));
                return Ok(connected);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(Code::Internal, "an address without a certificate")))
}

/// The first version, and the other beside it when the server does not answer. The first success
/// wins, and the loser hangs up by being dropped.
async fn dial_versions<'a>(
    Plan { first, beside }: Plan,
    attempt: impl Fn(Version) -> Attempt<'a>,
    suspicion: &Suspicion,
) -> Result<(Version, Connected)> {
    let call = |version, answered| {
        let calling = attempt(version).run(answered);
        calling.map(move |result| result.map(|connected| (version, connected)))
    };
    let (answered, other_answered) = (Cell::new(false), Cell::new(false));
    let mut calling = pin!(call(first, &answered));
    let failure = match select(&mut calling, platform::sleep(MOMENT)).await {
        Either::Left((Ok(won), _)) => return Ok(won),
        Either::Left((Err(failure), _)) => Some(failure),
        Either::Right(_) => None,
    };
    let Some(beside) = beside.filter(|_| !answered.get()) else {
        return match failure {
            Some(failure) => Err(failure),
            None => calling.await,
        };
    };
    let other = pin!(call(beside, &other_answered));
    if failure.is_some() {
        return other.await;
    }
    match select(calling, other).await {
        Either::Left((Ok(won), _)) | Either::Right((Ok(won), _)) => Ok(won),
        Either::Left((Err(_), other)) => other.await,
        Either::Right((Err(failure), calling)) => {
            // The first may still get an answer; when it does not, the other knows why.
            suspicion.replace(Some(failure.clone()));
            calling.await.map_err(|_| failure)
        }
    }
}

/// Firefox sends no ICE to loopback addresses, whatever its settings say.
fn is_firefox() -> bool {
    let get = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &name.into()).ok();
    get(&js_sys::global(), "navigator")
        .and_then(|navigator| get(&navigator, "userAgent"))
        .and_then(|agent| agent.as_string())
        .is_some_and(|agent| agent.contains("Firefox/"))
}

/// An error whose text says what lies underneath: it is all that a dial's state can show.
#[derive(Debug)]
struct Failed(Error);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.message())?;
        match self.0.cause() {
            Some(cause) => write!(formatter, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failed {}
