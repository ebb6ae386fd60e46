//! Carries one attempt at a direct connection between a stream and a WebRTC stack.
//!
//! What is said when is decided in `webrtc/signaling`; here are the stream, the clock and the waiting.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures::future::{BoxFuture, select};
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt, FutureExt};

use super::turn::Turn;
use crate::proto::Millis;
use crate::webrtc::signaling::candidate::{Candidate, Trickled};
use crate::webrtc::signaling::{Attempt, End, Failure, Output};
use crate::{limits, platform};

/// As much as is read at a time.
const READ: usize = 4 * 1024;

/// What makes direct connections: that of a browser, or of a native peer.
pub trait Stack {
    /// Describes this end, as an offer or as an answer.
    fn describe(&mut self, offer: bool) -> BoxFuture<'static, Result<String, String>>;

    /// Takes the description of the remote, an offer or an answer.
    fn accept(
        &mut self,
        offer: bool,
        description: String,
    ) -> BoxFuture<'static, Result<(), String>>;

    /// Takes a way to the remote, or that there are no more.
    fn add(&mut self, candidate: Option<Candidate>);

    /// What it has found out.
    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News>;
}

/// What a stack finds out by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A way to this end, or all of them.
    Found(Trickled),
    /// The connection stands.
    Connected,
    /// It does not, and will not.
    Unreachable,
}

/// Negotiates until the connection stands or has failed. Dropping the future hangs up.
pub async fn negotiate<S, K>(
    stream: S,
    stack: &mut K,
    dialled: bool,
    turn: &mut Turn,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    K: Stack + ?Sized,
{
    let now = platform::now();
    let mut call = Call {
        stream,
        stack,
        turn,
        dialled,
        attempt: match dialled {
            true => Attempt::dial(now),
            false => Attempt::answer(now),
        },
        job: None,
        unsent: BytesMut::new(),
        over: false,
        alarm: None,
    };
    poll_fn(|cx| call.poll(cx)).await?;
    let Call { stream, unsent, .. } = call;
    platform::spawn(hang_up(stream, unsent));
    Ok(())
}

/// What was said last still goes out; the remote may need it to come as far.
async fn hang_up(mut stream: impl AsyncWrite + Unpin, unsent: BytesMut) {
    let said = async {
        stream.write_all(&unsent).await?;
        stream.close().await
    };
    let late = platform::sleep(Duration::from_millis(limits::SIGNALING_ORPHANED));
    select(Box::pin(said), late).await;
}

/// What the stack is busy with.
enum Done {
    Described(Result<String, String>),
    Accepted(Result<(), String>),
}

struct Call<'a, S, K: ?Sized> {
    stream: S,
    stack: &'a mut K,
    turn: &'a mut Turn,
    dialled: bool,
    attempt: Attempt,
    job: Option<BoxFuture<'static, Done>>,
    unsent: BytesMut,
    /// Nothing more comes from the stream.
    over: bool,
    alarm: Option<(Millis, BoxFuture<'static, ()>)>,
}

impl<S, K> Call<'_, S, K>
where
    S: AsyncRead + AsyncWrite + Unpin,
    K: Stack + ?Sized,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if let Some(end) = self.obey() {
                return Poll::Ready(end);
            }
            let steps = [
                Self::poll_job,
                Self::poll_news,
                Self::poll_turn,
                Self::poll_write,
                Self::poll_read,
                Self::poll_alarm,
            ];
            if !steps.iter().any(|step| step(self, cx)) {
                return Poll::Pending;
            }
        }
    }

    /// Does what the attempt says; its last word ends it.
    fn obey(&mut self) -> Option<Result<(), Failure>> {
        while let Some(output) = self.attempt.poll() {
            match output {
                Output::Describe => {
                    let job = self.stack.describe(self.dialled);
                    self.job = Some(job.map(Done::Described).boxed());
                }
                Output::Remote(description) => {
                    if !self.dialled && !self.turn.offered() {
                        self.attempt.give_way();
                        continue;
                    }
                    let job = self.stack.accept(!self.dialled, description);
                    self.job = Some(job.map(Done::Accepted).boxed());
                }
                Output::Candidate(candidate) => self.stack.add(Some(candidate)),
                Output::NoMoreCandidates => self.stack.add(None),
                Output::Send(bytes) => self.unsent.extend_from_slice(&bytes),
                // The stream is dropped, which resets it, or closed once all is sent.
                Output::Reset | Output::Finish => {}
                Output::Connected => return Some(Ok(())),
                Output::Failed(failure) => return Some(Err(failure)),
            }
        }
        None
    }

    fn poll_job(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Poll::Ready(done)) = self.job.as_mut().map(|job| job.poll_unpin(cx)) else {
            return false;
        };
        self.job = None;
        match done {
            Done::Described(Ok(description)) => {
                self.turn.offering();
                self.attempt.described(description);
            }
            Done::Accepted(Ok(())) => self.attempt.accepted(),
            Done::Described(Err(cause)) | Done::Accepted(Err(cause)) => self.attempt.refused(cause),
        }
        true
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(news) = self.stack.poll_news(cx) else {
            return false;
        };
        match news {
            News::Found(trickled) => self.attempt.found(trickled),
            News::Connected => self.attempt.connected(),
            News::Unreachable => self.attempt.unreachable(),
        }
        true
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> bool {
        let displaced = self.turn.poll_displaced(cx).is_ready();
        if displaced {
            self.attempt.give_way();
        }
        displaced
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        if self.unsent.is_empty() {
            // What it holds back goes out before anybody waits for an answer to it.
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
            return false;
        }
        match Pin::new(&mut self.stream).poll_write(cx, &self.unsent) {
            Poll::Ready(Ok(sent)) if sent > 0 => self.unsent.advance(sent),
            // The reader says that the stream is lost.
            Poll::Ready(_) => self.unsent.clear(),
            Poll::Pending => return false,
        }
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> bool {
        if self.over {
            return false;
        }
        let mut buffer = [0; READ];
        let read = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(read) => read,
            Poll::Pending => return false,
        };
        self.heard(read.map(|count| &buffer[..count]));
        true
    }

    fn heard(&mut self, read: io::Result<&[u8]>) {
        let end = match read {
            Ok([]) => End::Finished,
            Ok(bytes) => return self.attempt.received(bytes),
            Err(_) => End::Lost,
        };
        self.over = true;
        self.attempt.ended(end, platform::now());
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(wake) = self.attempt.next_wake() else {
            return false;
        };
        let now = platform::now();
        if self.alarm.as_ref().is_none_or(|(set, _)| *set != wake) {
            let wait = Duration::from_millis(wake.saturating_sub(now));
            self.alarm = Some((wake, platform::sleep(wait)));
        }
        let rung = self
            .alarm
            .as_mut()
            .is_some_and(|(_, alarm)| alarm.poll_unpin(cx).is_ready());
        if rung {
            // Whatever the wall clock says by now: so long was waited.
            self.alarm = None;
            self.attempt.tick(wake);
        }
        rung
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
