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

fn take(shared: &Shared, key: Key) -> Poll<Option<Bytes>> {
    let waker = noop_waker();
    shared.poll_message(key, &Context::from_waker(&waker))
}

fn writable(shared: &Shared, key: Key) -> bool {
    let waker = noop_waker();
    let polled = shared.poll_writable(key, &Context::from_waker(&waker));
    polled.is_ready()
}

#[test]
fn what_nobody_reads_ends_the_connection_in_the_end() {
    let shared = Shared::new();
    let keys = [open(&shared), open(&shared)];
    let half = limits::UNREAD / 2;
    for key in keys {
        arrive(&shared, key, half).unwrap();
    }
    assert!(arrive(&shared, keys[0], 1).is_err());
    assert!(matches!(take(&shared, keys[1]), Poll::Ready(Some(_))));
    arrive(&shared, keys[0], 1).unwrap();
    // What a dropped stream has not read counts no more.
    shared.release(keys[0]);
    arrive(&shared, keys[1], limits::UNREAD).unwrap();
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
    assert!(matches!(take(&shared, key), Poll::Ready(Some(_))));
    assert!(matches!(take(&shared, key), Poll::Ready(None)));
    let error = shared.send(key, vec![1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let waker = noop_waker();
    let cx = Context::from_waker(&waker);
    assert!(shared.poll_ended(&cx).is_ready());
    assert!(matches!(shared.poll_open(&cx), Poll::Ready(Err(_))));
    assert!(matches!(shared.poll_accept(&cx), Poll::Ready(Err(_))));
}
