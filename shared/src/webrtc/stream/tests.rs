use super::*;
use crate::webrtc::frame::{BadFrame, MAX_FRAME, MAX_MESSAGE};

/// Moves every frame of `from` to `to`; returns how many there were.
fn deliver(from: &mut Stream, to: &mut Stream) -> usize {
    let frames: Vec<Frame> = std::iter::from_fn(|| from.next_frame()).collect();
    for frame in &frames {
        to.receive(frame.encode().into());
    }
    frames.len()
}

fn settle(a: &mut Stream, b: &mut Stream) {
    while deliver(a, b) + deliver(b, a) > 0 {}
}

fn send(from: &mut Stream, to: &mut Stream, bytes: &[u8]) {
    let message = from.write(bytes);
    to.receive(message.into());
}

fn read_all(stream: &mut Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1000];
    while let Ok(Read::Bytes(count)) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes
}

#[test]
fn both_halves_end_after_everything_was_read() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    send(&mut a, &mut b, b"question");
    a.finish();
    deliver(&mut a, &mut b);
    assert_eq!(a.writable(), Err(Failed::Closed));
    assert_eq!(read_all(&mut b), b"question");
    assert_eq!(b.read(&mut [0; 1]), Ok(Read::End));
    send(&mut b, &mut a, b"answer");
    b.finish();
    assert!(!b.settled());
    settle(&mut b, &mut a);
    assert_eq!(read_all(&mut a), b"answer");
    assert_eq!(a.read(&mut [0; 1]), Ok(Read::End));
    assert!(a.settled() && b.settled());
}

#[test]
fn who_has_told_a_limit_gets_the_largest_messages_that_channels_carry() {
    for (carried, most) in [(0, MAX_MESSAGE), (40_000, 40_000), (262_144, MAX_FRAME)] {
        let (mut a, mut b) = (Stream::default(), Stream::default());
        a.set_largest(carried);
        assert!(a.writable().unwrap() < CAUTIOUS_MESSAGE);
        a.receive(Frame::encode_payload(&[0; MAX_PAYLOAD]).into());
        assert_eq!(
            a.writable(),
            Ok(MAX_PAYLOAD - LIMIT_OVERHEAD),
            "any implementation may have sent that"
        );
        send(&mut a, &mut b, b"question");
        send(&mut b, &mut a, b"answer");
        let piece = vec![7; a.writable().unwrap()];
        assert_eq!(piece.len(), a.largest());
        let message = a.write(&piece);
        assert_eq!(message.len(), most);
        b.receive(message.into());
        assert_eq!(read_all(&mut b).len(), 8 + piece.len());
    }
}

#[test]
fn small_and_large_payloads_keep_their_order() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    let mut expected = Vec::new();
    for size in [1, 3000, 2, 1024, 1025, 7, 7, 8_000, 1] {
        let piece = vec![size as u8; size];
        send(&mut a, &mut b, &piece);
        expected.extend(piece);
    }
    assert_eq!(b.unread(), expected.len());
    assert_eq!(read_all(&mut b), expected);
    assert_eq!(b.unread(), 0);
}

/// Two ends that have told each other their limits.
fn acquainted() -> (Stream, Stream) {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    send(&mut a, &mut b, b"a");
    send(&mut b, &mut a, b"b");
    assert_eq!(
        (read_all(&mut a), read_all(&mut b)),
        (vec![b'b'], vec![b'a'])
    );
    (a, b)
}

#[test]
fn a_sender_that_saw_a_limit_waits_for_the_reader() {
    let (mut a, mut b) = acquainted();
    let piece = [1; MAX_PAYLOAD];
    let mut sent = 0;
    while a.writable() == Ok(MAX_PAYLOAD) {
        send(&mut a, &mut b, &piece);
        sent += piece.len();
        deliver(&mut b, &mut a);
        assert!(sent < 2 * WINDOW as usize, "nothing stopped the sender");
    }
    let room = a.writable().unwrap();
    send(&mut a, &mut b, &piece[..room]);
    assert_eq!(a.writable(), Ok(0));
    assert_eq!(b.unread(), WINDOW as usize - 1);
    let mut buffer = vec![0; LIMIT_STEP as usize];
    assert_eq!(b.read(&mut buffer), Ok(Read::Bytes(buffer.len())));
    deliver(&mut b, &mut a);
    assert_eq!(a.writable(), Ok(MAX_PAYLOAD));
}

#[test]
fn a_reader_that_writes_nothing_tells_its_limit_after_a_while() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    let piece = [1; CAUTIOUS_PAYLOAD];
    send(&mut a, &mut b, b"a");
    assert_eq!(b.next_frame(), None);
    while b.unread() < FIRST_LIMIT_AFTER as usize {
        assert_eq!(deliver(&mut b, &mut a), 0);
        send(&mut a, &mut b, &piece);
    }
    assert_eq!(b.next_frame(), Some(Frame::limit(WINDOW)));
}

