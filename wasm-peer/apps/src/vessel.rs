//! The browser's WebRTC, as the negotiation of a direct connection uses it.
//!
//! The connection itself is made and kept by the engine, which must see from the first moment on what arrives on it.
//! Here it is described, and found ways for, until it stands.

use std::cell::RefCell;
use std::net::IpAddr;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use js_sys::{Array, Function, Object, Promise, Reflect};
use send_wrapper::SendWrapper;
use warren_page::host::{describe, on_page};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::PeerId;
use warren_shared::net::borrowed::error_of;
use warren_shared::net::webrtc::agent;
use warren_shared::net::webrtc::{News, Stack};
use warren_shared::webrtc::signaling::candidate::{Candidate, Trickled};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::engine::Lending;

/// Where a remote is when the browser does not tell, as it does of those that it has heard of by their packets only. Peers
/// tell each other where they see them, and js-libp2p fails to identify who sees it at an address without an IP.
const SEEN_NOWHERE: &str = "/ip4/0.0.0.0/udp/0/webrtc";

#[wasm_bindgen]
extern "C" {
    /// `Vessel` of the engine's module: a connection that leads nowhere yet.
    #[derive(Clone)]
    pub type Vessel;

    #[wasm_bindgen(method)]
    fn raw(this: &Vessel) -> RtcPeer;

    /// Closes it.
    #[wasm_bindgen(method)]
    fn free(this: &Vessel);

    /// A peer connection of the browser.
    #[derive(Clone)]
    type RtcPeer;

    #[wasm_bindgen(method, catch, js_name = createDataChannel)]
    fn create_data_channel(this: &RtcPeer, label: &str) -> Result<Events, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setLocalDescription)]
    fn set_local_description(this: &RtcPeer) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setRemoteDescription)]
    fn set_remote_description(this: &RtcPeer, description: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = addIceCandidate)]
    fn add_ice_candidate(this: &RtcPeer, candidate: &JsValue) -> Result<Promise, JsValue>;

    /// Something that tells what happens to it.
    #[derive(Clone)]
    type Events;

    #[wasm_bindgen(method, js_name = addEventListener)]
    fn listen(this: &Events, name: &str, listener: &JsValue);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn forget(this: &Events, name: &str, listener: &JsValue);

    #[wasm_bindgen(method)]
    fn close(this: &Events);
}

/// How connections are made, and to whom they are given.
pub struct PageStacks {
    engine: SendWrapper<Lending>,
    /// Settings of an `RTCPeerConnection`, as the application gave them.
    settings: SendWrapper<JsValue>,
}

impl PageStacks {
    pub fn new(engine: Lending, settings: JsValue) -> PageStacks {
        PageStacks {
            engine: SendWrapper::new(engine),
            settings: SendWrapper::new(settings),
        }
    }
}

impl agent::Stacks for PageStacks {
    fn make(&self, servers: Vec<String>) -> Box<dyn agent::Vessel> {
        let settings = with_servers(&self.settings, &servers);
        let (tell, news) = mpsc::unbounded();
        Box::new(PageStack {
            engine: self.engine.clone(),
            settings: SendWrapper::new(settings.unwrap_or_else(|_| (*self.settings).clone())),
            vessel: SendWrapper::new(RefCell::new(None)),
            tell,
            news,
        })
    }
}

/// The servers of the application, and then those of the relays.
fn with_servers(settings: &JsValue, stun: &[String]) -> std::result::Result<JsValue, JsValue> {
    let all = Object::assign(&Object::new(), settings.unchecked_ref());
    let given = Reflect::get(&all, &"iceServers".into())?;
    let servers = match given.is_object() {
        true => Array::from(&given),
        false => Array::new(),
    };
    for url in stun {
        let server = Object::new();
        Reflect::set(&server, &"urls".into(), &url.into())?;
        servers.push(&server);
    }
    Reflect::set(&all, &"iceServers".into(), &servers)?;
    Ok(all.into())
}

