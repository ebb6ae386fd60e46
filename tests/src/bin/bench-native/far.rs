//! A long way for UDP between two programs that know nothing of it: every packet arrives so much later, in order.
//!
//! Each end sees the other one at a face, a port of this program; the end of a face is whoever first sends to it. Nothing
//! is lost on the way: an end whose socket is filling up is waited for, because browsers have room for 56 packets only,
//! less than comes in while two cores are busy with other things.
//! `bench-native far MILLISECONDS` prints a line of JSON for each line on its standard input. `way` ends the way there
//! was and makes another, `{"faces": […]}`. `told` says what became of the packets since, `lateMicros` beside what was
//! asked for, and `lost` before they were taken: `{"packets": …, "bytes": …, "lost": …, "lateMicros": {…}}`.

use std::io::{BufRead, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::SockRef;

use super::Failure;

/// What the system may hold for a socket, as far as it lets us: 50 ms at 80 MiB/s.
const BUFFER: usize = 4 * 1024 * 1024;
/// Packets under way in one direction; one more waits in the socket.
const UNDER_WAY: usize = 64 * 1024;
const PACKET: usize = 64 * 1024;
/// Packets between two looks at how full the socket of an end is, and how many bytes are little there.
const AT_ONCE: usize = 16;
const LITTLE: u64 = 32 * 1024;
/// Until the next look, and after how many it is given up: whoever takes nothing for so long loses it.
const PAUSE: Duration = Duration::from_micros(500);
const PAUSES: usize = 200;
/// How soon a thread sees that its way is over.
const LOOK: Duration = Duration::from_millis(200);

/// Answers until there are no more questions.
pub fn serve(milliseconds: &str) -> Result<(), Failure> {
    let delay = Duration::from_millis(milliseconds.parse()?);
    let mut way = None;
    for question in std::io::stdin().lock().lines() {
        let answer = match (question?.as_str(), &way) {
            ("way", _) => {
                drop(way.take());
                let made = way.insert(Way::new(delay)?);
                json!({"faces": [made.faces[0].port()?, made.faces[1].port()?]})
            }
            ("told", Some(way)) => way.told()?,
            _ => return Err("ask for `way`, then for `told`".into()),
        };
        println!("{answer}");
    }
    Ok(())
}

/// Two faces and the threads between them, which end with it.
struct Way {
    faces: [Arc<Face>; 2],
    over: Arc<AtomicBool>,
}

struct Face {
    socket: UdpSocket,
    end: OnceLock<SocketAddr>,
    given: Mutex<Given>,
}

/// What was sent out of a face.
#[derive(Default)]
struct Given {
    bytes: u64,
    /// Of each packet, in microseconds.
    late: Vec<u32>,
}

impl Way {
    fn new(delay: Duration) -> Result<Self, Failure> {
        let faces = [Arc::new(Face::new()?), Arc::new(Face::new()?)];
        let over = Arc::new(AtomicBool::new(false));
        for (near, far) in [(0, 1), (1, 0)] {
            let (near, far) = (faces[near].clone(), faces[far].clone());
            let (set_out, arriving) = sync_channel(UNDER_WAY);
            let over = over.clone();
            thread::spawn(move || near.take(delay, &set_out, &over));
            thread::spawn(move || far.give(&arriving));
        }
        Ok(Way { faces, over })
    }

    fn told(&self) -> Result<Value, Failure> {
        let (mut bytes, mut lost, mut late) = (0, 0, Vec::new());
        for face in &self.faces {
            lost += lost_at(face.port()?)?;
            let given = face.given.lock().unwrap_or_else(PoisonError::into_inner);
            bytes += given.bytes;
            late.extend_from_slice(&given.late);
        }
        late.sort_unstable();
        let at = |percent: usize| late.get((late.len() * percent / 100).min(late.len().max(1) - 1));
        Ok(json!({
            "packets": late.len(), "bytes": bytes, "lost": lost,
            "lateMicros": {"half": at(50), "most": at(99), "all": at(100)},
        }))
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Face {
    fn new() -> Result<Self, Failure> {
        // On every address: each end sends to the one that it knows of the other.
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(LOOK))?;
        let sizes = SockRef::from(&socket);
        sizes.set_recv_buffer_size(BUFFER)?;
        sizes.set_send_buffer_size(BUFFER)?;
        Ok(Face {
            socket,
            end: OnceLock::new(),
            given: Mutex::default(),
        })
    }

    fn port(&self) -> Result<u16, Failure> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Takes what this face's end sends. What another address sends is another way, which is not there.
    fn take(&self, delay: Duration, set_out: &SyncSender<Packet>, over: &AtomicBool) {
        let mut buffer = vec![0; PACKET];
        while !over.load(Ordering::Relaxed) {
            match self.socket.recv_from(&mut buffer) {
                Ok((size, sender)) if *self.end.get_or_init(|| sender) == sender => {
                    let due = Instant::now() + delay;
                    let bytes = buffer[..size].to_vec();
                    if set_out.send(Packet { due, bytes }).is_err() {
                        return;
                    }
                }
                // Nothing came; or what went out found nobody, which its sender notices by itself.
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused => {}
                    _ => return,
                },
            }
        }
    }

    /// Gives this face's end what comes from the other one, when it is due.
    fn give(&self, arriving: &Receiver<Packet>) {
        let mut ahead = 0;
        while let Ok(Packet { due, bytes }) = arriving.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let Some(end) = self.end.get() else {
                continue;
            };
            ahead = (ahead + 1) % AT_ONCE;
            if ahead == 0 {
                wait_for(end.port());
            }
            let late = due.elapsed();
            if self.socket.send_to(&bytes, end).is_ok() {
                let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
                given.bytes += bytes.len() as u64;
                given.late.push(late.as_micros() as u32);
            }
        }
    }
}

struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

/// Waits until a socket on this port holds little.
fn wait_for(port: u16) {
    let little = || at(port, WAITING, 16).is_ok_and(|waiting| waiting <= LITTLE);
    for _ in 0..PAUSES {
        if little() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Packets that the system dropped before a socket on this port took them.
fn lost_at(port: u16) -> Result<u64, Failure> {
    at(port, LOST, 10)
}

/// The columns of the system's table: the bytes that were not sent and those that were not read, and what was dropped.
const WAITING: usize = 4;
const LOST: usize = 12;

/// What the system says of the sockets on this port.
fn at(port: u16, column: usize, radix: u32) -> Result<u64, Failure> {
    let table = std::fs::read_to_string("/proc/net/udp")?;
    let here = format!(":{port:04X}");
    let mut sum = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if !fields.get(1).is_some_and(|local| local.ends_with(&here)) {
            continue;
        }
        let told = fields.get(column).unwrap_or(&"0");
        let told = told.rsplit(':').next().unwrap_or(told);
        sum += u64::from_str_radix(told, radix)?;
    }
    Ok(sum)
}