#[test]
fn limits_alone_are_told_only_to_those_who_know_them() {
    let mut b = Stream::default();
    let message = Bytes::from(Frame::encode_payload(&[0; CAUTIOUS_PAYLOAD]));
    for _ in 0..1_000 {
        b.receive(message.clone());
        read_all(&mut b);
    }
    assert_eq!(b.next_frame(), None);
}

#[test]
fn strangers_get_small_messages() {
    let mut a = Stream::default();
    let first = a.write(&vec![1; a.writable().unwrap()]);
    assert!(first.len() <= CAUTIOUS_MESSAGE, "{}", first.len());
    let second = a.write(&vec![1; a.writable().unwrap()]);
    assert_eq!(second.len(), CAUTIOUS_MESSAGE);
    a.receive(Frame::encode_payload(&[0; MAX_PAYLOAD]).into());
    let third = a.write(&vec![1; a.writable().unwrap()]);
    assert_eq!(third.len(), MAX_MESSAGE);
}

#[test]
fn first_messages_are_no_longer_than_others() {
    let mut a = Stream::default();
    a.receive(Frame::encode_payload(&[0; MAX_PAYLOAD]).into());
    let first = a.write(&vec![1; a.writable().unwrap()]);
    assert!(first.len() <= MAX_MESSAGE, "{}", first.len());
}

#[test]
fn a_sender_without_limits_fails_the_stream_and_says_why() {
    let mut b = Stream::default();
    let message = Bytes::from(Frame::encode_payload(&[0; MAX_PAYLOAD]));
    for _ in 0..=MAX_UNREAD / MAX_PAYLOAD {
        b.receive(message.clone());
    }
    assert_eq!(b.read(&mut [0; 8]), Err(Failed::TooSlow));
    assert_eq!(b.unread(), 0);
    let said: Vec<_> = std::iter::from_fn(|| b.next_frame()).collect();
    assert_eq!(
        said,
        [Frame::flag(Flag::StopSending), Frame::flag(Flag::Reset)]
    );
    assert!(b.settled());
}

#[test]
fn dropping_a_stream_tells_the_other_end_both_things() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    send(&mut b, &mut a, b"unread");
    a.abandon();
    deliver(&mut a, &mut b);
    assert_eq!(b.writable(), Err(Failed::Stopped));
    assert_eq!(b.read(&mut [0; 1]), Err(Failed::Reset));
    assert!(!a.settled(), "b has not answered yet");
    settle(&mut b, &mut a);
    assert!(a.settled() && b.settled());
}

#[test]
fn dropping_after_the_end_says_nothing_more() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    a.finish();
    b.finish();
    settle(&mut a, &mut b);
    a.abandon();
    assert_eq!(a.next_frame(), None);
    assert!(a.settled());
}

#[test]
fn a_finished_half_survives_what_comes_later() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    send(&mut a, &mut b, b"all of it");
    a.finish();
    deliver(&mut a, &mut b);
    b.receive(Frame::flag(Flag::Reset).encode().into());
    b.lost();
    assert_eq!(read_all(&mut b), b"all of it");
    assert_eq!(b.read(&mut [0; 1]), Ok(Read::End));
    assert_eq!(b.writable(), Err(Failed::Lost));
}

#[test]
fn a_channel_that_closes_is_the_acknowledgement_of_older_implementations() {
    let mut a = Stream::default();
    a.finish();
    a.next_frame();
    assert!(!a.settled());
    a.lost();
    assert!(a.settled());
    assert_eq!(a.read(&mut [0; 1]), Err(Failed::Lost));
}

#[test]
fn damage_fails_both_halves() {
    let mut b = Stream::default();
    b.receive(Bytes::from_static(&[1, 0x0b]));
    let failed = Failed::Frame(BadFrame::Damaged);
    assert_eq!(b.read(&mut [0; 1]), Err(failed));
    assert_eq!(b.writable(), Err(failed));
}

