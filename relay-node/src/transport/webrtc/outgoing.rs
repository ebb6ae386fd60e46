//! Datagrams on their way out, put together so that one system call sends many.

use std::net::{IpAddr, SocketAddr};

use super::socket::Socket;

/// The kernel takes no more in one call.
const LARGEST: usize = 60 * 1024;

/// Datagrams between two addresses, of equal size but for the last.
struct Batch {
    from: Option<IpAddr>,
    to: SocketAddr,
    bytes: Vec<u8>,
    stride: usize,
    count: usize,
    /// A smaller datagram can only be the last.
    full: bool,
}

/// What a turn of a connection's task sends.
pub(super) struct Outgoing {
    batches: Vec<Batch>,
    largest: usize,
}

impl Outgoing {
    pub(super) fn new(socket: &Socket) -> Self {
        Outgoing {
            batches: Vec::new(),
            largest: socket.largest_batch(),
        }
    }

    /// One more, from that address of ours if the socket has several.
    pub(super) fn push(&mut self, from: Option<IpAddr>, to: SocketAddr, datagram: &[u8]) {
        if let Some(batch) = self.batches.last_mut()
            && batch.to == to
            && batch.from == from
            && !batch.full
            && batch.count < self.largest
            && datagram.len() <= batch.stride
            && batch.bytes.len() + datagram.len() <= LARGEST
        {
            batch.bytes.extend_from_slice(datagram);
            batch.count += 1;
            batch.full = datagram.len() < batch.stride;
            return;
        }
        self.batches.push(Batch {
            from,
            to,
            bytes: datagram.to_vec(),
            stride: datagram.len(),
            count: 1,
            full: false,
        });
    }

    pub(super) async fn send(&mut self, socket: &Socket) {
        for batch in self.batches.drain(..) {
            socket
                .send(batch.from, batch.to, &batch.bytes, batch.stride)
                .await;
        }
        // A network card that turns out to take no batches shows it only now.
        self.largest = socket.largest_batch();
    }
}
