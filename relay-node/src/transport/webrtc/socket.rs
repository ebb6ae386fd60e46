//! A UDP socket that takes and gives datagrams in batches.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::limits;

/// Largest batch that one system call hands over per buffer.
const LARGEST: usize = 64 * 1024;

/// The socket of a listener or of one dialled connection.
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// Datagrams of one source, of equal size but for the last.
pub(super) struct Arrived {
    pub(super) source: SocketAddr,
    /// The address of ours that they were sent to.
    pub(super) local: SocketAddr,
    pub(super) bytes: Bytes,
    stride: usize,
}

impl Arrived {
    /// A datagram on its own.
    pub(super) fn single(source: SocketAddr, local: SocketAddr, bytes: Bytes) -> Self {
        Arrived {
            source,
            local,
            stride: bytes.len(),
            bytes,
        }
    }

    pub(super) fn datagrams(&self) -> impl Iterator<Item = Bytes> + '_ {
        let starts = (0..self.bytes.len()).step_by(self.stride.max(1));
        starts.map(|start| {
            let end = (start + self.stride).min(self.bytes.len());
            self.bytes.slice(start..end)
        })
    }
}

impl Socket {
    /// Binds; must be called inside a tokio runtime.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let raw = RawSocket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            raw.set_only_v6(true)?;
        }
        raw.set_nonblocking(true)?;
        raw.bind(&address.into())?;
        // The system may allow less, which costs speed only.
        let _ = raw.set_recv_buffer_size(limits::SOCKET_BUFFER);
        let _ = raw.set_send_buffer_size(limits::SOCKET_BUFFER);
        let io = UdpSocket::from_std(raw.into())?;
        Ok(Socket {
            state: UdpSocketState::new((&io).into())?,
            local: io.local_addr()?,
            io,
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// How many datagrams of equal size one system call may send.
    pub(super) fn largest_batch(&self) -> usize {
        self.state.max_gso_segments().max(1)
    }

    /// Sends a datagram now or never.
    pub(super) fn offer(&self, from: IpAddr, to: SocketAddr, bytes: &[u8]) {
        let transmit = self.transmit(Some(from), to, bytes, bytes.len());
        if let Err(error) = self.try_transmit(&transmit) {
            tracing::trace!(%error, remote = %to, "an answer was not sent");
        }
    }

    fn transmit<'a>(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        bytes: &'a [u8],
        stride: usize,
    ) -> Transmit<'a> {
        Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: (stride < bytes.len()).then_some(stride),
            src_ip: from.filter(|_| self.local.ip().is_unspecified()),
        }
    }

    fn try_transmit(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send((&self.io).into(), transmit)
        })
    }

    /// Waits until the socket takes them. Errors are those of a network that comes and goes: what
    /// was not sent is lost, as any datagram may be.
    pub(super) async fn send(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        bytes: &[u8],
        stride: usize,
    ) {
        let transmit = self.transmit(from, to, bytes, stride);
        loop {
            match self.try_transmit(&transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.io.writable().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, remote = %to, "datagrams were not sent");
                    return;
                }
                Ok(()) => return,
            }
        }
    }
}

/// The memory that a socket's only reader needs.
pub(super) struct Reader {
    buffers: Vec<Vec<u8>>,
    meta: Vec<RecvMeta>,
}

impl Reader {
    /// `count` buffers: many for a listener, few for a connection of its own.
    pub(super) fn new(socket: &Socket, count: usize) -> Self {
        let count = count.clamp(1, BATCH_SIZE);
        let size = (socket.state.gro_segments() * 1_500).clamp(2_048, LARGEST);
        Reader {
            buffers: (0..count).map(|_| vec![0; size]).collect(),
            meta: vec![RecvMeta::default(); count],
        }
    }

    /// Waits for datagrams and hands each batch to `take`.
    pub(super) async fn read(
        &mut self,
        socket: &Socket,
        mut take: impl FnMut(Arrived),
    ) -> io::Result<()> {
        let count = loop {
            socket.io.readable().await?;
            let read = socket.io.try_io(Interest::READABLE, || {
                let mut slices: Vec<IoSliceMut<'_>> = self
                    .buffers
                    .iter_mut()
                    .map(|buffer| IoSliceMut::new(buffer))
                    .collect();
                socket
                    .state
                    .recv((&socket.io).into(), &mut slices, &mut self.meta)
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Some systems report here that an earlier datagram found nobody.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                other => break other?,
            }
        };
        for (meta, buffer) in self.meta.iter().zip(&self.buffers).take(count) {
            let ip = meta.dst_ip.unwrap_or(socket.local.ip());
            take(Arrived {
                source: meta.addr,
                local: SocketAddr::new(ip, socket.local.port()),
                bytes: Bytes::copy_from_slice(&buffer[..meta.len]),
                stride: meta.stride,
            });
        }
        Ok(())
    }
}
