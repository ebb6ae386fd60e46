//! A bare pair of data channels: the stack that our transport is built on, two sockets, two threads,
//! and nothing else. What our transport can at best reach.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Instant;

use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::Fingerprint;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

use super::Failure;

const MESSAGE: usize = 16 * 1024;
/// How much the stack is given at once: it is slow with much, and may run dry with little.
pub const BUFFERED: [usize; 2] = [64 * 1024, 1024 * 1024];

struct End {
    rtc: Rtc,
    socket: UdpSocket,
    channel: ChannelId,
    open: bool,
    received: u64,
}

/// Sends so many bytes from one end to the other, `buffered` at a time; returns MiB per second.
pub fn transfer(bytes: u64, buffered: usize) -> Result<f64, Failure> {
    let (a, b) = (socket()?, socket()?);
    let (address_a, address_b) = (a.local_addr()?, b.local_addr()?);
    let mut sender = config("aaaaaaaa", buffered).build(Instant::now());
    let mut receiver = config("bbbbbbbb", buffered)
        .set_ice_lite(true)
        .build(Instant::now());
    let prints = (
        sender.direct_api().local_dtls_fingerprint().clone(),
        receiver.direct_api().local_dtls_fingerprint().clone(),
    );
    let sender = end(sender, a, address_b, true, "bbbbbbbb", prints.1)?;
    let receiver = end(receiver, b, address_a, false, "aaaaaaaa", prints.0)?;
    let receiving = thread::spawn(move || receive(receiver, bytes));
    let sending = thread::spawn(move || send(sender, bytes, buffered));
    let seconds = receiving.join().map_err(|_| "the receiver failed")??;
    // It runs until the connection is closed.
    drop(sending);
    Ok(bytes as f64 / seconds / (1024.0 * 1024.0))
}

fn socket() -> std::io::Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0")
}

fn credentials(ufrag: &str) -> IceCreds {
    IceCreds {
        ufrag: ufrag.into(),
        pass: format!("{ufrag}-a-long-enough-password"),
    }
}

fn config(ufrag: &str, buffered: usize) -> RtcConfig {
    RtcConfig::new()
        .set_local_ice_credentials(credentials(ufrag))
        .clear_codecs()
        .set_sctp_max_buffered_amount(2 * buffered)
}

fn end(
    mut rtc: Rtc,
    socket: UdpSocket,
    remote: SocketAddr,
    active: bool,
    remote_ufrag: &str,
    fingerprint: Fingerprint,
) -> Result<End, Failure> {
    rtc.add_local_candidate(Candidate::host(socket.local_addr()?, "udp")?);
    rtc.add_remote_candidate(Candidate::host(remote, "udp")?);
    let mut api = rtc.direct_api();
    api.set_remote_ice_credentials(credentials(remote_ufrag));
    api.set_ice_controlling(active);
    api.set_remote_fingerprint(fingerprint);
    api.start_dtls(active)?;
    api.start_sctp(active);
    let channel = api.create_data_channel(ChannelConfig {
        negotiated: Some(0),
        ..ChannelConfig::default()
    });
    Ok(End {
        rtc,
        socket,
        channel,
        open: false,
        received: 0,
    })
}

impl End {
    /// Takes what the stack has to say; returns when it wants to be called again.
    fn drain(&mut self) -> Result<Instant, Failure> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(packet) => {
                    self.socket.send_to(&packet.contents, packet.destination)?;
                }
                Output::Event(Event::ChannelOpen(..)) => self.open = true,
                Output::Event(Event::ChannelData(data)) => self.received += data.data.len() as u64,
                Output::Event(_) => {}
            }
        }
    }

    /// Waits for a packet or for the moment the stack wants to be called.
    fn step(&mut self, until: Instant) -> Result<(), Failure> {
        let mut buffer = [0; 2048];
        let wait = until.saturating_duration_since(Instant::now());
        let received = if wait.is_zero() {
            None
        } else {
            self.socket.set_read_timeout(Some(wait))?;
            match self.socket.recv_from(&mut buffer) {
                Ok(received) => Some(received),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    None
                }
                Err(error) => return Err(error.into()),
            }
        };
        let now = Instant::now();
        let Some((length, source)) = received else {
            return Ok(self.rtc.handle_input(Input::Timeout(now))?);
        };
        let local = self.socket.local_addr()?;
        let packet = Receive::new(Protocol::Udp, source, local, &buffer[..length])?;
        Ok(self.rtc.handle_input(Input::Receive(now, packet))?)
    }
}

fn receive(mut end: End, bytes: u64) -> Result<f64, Failure> {
    let mut began = None;
    while end.received < bytes {
        let until = end.drain()?;
        if end.received > 0 {
            began.get_or_insert_with(Instant::now);
        }
        if end.received < bytes {
            end.step(until)?;
        }
    }
    let began: Instant = began.ok_or("nothing arrived")?;
    let seconds = began.elapsed().as_secs_f64();
    end.rtc.close()?;
    end.drain()?;
    Ok(seconds)
}

fn send(mut end: End, bytes: u64, buffered: usize) -> Result<(), Failure> {
    let message = [7; MESSAGE];
    let mut left = bytes;
    while end.rtc.is_alive() {
        let mut until = end.drain()?;
        let mut wrote = false;
        while end.open && left > 0 {
            let Some(mut channel) = end.rtc.channel(end.channel) else {
                break;
            };
            let size = left.min(MESSAGE as u64) as usize;
            if channel.buffered_amount() >= buffered || !channel.write(true, &message[..size])? {
                break;
            }
            left -= size as u64;
            wrote = true;
        }
        if wrote {
            until = end.drain()?;
        }
        end.step(until)?;
    }
    Ok(())
}
