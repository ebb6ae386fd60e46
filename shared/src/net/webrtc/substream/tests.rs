use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::webrtc::frame::{Frame, MAX_PAYLOAD};
use crate::webrtc::stream::WINDOW;

/// Both directions of a channel in memory.
#[derive(Default)]
struct Pipe {
    messages: VecDeque<Bytes>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    closed: bool,
    overrun: bool,
    held: usize,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

struct MemoryChannel {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

/// Messages that a full channel holds.
const ROOM: usize = 8;

fn pair() -> (MemoryChannel, MemoryChannel) {
    let (a, b) = (Arc::<Mutex<Pipe>>::default(), Arc::<Mutex<Pipe>>::default());
    (
        MemoryChannel {
            incoming: a.clone(),
            outgoing: b.clone(),
        },
        MemoryChannel {
            incoming: b,
            outgoing: a,
        },
    )
}

fn lock(pipe: &Mutex<Pipe>) -> std::sync::MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel for MemoryChannel {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.messages.len() < ROOM || pipe.closed {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        let mut pipe = lock(&self.outgoing);
        if pipe.closed {
            return Err(io::ErrorKind::NotConnected.into());
        }
        pipe.messages.push_back(message.into());
        pipe.wake();
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        let mut pipe = lock(&self.incoming);
        if std::mem::take(&mut pipe.overrun) {
            return Poll::Ready(Received::Overrun);
        }
        if let Some(message) = pipe.messages.pop_front() {
            pipe.wake();
            return Poll::Ready(Received::Message(message));
        }
        if pipe.closed {
            return Poll::Ready(Received::Closed);
        }
        pipe.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn hold(&mut self, bytes: usize) -> u64 {
        lock(&self.incoming).held = bytes;
        WINDOW
    }

    fn close(&mut self) {
        for pipe in [&self.incoming, &self.outgoing] {
            let mut pipe = lock(pipe);
            pipe.closed = true;
            pipe.wake();
        }
    }
}

fn streams() -> (Substream<MemoryChannel>, Substream<MemoryChannel>) {
    let (a, b) = pair();
    (Substream::outbound(a), Substream::inbound(b))
}

#[tokio::test]
async fn request_and_response_end_cleanly() {
    let (mut a, mut b) = streams();
    let outgoing = lock(&a.inner().channel.outgoing).closed;
    assert!(!outgoing);
    let answer = async {
        let mut request = Vec::new();
        b.read_to_end(&mut request).await.unwrap();
        b.write_all(&request).await.unwrap();
        b.close().await.unwrap();
    };
    let ask = async {
        a.write_all(&[7; 100_000]).await.unwrap();
        a.close().await.unwrap();
        let mut response = Vec::new();
        a.read_to_end(&mut response).await.unwrap();
        assert_eq!(response, [7; 100_000]);
    };
    futures::join!(answer, ask);
    let pipe = a.inner().channel.outgoing.clone();
    drop(a);
    drop(b);
    while !lock(&pipe).closed {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn small_writes_become_one_message() {
    let (mut a, mut b) = streams();
    for _ in 0..100 {
        a.write_all(b"abc").await.unwrap();
    }
    a.flush().await.unwrap();
    assert_eq!(lock(&a.inner().channel.outgoing).messages.len(), 1);
    let mut read = [0; 300];
    b.read_exact(&mut read).await.unwrap();
    assert_eq!(&read[..6], b"abcabc");
}

#[tokio::test]
async fn a_paused_reader_pauses_the_writer_and_loses_nothing() {
    const TOTAL: usize = 12 * 1024 * 1024;
    let (mut a, mut b) = streams();
    let (written, mut progress) = tokio::sync::watch::channel(0);
    let writer = tokio::spawn(async move {
        let piece: Vec<u8> = (0..=250).cycle().take(251 * 100).collect();
        let mut left = TOTAL;
        while left > 0 {
            let size = piece.len().min(left);
            a.write_all(&piece[..size]).await.unwrap();
            left -= size;
            written.send_replace(TOTAL - left);
        }
        a.close().await.unwrap();
        let mut end = Vec::new();
        a.read_to_end(&mut end).await.unwrap();
    });
    // The reader takes a little, then nothing for as long as the writer makes progress.
    let mut buffer = vec![0; 100_000];
    b.read_exact(&mut buffer).await.unwrap();
    let mut idle = 0;
    while idle < 1_000 {
        tokio::task::yield_now().await;
        idle = if progress.has_changed().unwrap() {
            0
        } else {
            idle + 1
        };
        progress.mark_unchanged();
    }
    assert!(*progress.borrow() < TOTAL / 2, "the writer went on");
    let mut rest = Vec::new();
    b.read_to_end(&mut rest).await.unwrap();
    assert_eq!(buffer.len() + rest.len(), TOTAL);
    buffer.append(&mut rest);
    assert!(
        buffer
            .iter()
            .enumerate()
            .all(|(at, byte)| usize::from(*byte) == at % 251)
    );
    b.close().await.unwrap();
    writer.await.unwrap();
}

#[tokio::test]
async fn reader_and_writer_in_different_tasks_are_both_woken() {
    let (a, b) = streams();
    let (mut reading, mut writing) = a.split();
    let (mut echo_reading, mut echo_writing) = b.split();
    let echo = tokio::spawn(async move {
        let _ = futures::io::copy(&mut echo_reading, &mut echo_writing).await;
        echo_writing.close().await.unwrap();
    });
    let write = tokio::spawn(async move {
        for _ in 0..300 {
            writing.write_all(&[1; 10_000]).await.unwrap();
        }
        writing.close().await.unwrap();
        writing
    });
    let mut all = Vec::new();
    reading.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 3_000_000);
    write.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn dropping_a_stream_fails_the_other_end() {
    let (a, mut b) = streams();
    drop(a);
    let error = b.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = b.write_all(&[0; MAX_PAYLOAD]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_is_taken_stays_charged_until_it_is_read() {
    let (mut a, mut b) = streams();
    a.write_all(&[1; 10_000]).await.unwrap();
    a.flush().await.unwrap();
    let pipe = b.inner().channel.incoming.clone();
    b.read_exact(&mut [0; 1_000]).await.unwrap();
    assert_eq!(lock(&pipe).held, 9_000);
    b.read_exact(&mut [0; 9_000]).await.unwrap();
    assert_eq!(lock(&pipe).held, 0);
    a.write_all(&[1; 10_000]).await.unwrap();
    a.flush().await.unwrap();
    // A writer that looks at what has arrived does not make it free.
    b.write_all(b"x").await.unwrap();
    b.flush().await.unwrap();
    assert_eq!(lock(&pipe).held, 10_000);
    drop(b);
    assert_eq!(lock(&pipe).held, 0);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Frames without payload, as many as anybody likes to send, do not keep a task to themselves.
#[test]
fn one_look_takes_only_so_many_messages() {
    let (mut a, _b) = streams();
    let pipe = a.inner().channel.incoming.clone();
    let nothing = Bytes::from(Frame::default().encode());
    lock(&pipe).messages = vec![nothing; 3 * MESSAGES_AT_ONCE].into();
    let woken = Arc::new(Woken::default());
    let waker = waker(woken.clone());
    let mut cx = Context::from_waker(&waker);
    for round in 1..=3 {
        let polled = Pin::new(&mut a).poll_read(&mut cx, &mut [0; 8]);
        assert!(polled.is_pending());
        assert_eq!(
            lock(&pipe).messages.len(),
            (3 - round) * MESSAGES_AT_ONCE,
            "in round {round}"
        );
        assert_eq!(woken.0.swap(0, Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn damage_is_answered_once_however_much_follows() {
    let (mut a, _b) = streams();
    let (pipe, answers) = {
        let channel = &a.inner().channel;
        (channel.incoming.clone(), channel.outgoing.clone())
    };
    let long = Bytes::from_static(&[0x81, 0x80, 0x04, 0, 0]);
    lock(&pipe).messages = vec![long; 100].into();
    a.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(lock(&answers).messages.len(), 2);
    assert!(lock(&pipe).messages.is_empty());
}

#[tokio::test]
async fn an_overrun_channel_fails_with_a_reason() {
    let (mut a, _b) = streams();
    lock(&a.inner().channel.incoming.clone()).overrun = true;
    let error = a.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
}
