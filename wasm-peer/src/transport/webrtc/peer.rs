//! The few calls of `RTCPeerConnection` that we need, each of which may throw.

use js_sys::{Object, Promise, Reflect};
use warren_shared::error::{Code, Error, Result};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::RtcDataChannel;

use warren_page::host::describe;

#[wasm_bindgen]
extern "C" {
    /// A peer connection of the browser.
    #[derive(Clone)]
    #[wasm_bindgen(js_name = RTCPeerConnection)]
    pub type RtcPeer;

    #[wasm_bindgen(catch, constructor, js_class = "RTCPeerConnection")]
    fn create(settings: &JsValue) -> Result<RtcPeer, JsValue>;

    #[wasm_bindgen(catch, method, js_name = createDataChannel)]
    fn create_data_channel(
        this: &RtcPeer,
        label: &str,
        options: &JsValue,
    ) -> Result<RtcDataChannel, JsValue>;

    #[wasm_bindgen(catch, method, js_name = createOffer)]
    fn create_offer(this: &RtcPeer) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, method, js_name = setLocalDescription)]
    fn set_local_description(this: &RtcPeer, description: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, method, js_name = setRemoteDescription)]
    fn set_remote_description(this: &RtcPeer, description: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, getter, js_name = localDescription)]
    fn local_description(this: &RtcPeer) -> JsValue;

    /// What ICE and DTLS have come to.
    #[wasm_bindgen(method, getter, js_name = connectionState)]
    pub(super) fn connection_state(this: &RtcPeer) -> Option<String>;

    /// What ICE alone has come to.
    #[wasm_bindgen(method, getter, js_name = iceConnectionState)]
    pub(super) fn ice_state(this: &RtcPeer) -> Option<String>;

    /// What carries the data channels, once both descriptions are known.
    #[wasm_bindgen(method, getter)]
    pub(super) fn sctp(this: &RtcPeer) -> JsValue;

    /// Ends it; never throws.
    #[wasm_bindgen(method)]
    pub(super) fn close(this: &RtcPeer);
}

impl RtcPeer {
    /// A connection that leads nowhere yet.
    pub fn open(settings: &JsValue) -> Result<Self> {
        RtcPeer::create(settings).map_err(|cause| {
            Error::new(
                Code::Overloaded,
                "the browser does not give this page another WebRTC connection",
            )
            .caused_by(describe(&cause))
            .with_remedy("Reload the page: browsers count the connections of its whole life.")
        })
    }

    /// A channel that the remote is told about.
    pub fn channel(&self) -> Result<RtcDataChannel, JsValue> {
        self.create_data_channel("", &JsValue::UNDEFINED)
    }

    /// A channel that both ends make by themselves.
    pub fn agreed_channel(&self, id: u16) -> Result<RtcDataChannel, JsValue> {
        let options = Object::new();
        Reflect::set(&options, &"negotiated".into(), &JsValue::TRUE)?;
        Reflect::set(&options, &"id".into(), &id.into())?;
        self.create_data_channel("", &options)
    }

    /// What the browser would say to the remote.
    pub async fn offer(&self) -> Result<String, JsValue> {
        let offer = JsFuture::from(self.create_offer()?).await?;
        text_of(&offer)
    }

    /// Accepts the own half.
    pub async fn set_local(&self, offer: &str) -> Result<(), JsValue> {
        let offer = description("offer", offer)?;
        JsFuture::from(self.set_local_description(&offer)?).await?;
        Ok(())
    }

    /// The own half as the browser understood it.
    pub fn local(&self) -> Result<String, JsValue> {
        text_of(&self.local_description())
    }

    /// Accepts the remote's half.
    pub async fn set_remote(&self, answer: &str) -> Result<(), JsValue> {
        let answer = description("answer", answer)?;
        JsFuture::from(self.set_remote_description(&answer)?).await?;
        Ok(())
    }
}

fn description(kind: &str, sdp: &str) -> Result<JsValue, JsValue> {
    let object = Object::new();
    Reflect::set(&object, &"type".into(), &kind.into())?;
    Reflect::set(&object, &"sdp".into(), &sdp.into())?;
    Ok(object.into())
}

fn text_of(description: &JsValue) -> Result<String, JsValue> {
    Reflect::get(description, &"sdp".into())?
        .as_string()
        .ok_or_else(|| JsValue::from_str("the session description has no text"))
}
