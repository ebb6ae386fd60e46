//! Against the stock upgrade, against itself, and over streams that cut, stall and lie.

pub(in crate::net) mod pipe;

use std::io;
use std::sync::Arc;

use futures::executor::block_on;
use futures::future;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::identity::Keypair;
use snow::params::{CipherChoice, HashChoice};
use snow::resolvers::CryptoResolver;

use self::pipe::{Pipe, pipe};
use super::handshake::Identity;
use super::primitives::{Exchange, Primitives};
use super::stream::{MAX_MESSAGE, MAX_PLAIN};
use super::{Encrypted, Noise};
use crate::platform;

fn noise(key: &Keypair) -> Noise {
    Noise::of(key).unwrap()
}

/// As in a page, where no cipher is faster than the portable one.
fn portable(key: &Keypair) -> Noise {
    let identity = Identity {
        fast: || None,
        ..Identity::new(key).unwrap()
    };
    Noise {
        identity: Arc::new(identity),
        prologue: Vec::new(),
    }
}

type Ends = (Encrypted<Pipe>, Encrypted<Pipe>);

/// Two ends that have proved themselves, over a stream of that shape.
fn connected(room: usize, step: usize) -> Ends {
    let key = Keypair::generate_ed25519();
    joined((noise(&key), noise(&key)), pipe(room, step))
}

fn joined((one, other): (Noise, Noise), (here, there): (Pipe, Pipe)) -> Ends {
    let (one, other) = block_on(future::join(one.begin(here), other.answer(there)));
    (one.unwrap().1, other.unwrap().1)
}

/// Bytes that do not repeat at any length of a message.
fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i % 251) as u8 ^ (i / 65_521) as u8)
        .collect()
}

/// Sends in pieces of `piece`, and takes what arrives until the other end is closed.
async fn carry(
    sender: &mut (impl AsyncWrite + Unpin),
    receiver: &mut (impl AsyncRead + Unpin),
    data: &[u8],
    piece: usize,
) -> Vec<u8> {
    let send = async {
        for part in data.chunks(piece) {
            sender.write_all(part).await.unwrap();
        }
        sender.close().await.unwrap();
    };
    let mut arrived = Vec::new();
    future::join(send, receiver.read_to_end(&mut arrived))
        .await
        .1
        .unwrap();
    arrived
}

/// Says something each way.
async fn greet(one: &mut (impl AsyncRead + AsyncWrite + Unpin), word: &[u8; 5]) -> [u8; 5] {
    one.write_all(word).await.unwrap();
    one.flush().await.unwrap();
    let mut answer = [0; 5];
    one.read_exact(&mut answer).await.unwrap();
    answer
}

#[test]
fn the_stock_upgrade_is_understood_on_either_side() {
    let (ours, stock) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    for (we_begin, our) in [
        (true, noise(&ours)),
        (false, noise(&ours)),
        (true, portable(&ours)),
        (false, portable(&ours)),
    ] {
        let (here, there) = pipe(200_000, 64 * 1024);
        let our = our.with_prologue(b"both saw this".to_vec());
        let theirs = libp2p::noise::Config::new(&stock)
            .unwrap()
            .with_prologue(b"both saw this".to_vec());
        let (proved, stock_proved) = block_on(async {
            if we_begin {
                future::join(our.begin(here), theirs.upgrade_inbound(there, "/noise")).await
            } else {
                future::join(our.answer(here), theirs.upgrade_outbound(there, "/noise")).await
            }
        });
        let ((remote, mut one), (us, mut other)) = (proved.unwrap(), stock_proved.unwrap());
        assert_eq!(
            (remote, us),
            (PeerId::from(stock.public()), PeerId::from(ours.public()))
        );
        let words = future::join(greet(&mut one, b"doors"), greet(&mut other, b"rooms"));
        assert_eq!(block_on(words), (*b"rooms", *b"doors"));
        let data = bytes(1_000_000);
        assert!(block_on(carry(&mut one, &mut other, &data, 70_000)) == data);
        assert!(block_on(carry(&mut other, &mut one, &data, 999)) == data);
    }
}

#[test]
fn every_size_arrives_whole_over_every_stream() {
    let whole = [0, 1, MAX_PLAIN - 1, MAX_PLAIN, MAX_PLAIN + 1, 3 * MAX_PLAIN];
    let streams: [(usize, usize, &[usize]); 3] = [
        (7, 3, &[0, 1, 9_000]),
        (70_000, 1_000, &whole),
        (1 << 20, 1 << 20, &whole),
    ];
    for (room, step, lengths) in streams {
        for &length in lengths {
            let (mut one, mut other) = connected(room, step);
            let data = bytes(length);
            let arrived = block_on(carry(&mut one, &mut other, &data, 40_000));
            assert!(arrived == data, "{length} bytes in steps of {step}");
        }
    }
}