#[test]
fn random_schedules_lose_nothing() {
    for seed in 0..40u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let (mut a, mut b) = (Stream::default(), Stream::default());
        let (mut wrote, mut read) = (0u64, 0u64);
        let mut on_the_way: VecDeque<Vec<u8>> = VecDeque::new();
        let mut buffer = vec![0; 40_000];
        while read < 3 * WINDOW {
            match next(4) {
                0 | 1 => {
                    let room = a
                        .writable()
                        .unwrap()
                        .min(1 + next(MAX_PAYLOAD as u64) as usize);
                    if room > 0 && on_the_way.len() < 64 {
                        let piece: Vec<u8> =
                            (0..room as u64).map(|at| (wrote + at) as u8).collect();
                        on_the_way.push_back(a.write(&piece));
                        wrote += room as u64;
                    }
                }
                2 => {
                    if let Some(message) = on_the_way.pop_front() {
                        b.receive(message.into());
                    }
                }
                _ => {
                    let size = 1 + next(buffer.len() as u64) as usize;
                    if let Read::Bytes(count) = b.read(&mut buffer[..size]).unwrap() {
                        let expected: Vec<u8> =
                            (read..read + count as u64).map(|at| at as u8).collect();
                        assert!(
                            buffer[..count] == expected,
                            "seed {seed}: wrong bytes after {read}"
                        );
                        read += count as u64;
                    }
                    deliver(&mut b, &mut a);
                }
            }
        }
        assert!(
            b.unread() as u64 <= WINDOW + 64 * MAX_PAYLOAD as u64,
            "seed {seed}"
        );
    }
}

#[test]
fn a_failed_stream_says_so_once_and_keeps_nothing() {
    for bad in [&[0x81, 0x80, 0x04][..], &[1, 0x0b]] {
        let mut b = Stream::default();
        b.receive(Bytes::copy_from_slice(bad));
        let said = std::iter::from_fn(|| b.next_frame()).count();
        assert_eq!(said, 2);
        for _ in 0..1_000 {
            b.receive(Bytes::from(vec![1; MAX_MESSAGE]));
            assert_eq!((b.held(), b.next_frame()), (0, None));
        }
    }
}

#[test]
fn an_end_said_again_and_again_is_acknowledged_once() {
    let mut b = Stream::default();
    let flood: Vec<u8> = Frame::flag(Flag::Fin).encode().repeat(5_000);
    for _ in 0..3 {
        b.receive(flood.clone().into());
    }
    let said: Vec<_> = std::iter::from_fn(|| b.next_frame()).collect();
    assert_eq!(said, [Frame::flag(Flag::FinAck)]);
}

/// Whatever a remote asks for without taking the answers, they do not pile up.
#[test]
fn waiting_frames_are_few() {
    let (mut a, mut b) = acquainted();
    for round in 0..100u64 {
        b.receive(Frame::limit(round).encode().into());
        for flag in [Flag::Fin, Flag::StopSending, Flag::FinAck, Flag::Reset] {
            if round > 90 {
                b.receive(Frame::flag(flag).encode().into());
            }
        }
        while round < 90 && a.sent < a.limit_seen.unwrap_or(u64::MAX) {
            let room = a.writable().unwrap();
            send(&mut a, &mut b, &vec![0; room]);
        }
        read_all(&mut b);
        // Only every tenth time does the sender learn that it may go on.
        if round % 10 == 0 {
            deliver(&mut b, &mut a);
        }
        assert!(b.frames.len() <= 4, "{:?}", b.frames);
    }
}

#[test]
fn limits_wait_for_room_and_ends_do_not() {
    let (mut a, mut b) = acquainted();
    assert_eq!(b.has_frames(), None);
    for _ in 0..WINDOW as usize / MAX_PAYLOAD - 1 {
        send(&mut a, &mut b, &[0; MAX_PAYLOAD]);
        read_all(&mut b);
    }
    assert_eq!(b.has_frames(), Some(Urgency::Limit));
    assert_eq!(b.frames.len(), 1, "the last limit says it all");
    b.finish();
    assert_eq!(b.has_frames(), Some(Urgency::Flag));
}

#[test]
fn a_smaller_window_lets_less_be_under_way() {
    let (mut a, mut b) = (Stream::default(), Stream::default());
    b.set_window(64 * 1024);
    send(&mut a, &mut b, b"a");
    send(&mut b, &mut a, b"b");
    let mut sent = 0;
    while let Ok(room @ 1..) = a.writable() {
        send(&mut a, &mut b, &vec![0; room]);
        sent += room;
    }
    assert_eq!(sent, 64 * 1024 - 1);
    read_all(&mut b);
    deliver(&mut b, &mut a);
    assert!(a.limit_seen >= Some(112 * 1024), "{:?}", a.limit_seen);
}

#[test]
fn an_overrun_channel_fails_the_stream() {
    let mut b = Stream::default();
    b.overrun();
    assert_eq!(b.read(&mut [0; 1]), Err(Failed::TooSlow));
    assert_eq!(std::iter::from_fn(|| b.next_frame()).count(), 2);
    b.overrun();
    assert_eq!(b.next_frame(), None);
}
