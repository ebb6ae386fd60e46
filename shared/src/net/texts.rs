//! Texts in frames: a frame is the canonical CBOR of one text, which is JSON, or empty when there is nothing to say.

use std::io;

use super::codec::{invalid, read_frame, send_frame};
use super::streams::Stream;
use crate::proto::cbor;

/// The longest text that fits, whatever its head.
#[cfg(feature = "apps")]
pub(in crate::net) const MAX_TEXT: usize = crate::limits::MAX_FRAME - 3;

pub(in crate::net) async fn send(stream: &mut Stream, text: &str) -> io::Result<()> {
    send_frame(stream, &cbor::encode(&text)).await
}

pub(in crate::net) async fn receive(stream: &mut Stream) -> io::Result<String> {
    let frame = read_frame(stream).await?;
    text_of(&frame).ok_or_else(|| invalid("not the canonical encoding of a text"))
}

fn text_of(frame: &[u8]) -> Option<String> {
    cbor::decode(frame).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_FRAME;
    use crate::proto::record::wire::encode_frame;

    #[test]
    fn a_text_has_one_encoding() {
        assert_eq!(text_of(&[0x61, b'x']), Some("x".to_owned()));
        assert_eq!(text_of(&[0x60]), Some(String::new()));
        for other in [
            &[0x78, 0x01, b'x'][..],
            &[0x7f, 0x61, b'x', 0xff],
            &[0x61, b'x', 0],
            &[0x61, 0xff],
            &[0x41, b'x'],
            &[],
        ] {
            assert_eq!(text_of(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_frame_is_that_of_the_specification() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"warren.ping"}"#;
        let frame = encode_frame(&cbor::encode(&text)).unwrap();
        assert_eq!(frame[..3], [0x31, 0x78, 0x2f]);
        assert_eq!(&frame[3..], text.as_bytes());
        assert_eq!(encode_frame(&cbor::encode(&"")).unwrap(), [0x01, 0x60]);
    }

    #[test]
    fn the_longest_text_fits() {
        assert_eq!(cbor::encode(&"x".repeat(MAX_TEXT)).len(), MAX_FRAME);
    }
}