#[test]
fn what_is_written_waits_for_a_flush_or_a_full_message() {
    let (mut one, mut other) = connected(200_000, 200_000);
    let mut buffer = vec![0; MAX_PLAIN + 10];
    block_on(one.write_all(b"later")).unwrap();
    assert!(future::FutureExt::now_or_never(other.read(&mut buffer)).is_none());
    block_on(one.write_all(&bytes(MAX_PLAIN))).unwrap();
    block_on(one.flush()).unwrap();
    // One full message, and the rest of five bytes.
    assert_eq!(block_on(other.read(&mut buffer)).unwrap(), MAX_PLAIN);
    assert_eq!(block_on(other.read(&mut buffer)).unwrap(), 5);
}

#[test]
fn an_empty_message_is_no_end() {
    let (mut one, mut other) = connected(1_000, 1_000);
    one.seal().unwrap();
    let word = block_on(async {
        one.write_all(b"after").await.unwrap();
        one.flush().await.unwrap();
        let mut word = [0; 5];
        other.read_exact(&mut word).await.unwrap();
        word
    });
    assert_eq!(&word, b"after");
}

#[test]
fn the_portable_primitives_and_those_of_the_platform_agree() {
    let portable = Primitives { fast: None };
    let fast = Primitives {
        fast: platform::fast_ciphers(),
    };
    let (plain, header) = (bytes(1_000), bytes(32));
    let seal = |primitives: &Primitives| {
        let mut cipher = primitives
            .resolve_cipher(&CipherChoice::ChaChaPoly)
            .unwrap();
        cipher.set(&[7; 32]);
        let mut sealed = vec![0; plain.len() + 16];
        assert_eq!(
            cipher.encrypt(9, &header, &plain, &mut sealed),
            sealed.len()
        );
        (cipher, sealed)
    };
    let ((one, sealed), (other, same)) = (seal(&portable), seal(&fast));
    assert_eq!(sealed, same);
    for cipher in [&one, &other] {
        let mut opened = vec![0; plain.len()];
        assert_eq!(
            cipher.decrypt(9, &header, &sealed, &mut opened),
            Ok(plain.len())
        );
        assert_eq!(opened, plain);
        assert!(cipher.decrypt(8, &header, &sealed, &mut opened).is_err());
        assert!(cipher.decrypt(9, &[], &sealed, &mut opened).is_err());
        assert!(
            cipher
                .decrypt(9, &header, &sealed[..9], &mut opened)
                .is_err()
        );
    }
    let digest = |primitives: &Primitives| {
        let mut hash = primitives.resolve_hash(&HashChoice::SHA256).unwrap();
        let mut keys = [[0; 32]; 3];
        let [one, two, three] = &mut keys;
        hash.hkdf(&[1; 32], &plain[..32], 3, one, two, three);
        keys
    };
    assert_eq!(digest(&portable), digest(&fast));
}

/// How both ends of a handshake fare when the byte with that number is another.
fn spoilt(number: usize, by_the_first: bool) -> [io::Result<(PeerId, Encrypted<Pipe>)>; 2] {
    let (here, there) = pipe(1_000, 1_000);
    let spoiler = if by_the_first { &here } else { &there };
    spoiler.spoil_next(number);
    let key = Keypair::generate_ed25519();
    // Whoever fails hangs up, so that the other end does not wait.
    let (one, other) = block_on(future::join(
        noise(&key).begin(here),
        noise(&key).answer(there),
    ));
    [one, other]
}

#[test]
fn no_byte_of_a_handshake_can_be_changed() {
    // e; then e, s and a payload; then s and a payload: each behind a length, which with another
    // value only makes the receiver wait.
    let payload = 38 + 66 + 16;
    let (first, second, third) = (2 + 32, 2 + 80 + payload, 2 + 48 + payload);
    for number in (2..first).chain(first + 2..first + third) {
        let [one, other] = spoilt(number, true);
        assert!(one.is_err() || other.is_err(), "byte {number} of the first");
    }
    for number in 2..second {
        let [one, _] = spoilt(number, false);
        assert!(one.is_err(), "byte {number} of the second");
    }
    // The number after the last belongs to no handshake.
    assert!(spoilt(first + third, true).iter().all(Result::is_ok));
    assert!(spoilt(second, false).iter().all(Result::is_ok));
}

