use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::task::{ArcWake, waker};
use warren_shared::webrtc::ufrag::Call;

use super::super::Certificate;
use super::super::path::Path;
use super::super::socket::Socket;
use super::super::table::{Mailbox, mailbox};
use super::super::way::Direct;
use super::*;

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.0.store(true, Ordering::Relaxed);
    }
}

fn address() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

/// The driver of a call that has just begun.
fn driver() -> (Driver<Direct>, Mailbox) {
    let certificate = Certificate::from_pem(&Certificate::generate().unwrap()).unwrap();
    let agent = Agent::server(&certificate, &Call::v1(&[1; 32])).unwrap();
    let socket = Arc::new(Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap());
    let (mailbox, post) = mailbox();
    let path = Path::to_client(address(), address().ip(), Instant::now());
    let driver = Driver::new(
        agent,
        post,
        Shared::with_caller(),
        Direct::new(socket, path, None),
    );
    (driver, mailbox)
}

fn datagram(bytes: &'static [u8]) -> Arrived {
    Arrived::single(address(), address(), Bytes::from_static(bytes))
}

/// Somebody who was to be woken at the end of a turn.
fn waiting(driver: &mut Driver<Direct>) -> Arc<Woken> {
    let woken = Arc::new(Woken::default());
    driver.streams.wakers.push(waker(woken.clone()));
    woken
}

#[tokio::test]
async fn a_task_that_fails_wakes_everybody() {
    let (mut driver, _mailbox) = driver();
    let woken = waiting(&mut driver);
    drop(driver);
    assert!(woken.0.load(Ordering::Relaxed));
}

#[tokio::test]
async fn an_end_by_error_wakes_everybody() {
    let (mut driver, _mailbox) = driver();
    let shared = driver.shared.clone();
    let woken = waiting(&mut driver);
    driver.end(Ended::new(io::ErrorKind::Other, "a reason"));
    assert!(woken.0.load(Ordering::Relaxed));
    let waker = futures::task::noop_waker();
    let polled = shared.poll_ended(&std::task::Context::from_waker(&waker));
    assert!(polled.is_ready());
}

#[tokio::test]
async fn odd_datagrams_before_the_handshake_change_nothing() {
    let (mut driver, _mailbox) = driver();
    for odd in [
        &[22, 254, 253, 0, 0][..],
        &[22; 60],
        &[20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
        &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40],
        &[63; 100],
        &[128; 100],
        &[0; 20],
        // Not the first record, so not from an earlier connection.
        &[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1],
    ] {
        assert_eq!(driver.receive(&datagram(odd)).unwrap(), 1);
    }
}

#[tokio::test]
async fn a_caller_that_begins_in_the_middle_is_sent_away() {
    let (mut driver, _mailbox) = driver();
    driver.receive(&datagram(&[128; 100])).unwrap();
    let ended = driver.receive(&datagram(&[23, 254, 253])).unwrap_err();
    assert!(format!("{ended:?}").contains("earlier connection"));
}

/// What the stack cannot read is nobody's sign of life.
#[tokio::test]
async fn noise_on_the_line_does_not_end_the_silence() {
    let (mut driver, _mailbox) = driver();
    let before = driver.way.silent_at();
    driver.receive(&datagram(&[0, 1, 0, 0])).unwrap();
    assert_eq!(driver.way.silent_at(), before);
}
