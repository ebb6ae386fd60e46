use std::task::{Context, Poll};

use futures::task::noop_waker;
use str0m::RtcConfig;

use super::*;

/// A stack without a remote: nothing that it opens is ever confirmed.
fn alone(numbers: bool) -> (Rtc, Streams, Shared) {
    let mut rtc = RtcConfig::new()
        .set_crypto_provider(agent::crypto())
        .build(Instant::now());
    if numbers {
        rtc.direct_api().start_sctp(false);
    }
    let handshake = rtc.direct_api().create_data_channel(agent::channel_0());
    let shared = Shared::new();
    let streams = Streams::new(
        shared.clone(),
        Beginning::Handshake(handshake),
        false,
        Duration::ZERO,
    );
    (rtc, streams, shared)
}

fn open(shared: &Shared) -> Key {
    let waker = noop_waker();
    match shared.poll_open(&Context::from_waker(&waker)) {
        Poll::Ready(Ok(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// As if the time for confirming streams had passed.
fn pass_time(streams: &mut Streams) {
    for (due, _) in &mut streams.unconfirmed {
        *due = Instant::now();
    }
}

#[test]
fn whoever_goes_on_opening_refused_streams_is_cut_off() {
    let (mut rtc, mut streams, _) = alone(true);
    let mut opened = 0;
    let ended = loop {
        let id = rtc.direct_api().create_data_channel(agent::channel());
        if let Err(ended) = streams.on_open(&mut rtc, id, "") {
            break ended;
        }
        opened += 1;
        assert!(opened < 10_000, "it never ends");
    };
    assert_eq!(opened, limits::UNACCEPTED + limits::REFUSALS as usize);
    assert!(format!("{ended:?}").contains("refused"));
}

#[test]
fn a_dropped_stream_that_is_never_confirmed_is_closed_in_time() {
    let (mut rtc, mut streams, shared) = alone(true);
    let (dropped, kept) = (open(&shared), open(&shared));
    streams.work(&mut rtc).unwrap();
    shared.release(dropped);
    streams.work(&mut rtc).unwrap();
    assert!(shared.lock().channels.contains_key(&dropped));
    assert!(streams.due().is_some());
    pass_time(&mut streams);
    streams.work(&mut rtc).unwrap();
    assert!(!shared.lock().channels.contains_key(&dropped));
    assert!(shared.lock().channels.contains_key(&kept));
    // Whoever waits for it goes on waiting, until it is dropped, too.
    shared.release(kept);
    pass_time(&mut streams);
    streams.work(&mut rtc).unwrap();
    assert!(!shared.lock().channels.contains_key(&kept));
    assert_eq!(streams.due(), None);
}

#[test]
fn a_connection_without_numbers_for_streams_ends() {
    let (mut rtc, mut streams, shared) = alone(false);
    open(&shared);
    streams.work(&mut rtc).unwrap();
    pass_time(&mut streams);
    let ended = streams.work(&mut rtc).unwrap_err();
    assert!(format!("{ended:?}").contains("no number"));
}
