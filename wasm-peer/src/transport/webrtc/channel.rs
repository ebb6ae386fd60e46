//! One data channel: a bounded window towards the browser, and a queue of what has arrived.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use warren_shared::net::webrtc::{Channel, Received};
use warren_shared::platform;
use warren_shared::webrtc::stream;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use super::super::handler::Handler;
use super::link::Link;
use warren_page::host::describe;

/// Bytes that the browser may hold of one channel: 100 ms at 10 MiB/s. With buffers many times
/// larger, browsers stop telling when they are empty.
const WINDOW: u32 = 1024 * 1024;
/// The sender is woken at this level, early enough that the browser never runs dry.
const LOW_WATER: u32 = WINDOW / 2;
/// Bytes that wait for a channel to open: a first request, not a transfer.
const EARLY: usize = 64 * 1024;
/// Unread bytes of one channel; its stream gives up below that, so more can only mean that nobody
/// looks at the stream at all.
const MAX_UNREAD: usize = stream::MAX_UNREAD + 1024 * 1024;
/// What a waiting message costs beside its bytes.
const OVERHEAD: usize = 64;
/// A channel that nobody uses any more is closed when the remote has not confirmed it by then.
const OPENING: Duration = Duration::from_secs(10);

/// A data channel as a stream holds it. Dropping it closes it.
pub(super) struct DataChannel(SendWrapper<Rc<Wire>>);

/// A data channel as its handlers and its connection hold it.
pub(super) struct Wire {
    id: u64,
    js: RtcDataChannel,
    link: Rc<Link>,
    state: RefCell<State>,
    handlers: RefCell<Vec<Handler>>,
}

#[derive(Default)]
struct State {
    early: VecDeque<Vec<u8>>,
    early_bytes: usize,
    inbox: VecDeque<Bytes>,
    /// What the inbox costs, and what was taken from it and is not read.
    unread: usize,
    /// The second part of that.
    taken: usize,
    /// More arrived than may wait; the stream is told once.
    overrun: bool,
    /// Nothing more will arrive.
    over: bool,
    /// Nobody holds the channel any more.
    given_up: bool,
    waker: Option<Waker>,
}

impl DataChannel {
    /// Takes over a channel before anything can happen on it.
    pub fn new(js: RtcDataChannel, link: &Rc<Link>) -> Self {
        js.set_binary_type(RtcDataChannelType::Arraybuffer);
        js.set_buffered_amount_low_threshold(LOW_WATER);
        let wire = link.add(|id| {
            Rc::new(Wire {
                id,
                js,
                link: link.clone(),
                state: RefCell::default(),
                handlers: RefCell::default(),
            })
        });
        wire.listen();
        DataChannel(SendWrapper::new(wire))
    }
}

impl Wire {
    fn listen(self: &Rc<Self>) {
        let handle = |name, run: fn(&Rc<Wire>, JsValue)| {
            let wire = self.clone();
            Handler::new(&self.js, name, move |event| run(&wire, event))
        };
        *self.handlers.borrow_mut() = vec![
            handle("onmessage", |wire, event| wire.on_message(event)),
            handle("onopen", |wire, _| wire.on_open()),
            handle("onbufferedamountlow", |wire, _| wire.wake()),
            handle("onclose", |wire, _| wire.on_close()),
        ];
    }

    fn on_message(&self, event: JsValue) {
        let data = event.unchecked_into::<MessageEvent>().data();
        let Some(buffer) = data.dyn_ref::<ArrayBuffer>() else {
            // No implementation sends text; going on without it would corrupt the stream.
            return self.overrun();
        };
        let message = Bytes::from(Uint8Array::new(buffer).to_vec());
        let mut state = self.state.borrow_mut();
        if state.over || state.given_up {
            return;
        }
        let cost = message.len() + OVERHEAD;
        if state.unread + cost > MAX_UNREAD {
            drop(state);
            return self.overrun();
        }
        if !self.link.arrived(cost) {
            state.over = true;
            return;
        }
        state.unread += cost;
        state.inbox.push_back(message);
        drop(state);
        self.wake();
    }

    /// What arrived cannot be kept, so nothing after it may be read either.
    fn overrun(&self) {
        let mut state = self.state.borrow_mut();
        state.over = true;
        state.overrun = true;
        state.inbox.clear();
        let taken = state.taken;
        let dropped = std::mem::replace(&mut state.unread, taken) - taken;
        drop(state);
        self.link.read(dropped);
        self.js.close();
        self.wake();
    }

    fn on_open(self: &Rc<Self>) {
        // What cannot be sent now is lost with the channel, which then says so by itself.
        let _ = self.flush();
        if !self.state.borrow().given_up {
            return self.wake();
        }
        self.js.close();
        self.release_soon();
    }

