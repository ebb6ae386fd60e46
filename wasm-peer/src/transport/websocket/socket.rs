//! One WebSocket as a stream of bytes.
//!
//! Browsers tell neither when a WebSocket has room again nor the remote when the page is slow. So whoever writes waits
//! with a timer, and only then; and what arrives is held back by the windows of the streams above.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use warren_page::host::describe;
use warren_shared::platform;
use wasm_bindgen::prelude::*;

use super::super::handler::Handler;

/// Bytes that the browser may hold: 20 ms at 50 MiB/s, several times what a timer takes.
const WINDOW: u32 = 1024 * 1024;
/// How long a writer waits until it looks again, the shortest that browsers keep.
const LOOK: Duration = Duration::from_millis(4);
/// Unread bytes: the windows of as many streams as a connection has. More is not sent by who keeps to them.
const MAX_UNREAD: u32 = 64 * 1024 * 1024;
/// `readyState` of one that can be used.
const OPEN: u16 = 1;

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    #[wasm_bindgen(js_name = WebSocket)]
    type WebSocket;

    #[wasm_bindgen(catch, constructor, js_class = "WebSocket")]
    fn new(url: &str) -> Result<WebSocket, JsValue>;

    #[wasm_bindgen(method, setter, js_name = binaryType)]
    fn set_binary_type(this: &WebSocket, kind: &str);

    #[wasm_bindgen(method, getter, js_name = readyState)]
    fn ready_state(this: &WebSocket) -> u16;

    #[wasm_bindgen(method, getter, js_name = bufferedAmount)]
    fn buffered_amount(this: &WebSocket) -> u32;

    #[wasm_bindgen(method, catch)]
    fn send(this: &WebSocket, bytes: &[u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    fn close(this: &WebSocket);

    type Arrived;

    #[wasm_bindgen(method, getter)]
    fn data(this: &Arrived) -> JsValue;
}

/// See the module. Dropping it closes it.
pub struct Socket(SendWrapper<Inner>);

struct Inner {
    js: WebSocket,
    state: Rc<RefCell<State>>,
    /// Until a writer looks again.
    patience: Option<BoxFuture<'static, ()>>,
    _handlers: Vec<Handler>,
}

#[derive(Default)]
struct State {
    /// What arrived, and how much of the first was read.
    inbox: VecDeque<Uint8Array>,
    read: u32,
    unread: u32,
    /// Why nothing more will arrive.
    over: Option<&'static str>,
    /// Whoever opens or closes it waits, who reads, and who writes.
    wakers: [Option<Waker>; 3],
}

/// Who waits.
#[derive(Clone, Copy)]
enum Who {
    Owner,
    Reader,
    Writer,
}

impl State {
    fn wait<T>(&mut self, who: Who, cx: &Context<'_>) -> Poll<T> {
        self.wakers[who as usize] = Some(cx.waker().clone());
        Poll::Pending
    }

    fn end(&mut self, why: &'static str) {
        self.over.get_or_insert(why);
        self.wake();
    }

    /// Wakes everybody: something has happened.
    fn wake(&mut self) {
        self.wakers
            .iter_mut()
            .filter_map(Option::take)
            .for_each(Waker::wake);
    }

    fn arrived(&mut self, data: &JsValue) {
        let bytes = Uint8Array::new(data);
        if self.over.is_some() || bytes.length() == 0 {
            return;
        }
        self.unread = self.unread.saturating_add(bytes.length());
        if self.unread > MAX_UNREAD {
            return self.end("the remote sends more than it may");
        }
        self.inbox.push_back(bytes);
        let reader = self.wakers[Who::Reader as usize].take();
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Socket {
    /// Connects.
    pub async fn open(url: &str) -> io::Result<Socket> {
        let js = WebSocket::new(url).map_err(|cause| io::Error::other(describe(&cause)))?;
        js.set_binary_type("arraybuffer");
        let state = Rc::new(RefCell::new(State::default()));
        let handle = |name, run: fn(&mut State, JsValue)| {
            let state = state.clone();
            Handler::new(&js, name, move |event| run(&mut state.borrow_mut(), event))
        };
        let handlers = vec![
            handle("onmessage", |state, event| {
                state.arrived(&event.unchecked_into::<Arrived>().data());
            }),
            handle("onopen", |state, _| state.wake()),
            handle("onerror", |state, _| state.end("the WebSocket failed")),
            handle("onclose", |state, _| state.end("the WebSocket was closed")),
        ];
        let socket = Socket(SendWrapper::new(Inner {
            js,
            state,
            patience: None,
            _handlers: handlers,
        }));
        poll_fn(|cx| socket.poll_open(cx)).await?;
        Ok(socket)
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.borrow_mut();
        match state.over {
            Some(why) => Poll::Ready(Err(broken(why))),
            None if self.0.js.ready_state() == OPEN => Poll::Ready(Ok(())),
            None => state.wait(Who::Owner, cx),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        let Some(first) = state.inbox.front() else {
            return match state.over {
                // What it carries says when it has ended well.
                Some(_) => Poll::Ready(Ok(0)),
                None => state.wait(Who::Reader, cx),
            };
        };
        let left = first.length() - state.read;
        let count = left.min(buffer.len() as u32);
        let piece = first.subarray(state.read, state.read + count);
        piece.copy_to(&mut buffer[..count as usize]);
        state.read += count;
        state.unread -= count;
        if count == left {
            state.inbox.pop_front();
            state.read = 0;
        }
        Poll::Ready(Ok(count as usize))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0;
        loop {
            if let Some(why) = inner.state.borrow().over {
                return Poll::Ready(Err(broken(why)));
            }
            let room = WINDOW.saturating_sub(inner.js.buffered_amount()) as usize;
            if room > 0 {
                inner.patience = None;
                let count = bytes.len().min(room);
                let sent = inner.js.send(&bytes[..count]);
                return Poll::Ready(match sent {
                    Ok(()) => Ok(count),
                    Err(cause) => Err(io::Error::other(describe(&cause))),
                });
            }
            let patience = inner.patience.get_or_insert_with(|| platform::sleep(LOOK));
            if patience.poll_unpin(cx).is_pending() {
                return inner.state.borrow_mut().wait(Who::Writer, cx);
            }
            inner.patience = None;
        }
    }

    /// The browser has it, and sends it without being asked.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closed once the remote has said so, or is gone.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.borrow_mut();
        if state.over.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.0.js.close();
        state.wait(Who::Owner, cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.js.close();
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, why)
}