/// One attempt. The connection is made when there is a sensible offer, and closed when this is dropped before it was
/// handed over.
struct PageStack {
    engine: SendWrapper<Lending>,
    settings: SendWrapper<JsValue>,
    vessel: SendWrapper<RefCell<Option<Boarded>>>,
    tell: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
}

/// A connection and what listens to it.
struct Boarded {
    vessel: Vessel,
    peer: RtcPeer,
    ears: Vec<Ear>,
    init: Option<Events>,
    /// The engine has it.
    adopted: bool,
}

struct Ear {
    of: Events,
    name: &'static str,
    closure: Closure<dyn FnMut(JsValue)>,
}

impl Ear {
    fn new(of: &Events, name: &'static str, hear: impl FnMut(JsValue) + 'static) -> Ear {
        let closure = Closure::<dyn FnMut(JsValue)>::new(hear);
        of.listen(name, closure.as_ref());
        Ear {
            of: of.clone(),
            name,
            closure,
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.of.forget(self.name, self.closure.as_ref());
    }
}

impl Drop for Boarded {
    fn drop(&mut self) {
        self.ears.clear();
        if let Some(init) = self.init.take() {
            init.close();
        }
        if !self.adopted {
            self.vessel.free();
        }
    }
}

impl PageStack {
    /// The connection, made now if there is none. Who dials has something to connect from the beginning.
    fn board(&self, dials: bool) -> std::result::Result<RtcPeer, JsValue> {
        if let Some(boarded) = &*self.vessel.borrow() {
            return Ok(boarded.peer.clone());
        }
        let vessel = self.engine.vessel(&self.settings)?;
        let vessel: Vessel = vessel.unchecked_into();
        let peer = vessel.raw();
        let events: &Events = peer.unchecked_ref();
        let mut boarded = Boarded {
            vessel,
            peer: peer.clone(),
            ears: Vec::new(),
            init: None,
            adopted: false,
        };
        let tell = self.tell.clone();
        boarded
            .ears
            .push(Ear::new(events, "icecandidate", move |event| {
                let _ = tell.unbounded_send(News::Found(found(&event)));
            }));
        let (tell, seen) = (self.tell.clone(), peer.clone());
        let changed = move |_| {
            if let Some(news) = state(&seen, dials) {
                let _ = tell.unbounded_send(news);
            }
        };
        boarded
            .ears
            .push(Ear::new(events, "connectionstatechange", changed));
        if dials {
            let init = peer.create_data_channel("init")?;
            let tell = self.tell.clone();
            boarded.ears.push(Ear::new(&init, "open", move |_| {
                let _ = tell.unbounded_send(News::Connected);
            }));
            boarded.init = Some(init);
        }
        self.vessel.borrow_mut().replace(boarded);
        Ok(peer)
    }
}

/// Who has dialled is connected when its channel is open, which is later.
fn state(peer: &RtcPeer, dials: bool) -> Option<News> {
    let state = Reflect::get(peer, &"connectionState".into()).ok()?;
    match state.as_string()?.as_str() {
        "connected" if !dials => Some(News::Connected),
        "failed" | "closed" => Some(News::Unreachable),
        _ => None,
    }
}

/// What an event says of the ways to this end.
fn found(event: &JsValue) -> Trickled {
    let read = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let Some(candidate) = read(event, "candidate").filter(JsValue::is_object) else {
        return Trickled::End;
    };
    let text = |name| read(&candidate, name).and_then(|value| value.as_string());
    let Some(line) = text("candidate").filter(|text| !text.is_empty()) else {
        return Trickled::End;
    };
    Trickled::Candidate(Candidate {
        text: line,
        mid: text("sdpMid"),
        line: read(&candidate, "sdpMLineIndex")
            .and_then(|value| value.as_f64())
            .map(|index| index as u16),
        ufrag: text("usernameFragment"),
    })
}

impl Stack for PageStack {
    fn describe(&mut self, offer: bool) -> BoxFuture<'static, std::result::Result<String, String>> {
        let peer = self.board(offer);
        worked(async move {
            let peer = peer?;
            JsFuture::from(peer.set_local_description()?).await?;
            let description = Reflect::get(&peer, &"localDescription".into())?;
            let text = Reflect::get(&description, &"sdp".into())?;
            text.as_string()
                .ok_or_else(|| "the browser has no description".into())
        })
    }

