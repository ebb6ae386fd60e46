//! Remotes that move or vanish without a word.

use std::time::Duration;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;
use warren_tests::count;

use super::proxy::Proxy;
use super::support::{Server, at, connect, echo, patient};

/// Set for the process that runs nothing but one test.
const ALONE: &str = "WARREN_TEST_ALONE";
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

/// A client that no longer runs: its tasks are gone, and nobody was told.
struct Client(Option<Runtime>);

impl Client {
    fn new() -> Client {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Client(Some(runtime.unwrap()))
    }

    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.0.as_ref().unwrap().spawn(work).await.unwrap()
    }

    async fn vanish(mut self) {
        let runtime = self.0.take().unwrap();
        spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10)))
            .await
            .unwrap();
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
    // The files and the memory of a process say something only when no other test runs in it.
    if std::env::var_os(ALONE).is_none() {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1");
        assert!(alone.status().await.unwrap().success());
        return;
    }
    // Below the quota of handshakes that one network has.
    const AT_ONCE: usize = 100;
    let mut server = Server::start(LOOPBACK).await;
    let cycles = count(50, 10_000);
    let at_once = cycles.min(AT_ONCE);
    cycle(&mut server, at_once).await;
    let (files, memory) = (open_files(), resident());
    for _ in 0..cycles / at_once {
        cycle(&mut server, at_once).await;
    }
    assert_eq!(open_files(), files);
    // A handful of cycles says nothing about memory: the allocator's own steps are bigger.
    if cycles > at_once {
        let grown = resident().saturating_sub(memory);
        assert!(grown < cycles * 1_024, "{grown} bytes in {cycles} cycles");
    }
}

async fn cycle(server: &mut Server, clients: usize) {
    let client = Client::new();
    let address = server.address.clone();
    let connected = client
        .run(async move {
            let all = (0..clients).map(|_| connect(&address));
            join_all(all).await
        })
        .await;
    client.vanish().await;
    drop(connected);
    for _ in 0..clients {
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
