//! What fetching files is compared with, for `cargo xtask bench files`: a raw stream of libp2p, and plain TCP. Each prints
//! one line of JSON, `{"mibPerSecond": …}`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use libp2p::{Multiaddr, PeerId};
use serde_json::json;
use warren_shared::proto::NetworkId;
use warren_tests::peers::stranger;

use super::{Failure, MIB};

/// As much as a raw stream moves at a time.
const PIECE: usize = 64 * 1024;

/// `bench-native stream NETWORK PEER ADDRESS MIB`: receives so much from a relay that answers measurements.
pub async fn stream(network: &str, peer: &str, address: &str, size: &str) -> Result<(), Failure> {
    let (network, peer): (NetworkId, PeerId) = (network.parse()?, peer.parse()?);
    let (address, bytes): (Multiaddr, u64) = (address.parse()?, size.parse::<u64>()? * MIB);
    let node = stranger(&network);
    node.handle().dial(Some(peer), vec![address]).await?;
    let measured = node.measure(peer, 1, bytes).await?;
    let rate = measured.download_rate().ok_or("it was too quick")?;
    println!("{}", json!({ "mibPerSecond": rate }));
    node.close().await;
    Ok(())
}

/// `bench-native plain MIB`: from one thread to another one.
pub fn plain(size: &str) -> Result<(), Failure> {
    let bytes = size.parse::<u64>()? * MIB;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let began = Instant::now();
    let sending = thread::spawn(move || send(sender, bytes));
    let mut buffer = vec![0; PIECE];
    let mut received = 0;
    while received < bytes {
        match receiver.read(&mut buffer)? {
            0 => return Err("the connection ended too soon".into()),
            count => received += count as u64,
        }
    }
    let rate = bytes as f64 / MIB as f64 / began.elapsed().as_secs_f64();
    sending.join().map_err(|_| "the sender failed")??;
    println!("{}", json!({ "mibPerSecond": rate }));
    Ok(())
}

fn send(mut to: TcpStream, bytes: u64) -> io::Result<()> {
    let piece = vec![7; PIECE];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(PIECE as u64) as usize;
        to.write_all(&piece[..size])?;
        left -= size as u64;
    }
    Ok(())
}
