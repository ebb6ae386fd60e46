use futures::task::noop_waker;

use super::*;

fn open(shared: &Shared) -> Key {
    let waker = noop_waker();
    match shared.poll_open(&Context::from_waker(&waker)) {
        Poll::Ready(Ok(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn arrive(shared: &Shared, key: Key, length: usize) -> Result<(), Ended> {
    shared.update(|state, wakers| state.arrived(key, vec![0; length], wakers))
}

fn take(shared: &Shared, key: Key) -> Poll<Received> {
    let waker = noop_waker();
    shared.poll_message(key, &Context::from_waker(&waker))
}

fn writable(shared: &Shared, key: Key) -> bool {
    let waker = noop_waker();
    let polled = shared.poll_writable(key, &Context::from_waker(&waker));
    polled.is_ready()
}

/// What the pieces of a stream cost that is as full as it may be.
const FULL: usize = limits::UNREAD_PER_STREAM - limits::MESSAGE_COST;

#[test]
fn what_nobody_reads_ends_the_connection_in_the_end() {
    let shared = Shared::new();
    let keys = [open(&shared), open(&shared), open(&shared)];
    for key in &keys[..2] {
        arrive(&shared, *key, FULL).unwrap();
    }
    assert!(arrive(&shared, keys[2], 1).is_err());
    // What was taken counts until it was read.
    assert!(matches!(
        take(&shared, keys[1]),
        Poll::Ready(Received::Message(_))
    ));
    assert!(arrive(&shared, keys[2], 1).is_err());
    shared.hold(keys[1], 1_000);
    arrive(&shared, keys[2], 1).unwrap();
    // What a dropped stream has not read counts no more.
    for key in keys {
        shared.release(key);
    }
    assert_eq!(shared.lock().unread, 0);
}

#[test]
fn a_stream_that_nobody_reads_fails_alone() {
    let shared = Shared::new();
    let (paused, other) = (open(&shared), open(&shared));
    for _ in 0..10 * limits::UNREAD / 10_000 {
        arrive(&shared, paused, 10_000).unwrap();
    }
    arrive(&shared, other, 1_000).unwrap();
    assert!(matches!(
        take(&shared, paused),
        Poll::Ready(Received::Overrun)
    ));
    assert!(take(&shared, paused).is_pending(), "nothing is left of it");
    assert!(matches!(
        take(&shared, other),
        Poll::Ready(Received::Message(_))
    ));
    assert_eq!(shared.lock().unread, 1_000 + limits::MESSAGE_COST);
}

#[test]
fn messages_cost_more_than_they_hold() {
    let shared = Shared::new();
    let key = open(&shared);
    let most = limits::UNREAD_PER_STREAM / limits::MESSAGE_COST;
    for _ in 0..most {
        arrive(&shared, key, 0).unwrap();
    }
    assert!(matches!(
        take(&shared, key),
        Poll::Ready(Received::Message(_))
    ));
    arrive(&shared, key, 0).unwrap();
    assert!(matches!(take(&shared, key), Poll::Ready(Received::Overrun)));
}

#[test]
fn a_caller_has_little_until_it_has_said_who_it_is() {
    let shared = Shared::with_caller();
    arrive(&shared, HANDSHAKE, 1_000).unwrap();
    assert!(!shared.lock().is_held_back());
    // Reading it makes no room.
    for _ in 0..limits::UNAUTHENTICATED / 1_000 {
        arrive(&shared, HANDSHAKE, 1_000).unwrap();
        let _ = take(&shared, HANDSHAKE);
        shared.hold(HANDSHAKE, 0);
    }
    assert!(shared.lock().is_held_back());
    let another = Shared::with_caller();
    for _ in 0..limits::EARLY_STREAMS {
        another.update(State::accept).unwrap();
    }
    assert!(!another.lock().is_held_back());
    another.update(State::accept).unwrap();
    assert!(another.lock().is_held_back());
    for shared in [shared, another] {
        shared.authenticated();
        assert!(!shared.lock().is_held_back());
    }
    assert!(!Shared::new().lock().is_held_back());
}

#[test]
fn windows_shrink_when_there_are_many_streams() {
    let shared = Shared::new();
    assert_eq!(shared.hold(HANDSHAKE, 0), stream::WINDOW);
    let keys: Vec<Key> = (0..99).map(|_| open(&shared)).collect();
    let window = shared.hold(keys[0], 0);
    assert!(100 * window <= limits::UNREAD as u64, "{window}");
    assert!(window >= limits::WINDOW_LEAST);
}

#[test]
fn a_full_stream_waits_until_the_remote_has_some_of_it() {
    let shared = Shared::new();
    let key = open(&shared);
    let half = limits::STREAM_BUFFER / 2;
    shared.send(key, vec![0; half]).unwrap();
    assert!(writable(&shared, key));
    shared.send(key, vec![0; half]).unwrap();
    assert!(!writable(&shared, key));
    shared.update(|state, wakers| {
        assert_eq!(state.next_ready(), Some(key));
        assert_eq!(state.next_ready(), None, "in line once");
        state.channels.get_mut(&key).unwrap().pop();
        state.set_buffered(key, half, wakers);
    });
    assert!(!writable(&shared, key), "the stack has it, the remote not");
    shared.update(|state, wakers| state.set_buffered(key, 0, wakers));
    assert!(writable(&shared, key));
}

#[test]
fn streams_are_bounded_and_make_room_when_they_end() {
    let shared = Shared::new();
    let waker = noop_waker();
    let mut keys: Vec<Key> = (1..limits::STREAMS).map(|_| open(&shared)).collect();
    assert!(shared.poll_open(&Context::from_waker(&waker)).is_pending());
    assert!(shared.update(State::accept).is_none());
    let key = keys.pop().unwrap();
    shared.release(key);
    assert!(shared.poll_open(&Context::from_waker(&waker)).is_pending());
    shared.update(|state, wakers| state.gone(key, wakers));
    open(&shared);
}

#[test]
fn the_end_reaches_everybody_after_what_arrived() {
    let shared = Shared::new();
    let key = open(&shared);
    arrive(&shared, key, 3).unwrap();
    let ended = Ended::new(io::ErrorKind::TimedOut, "silence");
    shared.update(|state, wakers| state.end(ended, wakers));
    assert!(matches!(
        take(&shared, key),
        Poll::Ready(Received::Message(_))
    ));
    assert!(matches!(take(&shared, key), Poll::Ready(Received::Closed)));
    let error = shared.send(key, vec![1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let waker = noop_waker();
    let cx = Context::from_waker(&waker);
    assert!(shared.poll_ended(&cx).is_ready());
    assert!(matches!(shared.poll_open(&cx), Poll::Ready(Err(_))));
    assert!(matches!(shared.poll_accept(&cx), Poll::Ready(Err(_))));
}
