use super::*;

fn all(decoder: &mut Decoder) -> Vec<Result<Frame, BadFrame>> {
    std::iter::from_fn(|| decoder.next()).collect()
}

#[test]
fn wire_form_is_pinned() {
    let data = Frame {
        payload: Bytes::from_static(b"hi"),
        ..Frame::default()
    };
    assert_eq!(data.encode(), [4, 0x12, 2, b'h', b'i']);
    assert_eq!(Frame::encode_payload(b"hi"), data.encode());
    assert_eq!(Frame::flag(Flag::Fin).encode(), [2, 8, 0]);
    assert_eq!(Frame::flag(Flag::StopSending).encode(), [2, 8, 1]);
    assert_eq!(Frame::flag(Flag::Reset).encode(), [2, 8, 2]);
    assert_eq!(Frame::flag(Flag::FinAck).encode(), [2, 8, 3]);
    assert_eq!(Frame::limit(300).encode(), [4, 0xc0, 0x3e, 0xac, 2]);
    assert_eq!(Frame::default().encode(), [0]);
}

#[test]
fn largest_frame_fits_the_largest_message() {
    assert_eq!(Frame::encode_payload(&[7; MAX_PAYLOAD]).len(), MAX_MESSAGE);
}

#[test]
fn frames_are_found_however_they_are_cut() {
    let frames = [
        Frame::flag(Flag::FinAck),
        Frame {
            flag: Some(Flag::Fin),
            payload: vec![9; 300].into(),
            limit: Some(1 << 40),
        },
        Frame::default(),
        Frame::limit(0),
    ];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    for size in [1, 2, 3, 7, 100, bytes.len()] {
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.push(Bytes::copy_from_slice(piece));
            found.extend(all(&mut decoder).into_iter().map(Result::unwrap));
        }
        assert_eq!(found, frames, "pieces of {size}");
    }
}

#[test]
fn unknown_fields_and_flags_are_skipped() {
    let mut decoder = Decoder::default();
    let inner = [
        0x18, 5, // field 3, a number
        0x22, 2, 1, 2, // field 4, bytes
        0x2d, 0, 0, 0, 0, // field 5, four bytes
        0x31, 0, 0, 0, 0, 0, 0, 0, 0, // field 6, eight bytes
        0x08, 77, // an unknown flag
        0x12, 1, 42,
    ];
    let mut bytes = vec![inner.len() as u8];
    bytes.extend_from_slice(&inner);
    decoder.push(bytes.into());
    let frame = decoder.next().unwrap().unwrap();
    assert_eq!((frame.flag, &frame.payload[..]), (None, &[42][..]));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    for bad in [
        &[3, 0x12, 9, 1][..], // payload longer than the frame
        &[1, 0x0b],           // a group
        &[1, 0x80],           // half a number
        &[2, 0x2d, 0],        // half a fixed field
        &[0xff; 12],          // a length without end
    ] {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::copy_from_slice(bad));
        assert_eq!(decoder.next(), Some(Err(BadFrame::Damaged)), "{bad:?}");
    }
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from_static(&[0x81, 0x80, 0x04]));
    assert_eq!(decoder.next(), Some(Err(BadFrame::TooLong(65_537))));
}

#[test]
fn nothing_is_found_or_kept_after_an_error() {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from_static(&[0x81, 0x80, 0x04, 1, 2, 3]));
    assert_eq!(all(&mut decoder).len(), 1);
    for _ in 0..1_000 {
        decoder.push(Bytes::from_static(&[0; 100]));
        assert_eq!(decoder.next(), None);
        assert_eq!(decoder.held(), 0);
    }
}

/// Were each byte to move everything before it, this would move 4 GB.
#[test]
fn a_frame_in_many_pieces_costs_as_much_as_it_is_long() {
    let payload: Vec<u8> = (0..60_000u32).map(|at| at as u8).collect();
    let bytes = Bytes::from(Frame::encode_payload(&payload));
    let mut decoder = Decoder::default();
    let mut moved = 0;
    let mut place = std::ptr::null();
    for at in 0..bytes.len() {
        assert_eq!(decoder.next(), None);
        decoder.push(bytes.slice(at..=at));
        if !std::ptr::eq(place, decoder.partial.as_ptr()) {
            place = decoder.partial.as_ptr();
            moved += decoder.partial.len();
        }
    }
    assert!(moved < 4 * bytes.len(), "{moved} bytes were moved");
    assert_eq!(decoder.next().unwrap().unwrap().payload, payload);
    assert_eq!(decoder.next(), None);
    assert_eq!((decoder.held(), decoder.partial.capacity()), (0, 0));
}

#[test]
fn a_small_payload_does_not_keep_its_message_alive() {
    let mut message = Frame::encode_payload(&[1; 2_000]);
    message.extend(Frame::encode_payload(&[2; 8_000]));
    let message = Bytes::from(message);
    let within = |payload: &Bytes| message.as_ptr_range().contains(&payload.as_ptr());
    let mut decoder = Decoder::default();
    decoder.push(message.clone());
    let found = all(&mut decoder);
    let pinned: Vec<bool> = found
        .iter()
        .map(|frame| within(&frame.as_ref().unwrap().payload))
        .collect();
    assert_eq!(pinned, [false, true]);
}
