//! Enough of STUN (RFC 8489) to know who sends a first packet and to tell a stranger its address.
//!
//! Authenticating a request is left to the ICE agent that the caller gets; nothing is allocated for
//! a packet before its caller is known.

use std::net::{IpAddr, SocketAddr};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const ICE_CONTROLLED: u16 = 0x8029;
/// An attribute's type and length, and what they announce.
const FINGERPRINT_LENGTH: usize = 4 + 4;
const INTEGRITY_LENGTH: usize = 4 + 20;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// A packet that is STUN by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Chosen by whoever asked; the answer repeats it.
    pub transaction: [u8; 12],
    /// The `USERNAME`, when it has one that is text.
    pub username: Option<&'a str>,
    /// Whether it claims to be authenticated.
    pub authenticated: bool,
}

/// Kinds of packets that ICE and STUN servers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// "What is my address?", or a connectivity check.
    Request,
    /// The answer to a request.
    Success,
    /// A refusal.
    Failure,
    /// Anything else, such as an indication.
    Other,
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` when it is not STUN or is damaged.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let attributes = &bytes[HEADER..];
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] & 0xc0 != 0 || header[4..8] != COOKIE || length != attributes.len() {
            return None;
        }
        let mut packet = Packet {
            kind: match [header[0], header[1]] {
                [0x00, 0x01] => Kind::Request,
                [0x01, 0x01] => Kind::Success,
                [0x01, 0x11] => Kind::Failure,
                _ => Kind::Other,
            },
            transaction: header[8..HEADER].try_into().ok()?,
            username: None,
            authenticated: false,
        };
        let mut rest = attributes;
        while !rest.is_empty() {
            let head = rest.get(..4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = rest.get(4..4 + length)?;
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
            match kind {
                // What follows the integrity is not covered by it.
                USERNAME if !packet.authenticated && packet.username.is_none() => {
                    packet.username = Some(std::str::from_utf8(value).ok()?);
                }
                MESSAGE_INTEGRITY => packet.authenticated = true,
                _ => {}
            }
        }
        Some(packet)
    }
}

/// Asks a server which address the question comes from.
pub fn address_request(transaction: &[u8; 12]) -> Vec<u8> {
    let mut packet = begin([0x00, 0x01], transaction);
    put_fingerprint(&mut packet);
    packet
}

/// The address that such an answer tells.
pub fn mapped_address(answer: &[u8]) -> Option<SocketAddr> {
    let packet = Packet::parse(answer).filter(|packet| packet.kind == Kind::Success)?;
    let mask: Vec<u8> = COOKIE.iter().chain(&packet.transaction).copied().collect();
    let mut rest = answer.get(HEADER..)?;
    loop {
        let head = rest.get(..4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(4..4 + length)?;
        if u16::from_be_bytes([head[0], head[1]]) == XOR_MAPPED_ADDRESS {
            return unmask(value, &mask);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

fn unmask(value: &[u8], mask: &[u8]) -> Option<SocketAddr> {
    let (head, ip) = value.split_at_checked(4)?;
    let port: Vec<u8> = xor(&head[2..], mask).collect();
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip: Vec<u8> = xor(ip, mask).collect();
    let ip: IpAddr = match head[1] {
        1 => <[u8; 4]>::try_from(ip).ok()?.into(),
        2 => <[u8; 16]>::try_from(ip).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Tells whoever asked which address the question came from.
pub fn address_answer(transaction: &[u8; 12], address: SocketAddr) -> Vec<u8> {
    let mut packet = begin([0x01, 0x01], transaction);
    put_address(&mut packet, transaction, address);
    put_fingerprint(&mut packet);
    packet
}

/// The same for a connectivity check; `sign` is HMAC-SHA1 with the answering end's password.
pub fn check_answer(
    transaction: &[u8; 12],
    address: SocketAddr,
    sign: impl FnOnce(&[u8]) -> [u8; 20],
) -> Vec<u8> {
    let mut packet = begin([0x01, 0x01], transaction);
    put_address(&mut packet, transaction, address);
    put_integrity(&mut packet, sign);
    put_fingerprint(&mut packet);
    packet
}

/// A connectivity check of a controlled agent; `sign` is HMAC-SHA1 with the asked end's password.
pub fn check_request(
    transaction: &[u8; 12],
    username: &str,
    sign: impl FnOnce(&[u8]) -> [u8; 20],
) -> Vec<u8> {
    /// Peer-reflexive with the highest local preference: nobody compares it with another.
    const PRIORITY_VALUE: u32 = (110 << 24) | (0xffff << 8) | 255;
    let mut packet = begin([0x00, 0x01], transaction);
    put_attribute(&mut packet, USERNAME, username.as_bytes());
    put_attribute(&mut packet, PRIORITY, &PRIORITY_VALUE.to_be_bytes());
    put_attribute(&mut packet, ICE_CONTROLLED, &transaction[..8]);
    put_integrity(&mut packet, sign);
    put_fingerprint(&mut packet);
    packet
}

fn begin(kind: [u8; 2], transaction: &[u8; 12]) -> Vec<u8> {
    let mut packet = vec![kind[0], kind[1], 0, 0];
    packet.extend_from_slice(&COOKIE);
    packet.extend_from_slice(transaction);
    packet
}

fn put_address(packet: &mut Vec<u8>, transaction: &[u8; 12], address: SocketAddr) {
    let mask: Vec<u8> = COOKIE.iter().chain(transaction).copied().collect();
    let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    value.extend(xor(&address.port().to_be_bytes(), &mask));
    match address.ip() {
        IpAddr::V4(ip) => value.extend(xor(&ip.octets(), &mask)),
        IpAddr::V6(ip) => value.extend(xor(&ip.octets(), &mask)),
    }
    put_attribute(packet, XOR_MAPPED_ADDRESS, &value);
}

fn put_integrity(packet: &mut Vec<u8>, sign: impl FnOnce(&[u8]) -> [u8; 20]) {
    // The length counts the attribute already when it is signed; so does that of the fingerprint.
    set_length(packet, INTEGRITY_LENGTH);
    let signature = sign(packet);
    put_attribute(packet, MESSAGE_INTEGRITY, &signature);
}

fn put_fingerprint(packet: &mut Vec<u8>) {
    set_length(packet, FINGERPRINT_LENGTH);
    let checksum = crc32(packet) ^ FINGERPRINT_XOR;
    put_attribute(packet, FINGERPRINT, &checksum.to_be_bytes());
}

fn xor<'a>(bytes: &'a [u8], mask: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask)
}

fn put_attribute(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&(value.len() as u16).to_be_bytes());
    packet.extend_from_slice(value);
    packet.resize(packet.len().next_multiple_of(4), 0);
}

fn set_length(packet: &mut [u8], more: usize) {
    let length = (packet.len() - HEADER + more) as u16;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
}

/// The CRC of ITU V.42, a byte at a time: a flood of strangers' packets makes it count.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc = (crc >> 8) ^ CRC_TABLE[usize::from(crc as u8 ^ byte)];
    }
    !crc
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of a client of version 2: user name, priority, integrity (not checked here).
    fn request(username: &str) -> Vec<u8> {
        let mut packet = vec![0, 1, 0, 0];
        packet.extend_from_slice(&COOKIE);
        packet.extend_from_slice(b"transaction!");
        put_attribute(&mut packet, USERNAME, username.as_bytes());
        put_attribute(&mut packet, 0x0024, &[0x6e, 0, 0, 1]);
        put_attribute(&mut packet, MESSAGE_INTEGRITY, &[7; 20]);
        set_length(&mut packet, 0);
        packet
    }

    #[test]
    fn requests_tell_who_calls() {
        for username in [
            "a",
            "abcd",
            "libp2p+webrtc+v2/asd88fgpdd777uzjYhagZg99:EsAw",
        ] {
            let bytes = request(username);
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!(packet.kind, Kind::Request);
            assert_eq!(packet.username, Some(username));
            assert!(packet.authenticated);
            assert_eq!(&packet.transaction, b"transaction!");
        }
    }

    #[test]
    fn answer_is_that_of_rfc_5769() {
        // Sections 2.2 and 2.3, without their SOFTWARE and MESSAGE-INTEGRITY.
        let transaction = [
            0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
        ];
        let v4 = address_answer(&transaction, "192.0.2.1:32853".parse().unwrap());
        assert_eq!(
            v4[20..32],
            [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        let v6 = address_answer(
            &transaction,
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
                .parse()
                .unwrap(),
        );
        assert_eq!(
            v6[20..44],
            [
                0, 0x20, 0, 0x14, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
                0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
            ]
        );
        let told = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        assert_eq!(mapped_address(&v4), "192.0.2.1:32853".parse().ok());
        assert_eq!(mapped_address(&v6), told.parse().ok());
        for answer in [v4, v6] {
            let packet = Packet::parse(&answer).unwrap();
            assert_eq!(
                (packet.kind, packet.transaction),
                (Kind::Success, transaction)
            );
        }
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn checks_are_signed_up_to_the_signature() {
        let transaction = *b"transaction!";
        let sign = |bytes: &[u8]| {
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            assert_eq!(length, bytes.len() - HEADER + INTEGRITY_LENGTH);
            [9; 20]
        };
        let asked = check_request(&transaction, "client:server", sign);
        let packet = Packet::parse(&asked).unwrap();
        assert_eq!(
            (packet.kind, packet.username, packet.authenticated),
            (Kind::Request, Some("client:server"), true)
        );
        let answered = check_answer(&transaction, "192.0.2.1:1".parse().unwrap(), sign);
        let packet = Packet::parse(&answered).unwrap();
        assert_eq!(
            (packet.kind, packet.transaction, packet.authenticated),
            (Kind::Success, transaction, true)
        );
    }

    #[test]
    fn a_question_is_one_and_tells_no_address() {
        let asked = address_request(b"transaction!");
        let packet = Packet::parse(&asked).unwrap();
        assert_eq!((packet.kind, packet.username), (Kind::Request, None));
        assert_eq!(mapped_address(&asked), None);
        let mut answer = address_answer(b"transaction!", "192.0.2.1:1".parse().unwrap());
        // No such family.
        answer[25] = 3;
        assert_eq!(mapped_address(&answer), None);
        for cut in 0..answer.len() {
            assert_eq!(mapped_address(&answer[..cut]), None);
        }
    }

    #[test]
    fn damage_is_refused() {
        let good = request("libp2p+webrtc+v1/x:y");
        for cut in 0..good.len() {
            assert_eq!(Packet::parse(&good[..cut]), None, "{cut} bytes");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(Packet::parse(&longer), None);
        let mut overrun = good.clone();
        overrun[22..24].copy_from_slice(&999u16.to_be_bytes());
        assert_eq!(Packet::parse(&overrun), None);
        let mut other = good;
        other[4] ^= 1;
        assert_eq!(Packet::parse(&other), None);
    }
}
