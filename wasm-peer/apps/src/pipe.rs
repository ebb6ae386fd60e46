//! A stream of the engine, read and written as any other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::LocalBoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use js_sys::Promise;
use send_wrapper::SendWrapper;
use warren_page::host::describe;
use warren_shared::error::Code;
use warren_shared::net::borrowed::error_of;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// `Pipe` of the engine's module.
    pub type Pipe;

    #[wasm_bindgen(method)]
    fn read(this: &Pipe) -> Promise;

    #[wasm_bindgen(method)]
    fn fill(this: &Pipe, place: &mut [u8]);

    #[wasm_bindgen(method)]
    fn write(this: &Pipe, bytes: &[u8]) -> Promise;

    #[wasm_bindgen(method)]
    fn close(this: &Pipe) -> Promise;

    #[wasm_bindgen(method)]
    fn free(this: &Pipe);
}

type Work = SendWrapper<LocalBoxFuture<'static, io::Result<JsValue>>>;

/// See the module. Dropped, it gives the stream free; one that was not closed is reset by that.
pub struct LentStream {
    pipe: SendWrapper<Pipe>,
    reading: Option<Work>,
    /// How many bytes have come and are with the engine.
    come: usize,
    writing: Option<Work>,
    closing: bool,
}

impl std::fmt::Debug for LentStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LentStream")
    }
}

impl LentStream {
    pub fn new(pipe: Pipe) -> LentStream {
        LentStream {
            pipe: SendWrapper::new(pipe),
            reading: None,
            come: 0,
            writing: None,
            closing: false,
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writing) = &mut self.writing else {
            return Poll::Ready(Ok(()));
        };
        let written = futures::ready!(writing.poll_unpin(cx));
        self.writing = None;
        Poll::Ready(written.map(drop))
    }
}

impl Drop for LentStream {
    fn drop(&mut self) {
        self.pipe.free();
    }
}

impl AsyncRead for LentStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if this.come > 0 {
                let count = this.come.min(buffer.len());
                this.pipe.fill(&mut buffer[..count]);
                this.come -= count;
                return Poll::Ready(Ok(count));
            }
            let pipe = &this.pipe;
            let reading = this.reading.get_or_insert_with(|| work(pipe.read()));
            let read = futures::ready!(reading.poll_unpin(cx));
            this.reading = None;
            this.come = read?.as_f64().unwrap_or_default() as usize;
            if this.come == 0 {
                return Poll::Ready(Ok(0));
            }
        }
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        futures::ready!(self.poll_written(cx))?;
        let written = self.pipe.write(bytes);
        self.writing = Some(work(written));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures::ready!(self.poll_written(cx))?;
        if !self.closing {
            self.closing = true;
            self.writing = Some(work(self.pipe.close()));
        }
        self.poll_written(cx)
    }
}

fn work(promise: Promise) -> Work {
    let done = JsFuture::from(promise).map(|done| {
        done.map_err(|thrown| {
            let error = error_of(&describe(&thrown));
            let kind = match error.code() {
                Code::Unsupported => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::ConnectionReset,
            };
            io::Error::new(kind, error)
        })
    });
    SendWrapper::new(done.boxed_local())
}