    fn accept(
        &mut self,
        offer: bool,
        text: String,
    ) -> BoxFuture<'static, std::result::Result<(), String>> {
        let peer = self.board(!offer);
        worked(async move {
            let description = Object::new();
            let kind = if offer { "offer" } else { "answer" };
            Reflect::set(&description, &"type".into(), &kind.into())?;
            Reflect::set(&description, &"sdp".into(), &text.into())?;
            JsFuture::from(peer?.set_remote_description(&description)?).await?;
            Ok(())
        })
    }

    /// Whether it leads anywhere is for the browser to find out.
    fn add(&mut self, candidate: Option<Candidate>) {
        let vessel = self.vessel.borrow();
        let (Some(boarded), Some(candidate)) = (&*vessel, candidate) else {
            return;
        };
        let init = Object::new();
        let set = |name: &str, value: JsValue| drop(Reflect::set(&init, &name.into(), &value));
        set("candidate", candidate.text.into());
        set("sdpMid", candidate.mid.map_or(JsValue::NULL, Into::into));
        set(
            "sdpMLineIndex",
            candidate.line.map_or(JsValue::NULL, Into::into),
        );
        if let Some(ufrag) = candidate.ufrag {
            set("usernameFragment", ufrag.into());
        }
        if let Ok(promise) = boarded.peer.add_ice_candidate(&init) {
            wasm_bindgen_futures::spawn_local(async move {
                let _ = JsFuture::from(promise).await;
            });
        }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        match self.news.poll_next_unpin(cx) {
            Poll::Ready(Some(news)) => Poll::Ready(news),
            // This end tells, too: the channel never ends.
            _ => Poll::Pending,
        }
    }
}

impl agent::Vessel for PageStack {
    fn adopt(self: Box<Self>, peer: &PeerId) -> Result<()> {
        let Some(mut boarded) = self.vessel.borrow_mut().take() else {
            return Err(Error::new(
                Code::Internal,
                "there is no connection to hand over",
            ));
        };
        boarded.adopted = true;
        let seen = seen(&boarded.peer).unwrap_or_else(|| SEEN_NOWHERE.to_owned());
        let adopted = self.engine.adopt(&boarded.vessel, &peer.to_string(), &seen);
        adopted.map_err(|thrown| error_of(&describe(&thrown)))
    }
}

/// Where the remote is, as a multiaddress, where the browser tells.
fn seen(peer: &RtcPeer) -> Option<String> {
    let read = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let ice = ["sctp", "transport", "iceTransport"]
        .into_iter()
        .try_fold(JsValue::from(peer), |of, name| read(&of, name))?;
    let pair: Function = read(&ice, "getSelectedCandidatePair")?.dyn_into().ok()?;
    let remote = read(&pair.call0(&ice).ok()?, "remote")?;
    let ip: IpAddr = read(&remote, "address")?.as_string()?.parse().ok()?;
    let port = read(&remote, "port")?.as_f64()? as u16;
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    Some(format!("/{family}/{ip}/udp/{port}/webrtc"))
}

fn worked<T: Send + 'static>(
    work: impl Future<Output = std::result::Result<T, JsValue>> + 'static,
) -> BoxFuture<'static, std::result::Result<T, String>> {
    let done = on_page(async move { Ok(work.await.map_err(|thrown| describe(&thrown))) });
    Box::pin(async move { done.await.map_err(|error| error.to_string())? })
}
