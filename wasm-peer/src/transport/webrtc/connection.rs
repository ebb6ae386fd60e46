//! A peer connection: it takes channels, makes channels, and notices when the remote is gone.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::webrtc::Session;
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use web_sys::RtcDataChannelEvent;

use super::super::handler::Handler;
use super::channel::DataChannel;
use super::link::Link;
use super::peer::RtcPeer;
use warren_page::host::describe;

/// How long ICE may say that it hears nothing. Browsers say so five to eight seconds after the last
/// packet (measured in Chromium, later in the middle of an upload); both together stay below ten.
const SILENCE: Duration = Duration::from_millis(1_500);

/// How long the end of a connection may take while something is still being sent.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often that is looked at: no event says it of a connection as a whole.
const LOOK: Duration = Duration::from_millis(20);

/// A peer connection. Dropping it closes it and releases everything of it.
pub(super) struct PeerConnection {
    inner: SendWrapper<Inner>,
    patience: Option<BoxFuture<'static, ()>>,
    goodbye: Option<BoxFuture<'static, ()>>,
}

struct Inner {
    js: RtcPeer,
    link: Rc<Link>,
    handlers: Vec<Handler>,
}

impl PeerConnection {
    /// A connection that leads nowhere yet, but misses nothing from the first moment on.
    pub fn new() -> Result<Self> {
        PeerConnection::with(&JsValue::UNDEFINED)
    }

    /// The same with settings: which servers tell this peer where it is.
    pub fn with(settings: &JsValue) -> Result<Self> {
        let js = RtcPeer::open(settings)?;
        let link = Rc::new(Link::default());
        let mut handlers = Vec::new();
        let inbound = link.clone();
        handlers.push(Handler::new(&js, "ondatachannel", move |event| {
            let channel = event.unchecked_into::<RtcDataChannelEvent>().channel();
            // Whoever negotiates a connection opens one that carries nothing.
            if channel.label() != "init" {
                inbound.offer(DataChannel::new(channel, &inbound));
            }
        }));
        for name in ["onconnectionstatechange", "oniceconnectionstatechange"] {
            let (peer, link) = (js.clone(), link.clone());
            handlers.push(Handler::new(&js, name, move |_| examine(&peer, &link)));
        }
        let inner = SendWrapper::new(Inner { js, link, handlers });
        Ok(PeerConnection {
            inner,
            patience: None,
            goodbye: None,
        })
    }

    /// The browser's own object.
    pub fn js(&self) -> &RtcPeer {
        &self.inner.js
    }

    /// The channel that both ends have without a word.
    pub fn agreed_channel(&self, id: u16) -> Result<DataChannel> {
        match self.inner.js.agreed_channel(id) {
            Ok(channel) => Ok(DataChannel::new(channel, &self.inner.link)),
            Err(cause) => {
                let message = "the browser makes no data channels";
                Err(Error::new(Code::Unsupported, message).caused_by(describe(&cause)))
            }
        }
    }

    /// Watches what carries the channels too: it ends first when the remote says goodbye.
    pub fn watch_carrier(&mut self) {
        let sctp = self.inner.js.sctp();
        if !sctp.is_object() {
            return;
        }
        let (link, carrier) = (self.inner.link.clone(), sctp.clone());
        let largest = js_sys::Reflect::get(&sctp, &"maxMessageSize".into());
        let largest = largest.ok().and_then(|largest| largest.as_f64());
        link.largest.set(largest.unwrap_or_default() as usize);
        let handler = Handler::new(&sctp, "onstatechange", move |_| {
            let state = js_sys::Reflect::get(&carrier, &"state".into());
            if state.is_ok_and(|state| state == "closed") {
                link.end("the remote closed the connection");
            }
        });
        self.inner.handlers.push(handler);
    }

    fn shut(&mut self) {
        self.inner.handlers.clear();
        self.inner.link.end("this peer closed the connection");
        self.inner.link.cut();
        self.inner.js.close();
    }
}

/// Reads the states after one of them has changed.
fn examine(peer: &RtcPeer, link: &Link) {
    let connection = peer.connection_state().unwrap_or_default();
    let ice = peer.ice_state().unwrap_or_default();
    let either = |state: &str| connection == state || ice == state;
    if either("failed") {
        link.end("the remote cannot be reached any more");
    } else if either("closed") {
        link.end("the connection is closed");
    }
    link.silent.set(either("disconnected"));
    link.wake();
}

impl Session for PeerConnection {
    type Channel = DataChannel;

    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<DataChannel>> {
        self.inner.link.poll_inbound(cx)
    }

    fn poll_outbound(&mut self, _: &mut Context<'_>) -> Poll<io::Result<DataChannel>> {
        if let Some(reason) = self.inner.link.ended() {
            return Poll::Ready(Err(reason));
        }
        let channel = self.inner.js.channel();
        Poll::Ready(match channel {
            Ok(channel) => Ok(DataChannel::new(channel, &self.inner.link)),
            Err(cause) => Err(io::Error::other(describe(&cause))),
        })
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(reason) = self.inner.link.ended() {
            return Poll::Ready(reason);
        }
        self.inner.link.register(cx);
        if !self.inner.link.silent.get() {
            self.patience = None;
            return Poll::Pending;
        }
        let patience = self
            .patience
            .get_or_insert_with(|| platform::sleep(SILENCE));
        ready!(patience.poll_unpin(cx));
        self.inner.link.end("the remote is silent");
        self.poll_ended(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = &self.inner.link;
        let goodbye = self
            .goodbye
            .get_or_insert_with(|| sent(SendWrapper::new(link.clone())).boxed());
        ready!(goodbye.poll_unpin(cx));
        self.shut();
        Poll::Ready(Ok(()))
    }
}

/// Waits until the browser has sent what was written: it drops the rest when the connection closes.
async fn sent(link: SendWrapper<Rc<Link>>) {
    let looks = FAREWELL.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if link.ended().is_some() || !link.is_sending() {
            return;
        }
        platform::sleep(LOOK).await;
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.shut();
    }
}