#[test]
fn another_prologue_is_refused() {
    let (here, there) = pipe(1_000, 1_000);
    let key = Keypair::generate_ed25519();
    let one = noise(&key).with_prologue(b"one".to_vec()).begin(here);
    let other = noise(&key).with_prologue(b"two".to_vec()).answer(there);
    let (one, other) = block_on(future::join(one, other));
    assert_eq!(one.err().unwrap().kind(), io::ErrorKind::InvalidData);
    assert!(other.is_err());
}

#[test]
fn a_signature_over_another_key_is_refused() {
    let (here, there) = pipe(1_000, 1_000);
    let key = Keypair::generate_ed25519();
    let liar = Noise {
        identity: Arc::new(Identity {
            exchange: Exchange::fresh(),
            payload: noise(&key).identity.payload.clone(),
            fast: platform::fast_ciphers,
        }),
        prologue: Vec::new(),
    };
    let (one, _) = block_on(future::join(noise(&key).begin(here), liar.answer(there)));
    let refused = one.err().unwrap().to_string();
    assert_eq!(refused, "the remote's signature does not verify");
}

/// What comes out of `other` when byte `number` of a message was changed, or the end came early; and
/// that nothing comes out or goes in afterwards.
fn broken(one: Encrypted<Pipe>, mut other: Encrypted<Pipe>, kind: io::ErrorKind) {
    drop(one);
    let mut buffer = vec![0; 2 * MAX_PLAIN];
    block_on(async {
        assert_eq!(other.read(&mut buffer).await.unwrap_err().kind(), kind);
        for _ in 0..3 {
            let again = other.read(&mut buffer).await;
            assert!(again.is_err(), "{again:?} came out of a broken stream");
        }
        assert!(buffer.iter().all(|byte| *byte == 0));
        assert!(other.write(b"more").await.is_err());
        assert!(other.flush().await.is_err());
        other.close().await.unwrap();
    });
}

#[test]
fn a_changed_message_breaks_the_stream_for_good() {
    let sealed = MAX_MESSAGE + 2;
    let key = Keypair::generate_ed25519();
    for make in [noise, portable] {
        for number in [2, 3, 1_000, sealed - 1] {
            let (mut one, other) = joined((make(&key), make(&key)), pipe(300_000, 300_000));
            one.io.spoil_next(number);
            block_on(async {
                // The second would verify.
                one.write_all(&bytes(MAX_PLAIN + 1)).await.unwrap();
                one.flush().await.unwrap();
            });
            broken(one, other, io::ErrorKind::InvalidData);
        }
    }
}

#[test]
fn a_cut_message_breaks_the_stream_and_a_cut_between_messages_ends_it() {
    for cut in [&[0][..], &[0, 20], &[0, 20, 1]] {
        let (mut one, other) = connected(1_000, 1_000);
        block_on(one.io.write_all(cut)).unwrap();
        broken(one, other, io::ErrorKind::UnexpectedEof);
    }
    // Shorter than any sealed message.
    let (mut one, other) = connected(1_000, 1_000);
    block_on(one.io.write_all(&[0, 2, 7, 7])).unwrap();
    broken(one, other, io::ErrorKind::InvalidData);
    let (mut one, mut other) = connected(1_000, 1_000);
    let mut arrived = Vec::new();
    block_on(async {
        one.write_all(b"whole").await.unwrap();
        one.close().await.unwrap();
        other.read_to_end(&mut arrived).await.unwrap();
    });
    assert_eq!(arrived, b"whole");
}

/// What the side that answers says to a first message of these bytes.
fn answered(message: &[u8]) -> io::Error {
    let (mut here, there) = pipe(20_000, 20_000);
    block_on(here.write_all(message)).unwrap();
    drop(here);
    let answer = noise(&Keypair::generate_ed25519()).answer(there);
    block_on(answer).err().expect("refused")
}

#[test]
fn a_first_message_is_as_the_protocol_says_or_refused() {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    let with_length = |length: u16, bytes: &[u8]| [&length.to_be_bytes(), bytes].concat();
    assert_eq!(answered(&[]).kind(), UnexpectedEof);
    assert_eq!(answered(&with_length(32, &[9; 31])).kind(), UnexpectedEof);
    assert_eq!(answered(&with_length(31, &[9; 31])).kind(), InvalidData);
    let long = answered(&with_length(8_193, &[9; 32])).to_string();
    assert_eq!(long, "a message of the handshake is too long");
    let talks = answered(&with_length(33, &[9; 33])).to_string();
    assert_eq!(talks, "the first message of the handshake says something");
    // A point with which everybody agrees on the same secret.
    assert_eq!(answered(&with_length(32, &[0; 32])).kind(), InvalidData);
}
