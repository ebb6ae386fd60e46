//! Limits of streams: how many one connection has, and how they share it.

use std::time::Duration;

use super::{
    DIRECT_STREAMS, FILE_STREAMS, GOSSIP_STREAMS, HISTORY_STREAMS, KEEP_STREAMS, MAILBOX_STREAMS,
    NAME_STREAMS, PERF_OPEN, RECORD_STREAMS, RPC_STREAMS, SIGNALING_STREAMS,
};

/// Bytes of data in one frame that is sent on a connection with many streams: a whole message of noise, with the frame's header.
pub const YAMUX_SENT: usize = 65_507;
/// Bytes that wait on one stream while its reader, or the connection, is slow: ten frames in line, and one that is to join them.
pub const YAMUX_QUEUED: usize = 11 * YAMUX_SENT;
/// Bytes of data in a frame that arrives: what every remote may send at first. Longer ones are divided.
pub const YAMUX_FRAME: u32 = 256 * 1024;
/// Streams on one connection, those of both ends together, with which yamux closes it.
pub const YAMUX_STREAMS: usize = 512;
const _: () = {
    // Of each protocol the remote opens as many, and we half. Kademlia, identify, ping and circuits take a
    // share of the rest.
    let each = [
        RECORD_STREAMS,
        NAME_STREAMS,
        RPC_STREAMS,
        PERF_OPEN,
        DIRECT_STREAMS,
        MAILBOX_STREAMS,
        HISTORY_STREAMS,
        GOSSIP_STREAMS,
        FILE_STREAMS,
        KEEP_STREAMS,
        SIGNALING_STREAMS,
    ];
    let (mut sum, mut at) = (0, 0);
    while at < each.len() {
        assert!(each[at].is_multiple_of(2));
        sum += each[at] + each[at] / 2;
        at += 1;
    }
    assert!(sum + 128 <= YAMUX_STREAMS);
};
/// Streams of one protocol that wait until they may be opened on a connection, or until their peer is
/// dialled: a page that asks for a thousand things at once gets them one after the other.
pub const STREAMS_WAITING: usize = 4_096;
/// How long a stream may wait for that, and how long its negotiation may take then.
pub const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// Connections that are tried for a stream when they close before it is open: a direct and a relayed
/// one may close together.
pub const OPEN_TRIES: usize = 3;
/// Plain streams of one protocol, of all peers together, that nobody has begun to serve.
pub const STREAMS_ACCEPTED: usize = 1_024;