    fn on_close(self: &Rc<Self>) {
        self.state.borrow_mut().over = true;
        if self.state.borrow().given_up {
            return self.release_soon();
        }
        self.wake();
    }

    /// Releases, but not from inside a handler, which would go with it.
    fn release_soon(self: &Rc<Self>) {
        let wire = self.clone();
        platform::spawn(async move { wire.release() });
    }

    /// Sends what waited for the channel to open.
    fn flush(&self) -> io::Result<()> {
        loop {
            let Some(message) = self.state.borrow_mut().early.pop_front() else {
                self.state.borrow_mut().early_bytes = 0;
                return Ok(());
            };
            self.transmit(&message)?;
        }
    }

    fn transmit(&self, message: &[u8]) -> io::Result<()> {
        self.js
            .send_with_u8_array(message)
            .map_err(|cause| io::Error::new(io::ErrorKind::ConnectionReset, describe(&cause)))
    }

    fn send(&self, message: Vec<u8>) -> io::Result<()> {
        match self.js.ready_state() {
            RtcDataChannelState::Connecting if !self.state.borrow().over => {
                let mut state = self.state.borrow_mut();
                state.early_bytes += message.len();
                state.early.push_back(message);
                Ok(())
            }
            RtcDataChannelState::Open => {
                self.flush()?;
                self.transmit(&message)
            }
            _ => Err(closed()),
        }
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.borrow_mut();
        let room = match self.js.ready_state() {
            _ if state.over => return Poll::Ready(Err(closed())),
            RtcDataChannelState::Connecting => state.early_bytes < EARLY,
            RtcDataChannelState::Open => self.js.buffered_amount() < WINDOW,
            _ => return Poll::Ready(Err(closed())),
        };
        if room {
            return Poll::Ready(Ok(()));
        }
        state.register(cx);
        Poll::Pending
    }

    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Received> {
        let mut state = self.state.borrow_mut();
        if std::mem::take(&mut state.overrun) {
            return Poll::Ready(Received::Overrun);
        }
        if let Some(message) = state.inbox.pop_front() {
            state.taken += message.len() + OVERHEAD;
            return Poll::Ready(Received::Message(message));
        }
        if state.over {
            return Poll::Ready(Received::Closed);
        }
        state.register(cx);
        Poll::Pending
    }

    fn hold(&self, bytes: usize) -> u64 {
        let mut state = self.state.borrow_mut();
        if !state.given_up {
            let before = std::mem::replace(&mut state.taken, bytes);
            state.unread = state.unread - before + bytes;
            self.link.read(before);
            self.link.keep(bytes);
        }
        self.link.window()
    }

    /// Whether the browser has something of it that the remote may not have.
    pub fn is_sending(&self) -> bool {
        let open = matches!(
            self.js.ready_state(),
            RtcDataChannelState::Open | RtcDataChannelState::Closing
        );
        open && self.js.buffered_amount() > 0
    }

    /// The stream is done with the channel.
    fn give_up(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if std::mem::replace(&mut state.given_up, true) {
            return;
        }
        self.link.read(std::mem::take(&mut state.unread));
        state.taken = 0;
        state.inbox.clear();
        let waits = !state.over && !state.early.is_empty();
        drop(state);
        // What was sent before the channel opened still has to go: it ends the stream remotely.
        if waits && self.js.ready_state() == RtcDataChannelState::Connecting {
            let wire = self.clone();
            return platform::spawn(async move {
                platform::sleep(OPENING).await;
                // Closed or not, nobody waits for it any more.
                wire.js.close();
                wire.release();
            });
        }
        let _ = self.flush();
        self.js.close();
        self.release();
    }

    /// The connection is over, and with it the channel; what has arrived can still be read.
    pub fn cut(&self) {
        self.handlers.take();
        self.state.borrow_mut().over = true;
        self.wake();
    }

    fn release(&self) {
        self.handlers.take();
        self.link.remove(self.id);
    }

    fn wake(&self) {
        let waker = self.state.borrow_mut().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn register(&mut self, cx: &Context<'_>) {
        self.waker.replace(cx.waker().clone());
    }
}

impl Channel for DataChannel {
    /// Whoever sends waits here for the thread of the browser that is busy with what arrives: limits are told rarely.
    const LIMIT_STEP: u64 = stream::WINDOW / 4;

    fn largest(&self) -> usize {
        self.0.link.largest.get()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        self.0.send(message)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        self.0.poll_receive(cx)
    }

    fn hold(&mut self, bytes: usize) -> u64 {
        self.0.hold(bytes)
    }

    fn close(&mut self) {
        self.0.give_up();
    }
}

impl Drop for DataChannel {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the data channel is closed")
}
