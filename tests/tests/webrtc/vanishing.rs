//! Remotes that move or vanish without a word.

use std::future::pending;
use std::process::Stdio;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Multiaddr;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use warren_tests::count;

use super::proxy::Proxy;
use super::support::{Server, at, connect, echo, patient};

/// Set for the process that runs nothing but one test.
const ALONE: &str = "WARREN_TEST_ALONE";
/// Set for a process that only calls: how many, and where.
const CALLERS: &str = "WARREN_TEST_CALLERS";
const CONNECTED: &str = "all are connected";
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

/// A process that connects and is killed: nobody is told, and none of its memory is counted here.
struct Callers(Child);

impl Callers {
    /// Comes back when all of them are connected.
    async fn start(test: &str, address: &Multiaddr, clients: usize) -> Callers {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CALLERS, format!("{clients} {address}"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        while patient(told.next_line()).await.unwrap().as_deref() != Some(CONNECTED) {}
        Callers(child)
    }

    /// What such a process does, if this is one.
    async fn run() {
        let Ok(order) = std::env::var(CALLERS) else {
            return;
        };
        let (clients, address) = order.split_once(' ').unwrap();
        let address = address.parse().unwrap();
        let all = (0..clients.parse().unwrap()).map(|_: usize| connect(&address));
        let _connected = join_all(all).await;
        println!("\n{CONNECTED}");
        pending::<()>().await;
    }

    async fn vanish(mut self) {
        self.0.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_noticed_on_both_sides() {
    let mut server = Server::start(LOOPBACK).await;
    let proxy = Proxy::start(server.socket()).await;
    let client = connect(&at(&server.address, proxy.address)).await;
    let accepted = server.accept().await;
    proxy.mute();
    for end in [&client, &accepted] {
        let why = patient(end.ended()).await;
        assert!(why.contains("nothing arrived"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_a_new_address() {
    let mut server = Server::start(LOOPBACK).await;
    let proxy = Proxy::start(server.socket()).await;
    let client = connect(&at(&server.address, proxy.address)).await;
    let accepted = server.accept().await;
    accepted.echo_everything();
    let mut stream = client.open().await.unwrap();
    for round in 0..3u8 {
        // What is under way while the address changes must arrive, too.
        stream.write_all(&[round; 100_000]).await.unwrap();
        stream.flush().await.unwrap();
        proxy.rebind();
        let mut read = vec![0; 100_000];
        patient(stream.read_exact(&mut read)).await.unwrap();
        assert!(read.iter().all(|byte| *byte == round));
    }
    drop(stream);
    echo(client.open().await.unwrap(), 1024 * 1024).await;
    client.close().await;
    patient(accepted.ended()).await;
}

/// Files are those of the listener only, and memory is given back.
#[tokio::test(flavor = "multi_thread")]
async fn vanished_clients_leave_nothing_behind() {
    const NAME: &str = "vanishing::vanished_clients_leave_nothing_behind";
    Callers::run().await;
    // The files and the memory of a process say something only when no other test runs in it.
    if std::env::var_os(ALONE).is_none() {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1");
        assert!(alone.status().await.unwrap().success());
        return;
    }
    // Below the quota of handshakes that one network has.
    const AT_ONCE: usize = 100;
    /// Those are missed together, so that the test does not wait for each silence by itself.
    const CALLS: usize = 5;
    let mut server = Server::start(LOOPBACK).await;
    let cycles = count(50, 10_000);
    let at_once = cycles.min(AT_ONCE);
    let calls = (cycles / at_once).min(CALLS);
    cycle(&mut server, NAME, (calls, at_once)).await;
    let (files, memory) = (open_files(), resident());
    for _ in 0..cycles / at_once / calls {
        cycle(&mut server, NAME, (calls, at_once)).await;
        println!(
            "resident: {} KiB more",
            (resident().saturating_sub(memory)) / 1_024
        );
    }
    assert_eq!(open_files(), files);
    // A handful of cycles says nothing about memory: the allocator's own steps are bigger.
    if cycles > at_once {
        let grown = resident().saturating_sub(memory);
        assert!(grown < cycles * 1_024, "{grown} bytes in {cycles} cycles");
    }
}

async fn cycle(server: &mut Server, test: &str, (calls, clients): (usize, usize)) {
    for _ in 0..calls {
        let callers = Callers::start(test, &server.address, clients).await;
        callers.vanish().await;
    }
    for _ in 0..calls * clients {
        let accepted = server.accept().await;
        let why = patient(accepted.ended()).await;
        assert!(why.contains("nothing arrived"), "{why}");
    }
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes of memory in use, as the system counts them.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}
